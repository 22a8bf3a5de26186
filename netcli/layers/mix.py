"""Images mixed with others of their batch, and their labels with theirs.

Zhang, Cisse, Dauphin & Lopez-Paz, "mixup: Beyond Empirical Risk Minimization", ICLR 2018; Yun et al., "CutMix:
Regularization Strategy to Train Strong Classifiers with Localizable Features", ICCV 2019.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from netcli.arrays import random
from netcli.arrays.device import CPU, Device
from netcli.arrays.layout import Shape
from netcli.blob import Blob
from netcli.errors import ShapeError
from netcli.layers.base import Layer, layer
from netcli.layers.labels import one_label_each, whole_numbers

MOST = 1000  # of alpha; the share is 1/2 nearly always then
BLOCKS = 2  # of random words for each image: 4 for what is done, the others for the share


class Draw(NamedTuple):
    """What is done to an image: mixed with `other`, of itself stays `share`, in all of it or but for rows, columns."""

    other: int
    share: float = 1.0
    cut: tuple[slice, slice] | None = None


@layer("Mix", param="mix_param")
class Mix(Layer):
    """In TRAIN y_i = a_i x_i + (1 - a_i) x_j, or x_i with a rectangle of x_j; in TEST y = x.

    i, j   images of the batch, j drawn for each i; a_i its own share, drawn from Beta(alpha, alpha); the rectangle has
           1 - a_i of the area, its middle is anywhere, and a_i becomes what is left of x_i in the image
    bottom  x        (N, C, H, W)
            labels   (N,): whole numbers 0 .. num_classes-1
    top     y        shape of x
            q        (N, num_classes): a_i for the label of i and 1 - a_i for that of j, as SoftmaxWithLoss and Accuracy
                     take it
    param   num_classes   must be given
            mixup_alpha, cutmix_alpha   0 (default): not this; at most 1000
            prob          chance that an image is mixed; default 1
            cutmix_prob   chance of cutmix where both are there; default 0.5
    errors  DataError for a label that is no class

    The draws depend on the net's seed, the layer's name and the number of forward passes alone.  No gradient.
    """

    bottoms = 2
    tops = 2
    replays = False
    no_gradient: ClassVar[tuple[int, ...] | None] = None

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if self.p.num_classes < 1:
            raise ShapeError("num_classes must be given", field="mix_param.num_classes")
        for name in ("mixup_alpha", "cutmix_alpha"):
            if not 0 <= getattr(self.p, name) <= MOST:
                raise ShapeError(f"{name} {getattr(self.p, name):g} is not in 0 .. {MOST}", field=f"mix_param.{name}")

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        if len(bottom[0].shape) != 4:
            raise ShapeError(f"takes images (N, C, H, W), got {self.named(0, bottom[0].shape)}", field="bottom")
        one_label_each(self, bottom)
        super().reshape(bottom, top)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        return [bottom_shapes[0], (bottom_shapes[0][0], self.p.num_classes)]

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, y, q = bottom[0].data, top[0].data, top[1].data
        classes = self.p.num_classes
        labels, _ = whole_numbers(self, bottom[1].data, classes, f"num_classes of '{self.name}'")
        draws = self._draws(x.shape)
        y[...] = x
        if self.context.device is CPU:
            _mix(draws, x, labels.reshape(-1), y, q)
        else:
            _mix_at_once(self.context.device, draws, x, labels.reshape(-1), y, q)

    def _draws(self, shape: Shape) -> list[Draw]:
        """What is done to each image of a batch."""
        count, _, height, width = shape
        draws = [Draw(i) for i in range(count)]
        if not (self.train and count > 1 and (self.p.mixup_alpha or self.p.cutmix_alpha)):
            return draws
        both = self.p.mixup_alpha and self.p.cutmix_alpha
        key = self.context.seed, f"mix {self.name}", int(self.context.passes)
        for i, words in enumerate(random.words(*key, 0, count, BLOCKS)):
            if float(random.unit(words[0])) >= self.p.prob:
                continue
            other = (i + 1 + int(random.below(words[1], count - 1))) % count
            cuts = float(random.unit(words[2])) < self.p.cutmix_prob if both else bool(self.p.cutmix_alpha)
            if not cuts:
                draws[i] = Draw(other, float(np.float32(beta(self.p.mixup_alpha, words[4:]))))
                continue
            share = beta(self.p.cutmix_alpha, words[4:])
            rows, columns = rectangle(math.sqrt(1 - share), words[3], height, width)
            area = float((rows.stop - rows.start) * (columns.stop - columns.start) / (height * width))
            draws[i] = Draw(other, 1.0 - area, (rows, columns))
        return draws

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Images and labels have no gradient."""


