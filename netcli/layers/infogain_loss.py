"""Softmax loss with a matrix of what each answer is worth.  Same results as Caffe's infogain_loss_layer.cpp."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from netcli.arrays.layout import count_of
from netcli.blob import Blob
from netcli.errors import NetcliError, ShapeError
from netcli.layers.base import layer
from netcli.layers.class_loss import ClassLoss
from netcli.layers.loss import LOG_THRESHOLD
from netcli.snapshots import read_blob


@layer("InfogainLoss", param="infogain_loss_param")
class InfogainLoss(ClassLoss):
    """loss = -sum over items and classes k of H[label, k] * log(max(p[k], 1e-20)) / divisor, p = softmax(x).

    With the unit matrix for H it is SoftmaxWithLoss, but for the bound of p.

    bottom  x, labels  as ClassLoss says, with L classes
            H          L * L numbers, row by row; has no gradient; optional
    top     loss       scalar
            p          shape of x; optional
    param   infogain_loss_param.source               file of H, a BlobProto; needed without a third bottom
            infogain_loss_param.axis                 the classes; default 1
            loss_param.ignore_label, .normalization  as ClassLoss says
    errors  DataError for a label that is no class
    """

    bottoms = (2, 3)
    no_gradient = (1, 2)

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().setup(bottom, top)
        if self.param.loss_param.HasField("normalize"):
            raise NetcliError("takes normalization, not the old normalize", field="loss_param.normalize")
        self.matrix: Any = None  # H as its file has it
        self._moved: Any = None  # the same where the layer computes
        if len(bottom) < 3:
            if not self.p.source:
                raise NetcliError(
                    "needs its matrix, as a third bottom or as infogain_loss_param source", field="infogain_loss_param"
                )
            self.matrix = read_blob(self.find(self.p.source)).astype(self.dtype)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        super().reshape(bottom, top)
        matrix = bottom[2].shape if self.matrix is None else self.matrix.shape
        if count_of(matrix) != self.classes**2:
            raise ShapeError(
                f"the matrix {matrix} does not have {self.classes} x {self.classes} numbers, as the classes of bottom "
                f"{self.named(0, bottom[0].shape)} need",
                field="bottom" if self.matrix is None else "infogain_loss_param.source",
            )
        self.work.reshape(bottom[0].shape)

    def _rows(self, bottom: Sequence[Blob]) -> Any:
        """H as (L, L)."""
        if self.matrix is not None and self._moved is None:
            self._moved = self.context.device.from_host(self.matrix)
        matrix = bottom[2].data if self.matrix is None else self._moved
        return matrix.reshape(self.classes, self.classes)

    def _worth(self, rows: Any) -> Any:
        """H[label, k] for each item and class, in the shape of x."""
        return self.xp.moveaxis(rows[self.index.squeeze(self.class_axis)], -1, self.class_axis)

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        self.score(bottom, top)
        xp, losses = self.xp, self.work.data
        xp.maximum(self.prob.data, LOG_THRESHOLD, out=losses)
        xp.log(losses, out=losses)
        losses *= self._worth(self._rows(bottom))
        if self.ignored is not None:
            xp.copyto(losses, 0, where=self.ignored)
        top[0].data[...] = -losses.sum() / self.divisor

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        if not propagate_down[0]:
            return
        dx, rows = bottom[0].diff, self._rows(bottom)
        # dx[k] = p[k] * (sum of H[label]) - H[label, k]
        self.xp.multiply(self.prob.data, rows.sum(axis=1)[self.index], out=dx)
        dx -= self._worth(rows)
        dx *= (top[0].diff / self.divisor).astype(self.dtype)
        if self.ignored is not None:
            self.xp.copyto(dx, 0, where=self.ignored)
