"""Descriptors: of memory (shape and layout) and of primitives (what to compute, and by which implementation)."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

import numpy as np

from netcli.arrays.layout import Shape, count_of
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.library import OneDNNError, library
from netcli.arrays.onednn.signatures import Dims
from netcli.arrays.unsupported import Unsupported


class Desc:
    """A memory's shape, layout and type of numbers, as oneDNN has it.

    shape, strides (items) are known where we made it; a layout of oneDNN's choice has neither.
    Functions that make one take `dtype`: dnnl.F32 for what lies in arrays, dnnl.BF16 for what is made of it.
    """

    __slots__ = ("__weakref__", "address", "shape", "size", "strides")

    def __init__(self, address: int, shape: Shape = (), strides: Shape = ()) -> None:
        self.address = library().own(self, "memory_desc", address)
        self.shape, self.strides = shape, strides
        self.size = int(library().call.dnnl_memory_desc_get_size(address))  # bytes, with the layout's padding

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Desc) and bool(library().call.dnnl_memory_desc_equal(self.address, other.address))

    __hash__ = None  # type: ignore[assignment]


def strided(shape: Shape, strides: Shape, dtype: int = dnnl.F32) -> Desc:
    """An ordinary array, strides in items."""
    address = library().new("memory_desc_create_with_strides", len(shape), Dims(*shape), dtype, Dims(*strides))
    return Desc(address, shape, strides)


def free(shape: Shape, dtype: int = dnnl.F32) -> Desc:
    """A layout that the primitive may choose."""
    return Desc(library().new("memory_desc_create_with_tag", len(shape), Dims(*shape), dtype, dnnl.FORMAT_ANY), shape)


def in_order(shape: Shape, axes: Sequence[int], dtype: int = dnnl.F32) -> Desc:
    """An array without gaps whose axes lie in memory in this order, the slowest first."""
    strides, step = [0] * len(shape), 1
    for axis in reversed(axes):
        strides[axis] = step
        step *= shape[axis]
    return strided(shape, tuple(strides), dtype)


def plain(shape: Shape, dtype: int = dnnl.F32) -> Desc:
    """C-contiguous."""
    return in_order(shape, range(len(shape)), dtype)


def channels_last(shape: Shape, dtype: int = dnnl.F32) -> Desc:
    """The channels (axis 1) fastest."""
    return in_order(shape, (0, *range(2, len(shape)), 1), dtype)


def activation(shape: Shape, dtype: int = dnnl.F32) -> Desc:
    """As blobs hold activations: Note [Channels last]."""
    return channels_last(shape, dtype) if len(shape) == 4 else plain(shape, dtype)


# oneDNN's ReLU with slope 0 makes 0 of what is not a number, and hides a net that has gone astray; with another slope
# it keeps it.  Results below 0 by so little are as good as 0, and infinities stay what they are.
LEAST_SLOPE = 1e-20


class Attributes:
    """Attributes of a primitive: scratch memory comes from us; what is done to each result, in this order.

    affine: multiply it by one array of this layout and add another.
    add: sum it into what the output holds.
    plus: add arrays of these layouts.
    times: multiply it by an array of this layout, the argument ARG_TIMES, where nothing else is done before.
    relu: multiply it by this slope, at least LEAST_SLOPE, where it is below 0.
    prelu: multiply it by the channel's slope where it is below 0.

    arguments: numbers of the arrays that this takes, in this order.
    """

    def __init__(
        self,
        add: bool = False,
        times: Desc | None = None,
        relu: float | None = None,
        affine: Desc | None = None,
        plus: Sequence[Desc] = (),
        prelu: bool = False,
    ) -> None:
        lib = library()
        found: list[int | None] = []  # the argument of each thing that is done
        self.address = lib.own(self, "primitive_attr", lib.new("primitive_attr_create"))
        lib.call.dnnl_primitive_attr_set_scratchpad_mode(self.address, dnnl.SCRATCHPAD_USER)
        post_ops = lib.new("post_ops_create")
        if affine is not None:
            lib.call.dnnl_post_ops_append_binary(post_ops, dnnl.BINARY_MUL, affine.address)
            lib.call.dnnl_post_ops_append_binary(post_ops, dnnl.BINARY_ADD, affine.address)
            found += [dnnl.ARG_SRC_1] * 2
        if add:
            lib.call.dnnl_post_ops_append_sum(post_ops, 1.0, 0, dnnl.UNDEFINED)
            found.append(None)
        for each in plus:
            lib.call.dnnl_post_ops_append_binary(post_ops, dnnl.BINARY_ADD, each.address)
            found.append(dnnl.ARG_SRC_1)
        if times is not None:
            lib.call.dnnl_post_ops_append_binary(post_ops, dnnl.BINARY_MUL, times.address)
            found.append(dnnl.ARG_SRC_1)
        if relu is not None:
            lib.call.dnnl_post_ops_append_eltwise(post_ops, dnnl.ELTWISE_RELU, relu or LEAST_SLOPE, 0.0)
            found.append(None)
        if prelu:
            lib.call.dnnl_post_ops_append_prelu(post_ops, dnnl.OF_CHANNELS)
            found.append(dnnl.ARG_WEIGHTS)
        self.arguments = [dnnl.ARG_AFTER * (i + 1) | what for i, what in enumerate(found) if what is not None]
        lib.call.dnnl_primitive_attr_set_post_ops(self.address, post_ops)
        lib.call.dnnl_post_ops_destroy(post_ops)


class Operation:
    """A primitive's descriptor, and the primitive once it is wanted.

    kind: of the primitive, such as "convolution_forward".
    args: after the engine and before the attributes, in the order of the C function; a Desc or another
        Operation (the hint of a backward one) stands for its address, a tuple for dims, a list of Descs for theirs.
    attributes: what is done to its results; None: nothing.
    after: numbers of the arrays that these take.
    Raises Unsupported where oneDNN has no implementation.
    """

    def __init__(self, kind: str, *args: Any, attributes: Attributes | None = None) -> None:
        lib = library()
        attributes = attributes or Attributes()
        self.after = attributes.arguments
        # reorder alone names an engine for each side
        head = () if kind == "reorder" else (lib.engine,)
        try:
            address = lib.new(f"{kind}_primitive_desc_create", *head, *map(_argument, args), attributes.address)
        except OneDNNError as fault:
            raise Unsupported(str(fault)) from None
        self.address = lib.own(self, "primitive_desc", address)
        self.kind = kind
        self._primitive = 0

    @property
    def implementation(self) -> str:
        """Such as "jit:avx512_core", "brgconv:avx512_core", "gemm:jit" or "ref:any"."""
        name = ctypes.c_char_p()
        library().call.dnnl_primitive_desc_query(self.address, dnnl.QUERY_IMPLEMENTATION, 0, ctypes.byref(name))
        return (name.value or b"").decode()

    def implementations(self) -> Iterator[Operation]:
        """The same in each implementation that oneDNN has, in its order; this one ends as the last of them."""
        lib = library()
        while True:
            each = object.__new__(Operation)
            each.address = lib.own(each, "primitive_desc", lib.new("primitive_desc_clone", self.address))
            each.kind, each.after, each._primitive = self.kind, self.after, 0
            yield each
            if lib.call.dnnl_primitive_desc_next_impl(self.address):
                return

    def desc(self, argument: int) -> Desc | None:
        """The layout it wants for an argument of its execution; None where it takes no such argument."""
        lib = library()
        found = lib.call.dnnl_primitive_desc_query_md(self.address, dnnl.QUERY_ARGUMENT, argument)
        if not found:
            return None
        desc = Desc(lib.new("memory_desc_clone", found))
        return desc if desc.size else None

    @property
    def primitive(self) -> int:
        """The address of the primitive; its code is generated at the first look."""
        if not self._primitive:
            lib = library()
            self._primitive = lib.own(self, "primitive", lib.new("primitive_create", self.address))
        return self._primitive


def _argument(value: Any) -> Any:
    if isinstance(value, (Desc, Operation)):
        return value.address
    if isinstance(value, tuple):
        return Dims(*value)
    if isinstance(value, list):
        return (ctypes.c_void_p * len(value))(*[desc.address for desc in value])
    return value


def accept(dtype: Any, *shapes: Shape) -> None:
    """Raise Unsupported unless oneDNN is there, and has arrays of this type and these shapes."""
    library()
    if np.dtype(dtype) != np.float32:
        raise Unsupported(f"oneDNN's bodies are for float32, not {np.dtype(dtype)}")
    for shape in shapes:
        if count_of(shape) == 0 or not 0 < len(shape) <= dnnl.MAX_NDIMS:
            raise Unsupported(f"oneDNN has no arrays of shape {shape}")


def operands(bf16: bool) -> int:
    """The type of what is multiplied; sums are in float32 either way, and so are results.

    Raises Unsupported where bfloat16 is asked for and the processor has no instructions for it: oneDNN would take
    three times as long as for float32.
    """
    if bf16 and not any(name in library().isa for name in ("BF16", "FP16", "AMX")):
        raise Unsupported(f"bfloat16 needs AVX512_BF16 or AMX, the processor has {library().isa}")
    return dnnl.BF16 if bf16 else dnnl.F32


def fast(operation: Operation) -> Operation:
    """The operation, if it is more than one of oneDNN's plain loops; else Unsupported."""
    implementation = operation.implementation
    if implementation.startswith("ref"):
        raise Unsupported(f"oneDNN has only a slow loop for it ({operation.kind}, {implementation})")
    return operation


class Layout(Protocol):
    """Where an activation lies: `activation`, `free`, `plain` and the like."""

    def __call__(self, shape: Shape, dtype: int = ...) -> Desc: ...


def fastest(make: Callable[[Layout], Operation], layouts: Iterable[Layout]) -> Operation:
    """The operation in the first of these layouts that has a fast implementation; Unsupported where none has."""
    reason: Unsupported | None = None
    for layout in layouts:
        try:
            return fast(make(layout))
        except Unsupported as found:  # noqa: PERF203
            reason = reason or found
    assert reason is not None
    raise reason