def _mix(draws: Sequence[Draw], x: Any, labels: Any, y: Any, q: Any) -> None:
    """Do it to y, which is x; image by image, so that those that stay cost nothing."""
    q[...] = 0
    for i, (other, share, cut) in enumerate(draws):
        if cut is not None:
            rows, columns = cut
            y[i, :, rows, columns] = x[other, :, rows, columns]
        elif other != i:
            y[i] *= share
            y[i] += x.dtype.type(1 - share) * x[other]
        q[i, labels[i]] += share
        q[i, labels[other]] += 1 - share


def _mix_at_once(device: Device, draws: Sequence[Draw], x: Any, labels: Any, y: Any, q: Any) -> None:
    """The same numbers on a card, for all images together."""
    xp = device.xp

    def column(values: Sequence[Any], dtype: Any) -> Any:
        return device.from_host(np.array(values, dtype).reshape(-1, 1, 1, 1))

    other = column([draw.other for draw in draws], np.intp)
    share, rest = (column([each(draw.share) for draw in draws], x.dtype) for each in (float, lambda share: 1 - share))
    blends = column([draw.cut is None and draw.other != i for i, draw in enumerate(draws)], np.bool_)
    second = x[other.reshape(-1)]
    xp.copyto(y, x * share + rest * second, where=blends)
    nothing = slice(0, 0)
    rows, columns = ([(draw.cut or (nothing, nothing))[axis] for draw in draws] for axis in (0, 1))
    inside = None
    for parts, places in ((rows, xp.arange(x.shape[2])[:, None]), (columns, xp.arange(x.shape[3]))):
        first, last = (column([getattr(part, end) for part in parts], np.intp) for end in ("start", "stop"))
        is_in = (places >= first) & (places < last)
        inside = is_in if inside is None else inside & is_in
    xp.copyto(y, second, where=inside)
    classes = xp.arange(q.shape[1])
    share, rest = share.reshape(-1, 1), rest.reshape(-1, 1)
    q[...] = (labels[:, None] == classes) * share
    q += (labels[other.reshape(-1)][:, None] == classes) * rest


def rectangle(side: float, word: Any, height: int, width: int) -> tuple[slice, slice]:
    """Rows and columns of a rectangle that has `side` of each side of the image, about a middle that is drawn."""
    found = []
    for size, half in ((height, word >> np.uint64(32)), (width, word & np.uint64(0xFFFFFFFF))):
        middle, length = int(half) * size >> 32, round(side * size)
        begin = middle - length // 2
        found.append(slice(max(0, begin), min(size, begin + length)))
    return found[0], found[1]


def beta(alpha: float, words: Any) -> float:
    """A number from Beta(alpha, alpha) by two words, alpha above 0.

    1/2 + T / (2 sqrt(2 alpha + T**2)), T of Student's distribution with 2 alpha degrees of freedom, drawn as in Bailey,
    "Polar generation of random variates with the t-distribution", 1994 (Devroye, "Random variate generation in one line
    of code", 1996).
    """
    small = (1 - float(random.unit(words[0]))) ** (1 / alpha)  # may be 0, which is near enough
    cosine = math.cos(2 * math.pi * float(random.unit(words[1])))
    across = (1 - small) * cosine**2
    return 0.5 + math.copysign(0.5 * math.sqrt(across / (small + across)), cosine) if across else 0.5
