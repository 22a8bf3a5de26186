"""Layer: what every layer answers, and the context it works in.

The four verbs are pycaffe's: `setup` once, `reshape` whenever a bottom may have changed its shape,
`forward` and `backward` as often as wanted.  A layer is one room: its file holds source, docstring with
shapes, parameters and code; entering it in the table with `@layer` is all that makes it known.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from netcli import fillers
from netcli.arrays import random
from netcli.arrays.device import Device
from netcli.arrays.layout import Shape
from netcli.arrays.ops import Ops
from netcli.arrays.varying import Varying
from netcli.arrays.work_space import Calls
from netcli.blob import Blob, Buffer
from netcli.errors import ShapeError
from netcli.layers.absorbing import Absorbed, Chance
from netcli.layers.doubts import Doubts
from netcli.prototxt.files import find_beside
from netcli.prototxt.fork_fields import refuse_fork_fields

TRAIN, TEST = 0, 1  # Phase in caffe.proto

Arity = int | tuple[int, int | None]  # exactly, or at least and at most (None: any number)

LAYERS: dict[str, type[Layer]] = {}


@dataclass
class Context:
    """What a net tells its layers.

    device  where the blobs are: that of `ops`
    passes  forward passes of the net finished so far: the major key of every draw in a forward
    work    the layers' work space, which they use in turn
    doubts  what the layers found wrong on a card, see Note [Doubts]
    """

    phase: int = TEST
    dtype: Any = np.float32
    seed: int = 0
    ops: Ops = field(default_factory=Ops)
    allow_python: bool = False
    folder: str | None = None  # of the net's file: where paths in it are looked for next; None: it has no file
    gradients: bool = True  # whether backward may be called: else forward keeps nothing for it
    constant: bool = False  # whether parameters stay between calls of `Layer.parameters_changed`; a reshape follows
    # where this changes

    def __post_init__(self) -> None:
        self.device: Device = self.ops.device
        self.passes = Varying(0, np.uint64, self.device)
        self.work = Buffer(self.dtype, self.device)
        self.doubts = Doubts()


def layer(type_name: str, param: str | None = None) -> Callable[[type[Layer]], type[Layer]]:
    """Enter a class in the table under its prototxt `type`; `param` is its parameter field in LayerParameter."""

    def enter(cls: type[Layer]) -> type[Layer]:
        if type_name in LAYERS:
            raise ValueError(f"layer type {type_name!r} is already {LAYERS[type_name].__module__}")
        cls.type, cls.param_field = type_name, param
        LAYERS[type_name] = cls
        return cls

    return enter


class Layer:
    """Base of every layer; for inheriting, not for use.

    A subclass gives `top_shapes` (or `reshape`), `forward`, `backward` where it has a gradient, and `setup`
    where it has parameters to check or blobs to make.  Faults of the user's are raised as ShapeError or
    NetcliError with the numbers and, where there is one, the field; the net adds layer, file and line.
    No array is touched before `forward`: `setup` and `reshape` deal in shapes alone.
    A layer looks at the data of its own bottoms and tops alone, and in backward at their diffs too, and at their data
    where it says so (`backward_reads`); all other
    blobs' memory may be in use for something else by then (Note [Lives] in net/memory.py).
    """

    type: ClassVar[str]
    param_field: ClassVar[str | None]
    bottoms: ClassVar[Arity] = 1
    tops: ClassVar[Arity] = 1
    same_count: ClassVar[bool] = False  # as many tops as bottoms
    is_loss: ClassVar[bool] = False  # the first top weighs 1 in the loss unless loss_weight says otherwise; and a
    # loss layer with too few tops named gets one of its own, as Caffe's AutoTopBlobs
    in_place: ClassVar[bool] = False  # a top may be the bottom itself
    reads_bottom: ClassVar[bool] = False  # an in-place layer whose backward needs what the bottom was
    reads_top: ClassVar[bool] = True  # whether its backward may look at the data of its tops
    only_diffs: ClassVar[bool] = False  # its backward looks at no data at all
    no_gradient: ClassVar[tuple[int, ...] | None] = ()  # bottoms that have none (labels), -1 being the last; None:
    # no bottom has one
    is_source: ClassVar[bool] = False  # brings data in; has a `position` to be resumed from
    replays: ClassVar[bool] = True  # whether each pass asks the same of a card, and nothing of the host
    statistics: ClassVar[bool] = False  # its blobs are not learned: lr_mult is 0
    fork_fields: ClassVar[tuple[str, ...]] = ()  # fields of public forks that it reads, or that change no result;
    # all others are refused where they are given
    own_diffs: ClassVar[tuple[str, ...]] = ()  # attributes: blobs of its own whose diffs backward uses too
    learning: Sequence[bool] = ()  # which parameters want a gradient; set by the net
    passed_on: Sequence[bool] = ()  # which bottoms' diffs are the top's own memory, see `passes_on`; set by the net

    def __init__(self, param: Any, context: Context) -> None:
        """param: LayerParameter."""
        self.param = param
        self.context = context
        self.name: str = param.name
        self.phase: int = param.phase if param.HasField("phase") else context.phase  # a layer may name its own
        self.p: Any = getattr(param, self.param_field) if self.param_field else None
        if self.param_field:
            refuse_fork_fields(self.p, self.param_field, self.fork_fields)
        self.blobs: list[Blob] = []
        # To be shaped in `reshape` by a layer that uses it.  What it holds is lost when forward or backward returns,
        # since the other layers' work lies in the same memory.
        self.work = Blob((), context.dtype, device=context.device)
        self.work.data_buffer = context.work
        self._fillers: list[Any] = []
        self.top_has_gradient: list[bool] = []  # which tops' diffs hold a gradient at backward; set by the net

    # -- what the net calls

    def setup(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Check parameters against the bottoms and make the blobs, with `add_blob`.  Called once."""

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Give the tops their shapes and make the plans for them."""
        for blob, shape in zip(top, self.top_shapes([b.shape for b in bottom]), strict=True):
            blob.reshape(shape)

    def top_shapes(self, bottom_shapes: list[Shape]) -> list[Shape]:
        """The shapes of the tops; a pure function of the bottoms' and of the parameters."""
        raise NotImplementedError(f"{type(self).__name__} gives neither top_shapes nor reshape")

    def absorb(self, following: Layer, chance: Chance) -> Absorbed:
        """Do the next layer's work too from the next `reshape` on, where both together are less; see `Absorbed`.

        Its top is then this one's, its parameters' gradients are given to its own blobs.
        """
        return Absorbed.NOTHING

    def folds(self) -> bool:
        """Whether its forward is, for each channel (axis 1) of its only bottom, a factor and a summand: see `fold`."""
        return False

    def fold(self, factor: Any, summand: Any) -> None:
        """Make of x * factor + summand, each (C,), the same after this layer; x is the bottom of others before it."""
        raise NotImplementedError(f"{type(self).__name__} does not fold")

    def adds_two(self) -> bool:
        """Whether its forward is the sum of two bottoms."""
        return False

    def backward_reads(self) -> tuple[bool, bool]:
        """Whether its backward may look at the data of its bottoms, and of its tops; what is not is gone by then."""
        return not self.only_diffs, self.reads_top and not self.only_diffs

    def passes_on(self, index: int) -> bool:
        """Whether the diff of bottom `index` is that of the only top as it is; then one memory may serve both."""
        return False

    def release(self) -> None:
        """Do its own work alone from the next `reshape` on."""

    def forward(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        """Compute the tops' data."""
        raise NotImplementedError(f"{type(self).__name__} has no forward")

    def backward(self, top: Sequence[Blob], propagate_down: Sequence[bool], bottom: Sequence[Blob]) -> None:
        """Overwrite the diff of each bottom i where propagate_down[i], and add the parameters' gradients.

        The gradient of parameter i goes to `self.blobs[i].gradient()`, where `self.learns(i)`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def multiply_adds(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> int:
        """Multiply-adds of a forward pass in products with parameters, for `netcli summary`; 0: it has none."""
        return 0

    def plan_calls(self, calls: Calls) -> Calls:
        """Which methods of its plan it calls where the net makes these `calls` of its own, for `netcli summary`."""
        return calls

    def parameters_changed(self) -> None:
        """Forget what was made of the parameters; in a net whose parameters stay, called whenever they have changed."""

    def fill(self) -> None:
        """Give the blobs their first values; called once all shapes are known to fit, unless they are shared."""
        for index, (blob, filler) in enumerate(zip(self.blobs, self._fillers, strict=True)):
            fillers.fill_blob(filler, blob, random.stream(self.context.seed, f"fill {self.name}", index))

    # -- for sources

    def position(self) -> int:
        """Records given to forward passes so far (sources only)."""
        raise NotImplementedError(f"{type(self).__name__} is not a source")

    def seek(self, position: int) -> None:
        """Go on as if `position` records had been given so far (sources only)."""
        raise NotImplementedError(f"{type(self).__name__} is not a source")

    def watch_reading(self, told: Callable[[float, float], None] | None) -> None:
        """Call `told`, in the thread that reads, for each batch read ahead, with the seconds (time.perf_counter) from
        and to which that took; None: no more (sources that read ahead only)."""

    def carried(self) -> Sequence[Blob]:
        """Blobs of the layer's own whose data one forward pass leaves to the next; a snapshot holds them."""
        return ()

    def close(self) -> None:
        """Give back threads, files and databases."""

    # -- for subclasses

    @property
    def xp(self) -> Any:
        return self.context.device.xp

    @property
    def ops(self) -> Ops:
        return self.context.ops

    @property
    def dtype(self) -> Any:
        return self.context.dtype

    @property
    def train(self) -> bool:
        return self.phase == TRAIN

    def add_blob(self, shape: Shape, filler: Any = None, field: str | None = None) -> Blob:
        """A parameter of this shape, filled later by `filler` (FillerParameter; None: zeros), which is at `field`."""
        fillers.check(filler, shape, field)
        blob = Blob(shape, self.dtype, parameter=True, device=self.context.device)
        self.blobs.append(blob)
        self._fillers.append(filler)
        return blob

    def learns(self, index: int) -> bool:
        """Whether parameter `index` wants a gradient: not where lr_mult is 0."""
        return index >= len(self.learning) or self.learning[index]

    def gradients(self) -> tuple[list[Any], bool]:
        """The parameters' diffs, None for one that is not learned, and whether all are summed into.

        Where only some hold a gradient already (a shared weight beside a bias of one's own), the rest are zeroed.
        """
        found = [blob.gradient() if self.learns(i) else None for i, blob in enumerate(self.blobs)]
        add = any(adds for _, adds in filter(None, found))
        for diff, adds in filter(None, found):
            if add and not adds:
                diff.fill(0)
        return [None if each is None else each[0] for each in found], add

    def find(self, path: str) -> str:
        """A path of the prototxt: as given if it is there, else beside the net's file, else as given."""
        return find_beside(path, self.context.folder or "")

    def named(self, index: int, shape: Shape) -> str:
        """`'pool4' (64, 256, 4, 4)`: a bottom in messages."""
        names = self.param.bottom
        return f"'{names[index] if index < len(names) else index}' {shape}"

    def axis(self, value: int, ndim: int, field: str | None = None) -> int:
        """A possibly negative axis as 0 .. ndim-1."""
        if not -ndim <= value < ndim:
            raise ShapeError(f"axis {value} is not in a bottom of {ndim} axes", field=field)
        return value % ndim


def check_arity(cls: type[Layer], bottoms: int, tops: int) -> None:
    """Raise where a layer of this type cannot have so many bottoms or tops."""
    for what, wanted, got in (("bottom", cls.bottoms, bottoms), ("top", cls.tops, tops)):
        low, high = (wanted, wanted) if isinstance(wanted, int) else wanted
        if got < low or (high is not None and got > high):
            number = str(low) if low == high else f"{low} or more" if high is None else f"{low} to {high}"
            raise ShapeError(f"takes {number} {what}{'' if number == '1' else 's'}, got {got}", field=what)
    if cls.same_count and bottoms != tops:
        raise ShapeError(f"takes as many tops as bottoms, got {bottoms} bottoms and {tops} tops", field="top")
