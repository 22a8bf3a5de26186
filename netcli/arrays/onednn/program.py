"""Program: primitives to be executed in turn, on arrays that are given at each call.

Note [Binding]: oneDNN executes on memory objects, which hold a pointer.  A program makes them once and
gives them the pointers of the arrays it is called with.  Called with the same array objects again, as a
net does until it is reshaped, it only executes.  An array in another order than planned gets memory in
the planned order beside it, and is copied before or behind the primitives.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from functools import cached_property, partial
from operator import is_not
from threading import get_ident
from typing import Any

import numpy as np

from netcli.arrays.device import CPU
from netcli.arrays.layout import Shape, count_of
from netcli.arrays.onednn import constants as dnnl
from netcli.arrays.onednn.descriptors import Attributes, Desc, Operation, strided
from netcli.arrays.onednn.library import OneDNNError, library
from netcli.arrays.onednn.memory import Kept, Scratch, address_of, aligned, scratch
from netcli.arrays.onednn.signatures import ExecArg
from netcli.arrays.unsupported import Unsupported
from netcli.arrays.work_space import Calls, WorkSpace

ITEMSIZE = 4  # bytes of a float32

NOWHERE = Scratch()  # before a program has looked at any scratch memory


class Place:
    """Where memory objects point to: an array of the call, memory kept, or a piece of the scratch memory.

    It owns them, so that all can be pointed elsewhere as long as there is a program with this place.
    """

    def __init__(self) -> None:
        self._memories: list[tuple[int, int]] = []  # their addresses, and how far behind the place each begins

    def memory(self, desc: Desc, offset: int) -> int:
        """The address of a new memory object of this layout, `offset` bytes behind."""
        lib = library()
        address = lib.own(self, "memory", lib.new("memory_create", desc.address, lib.engine, None))
        self._memories.append((address, offset))
        return address

    def point(self, address: int) -> None:
        for memory, offset in self._memories:
            library().call.dnnl_memory_set_data_handle(memory, address + offset)


class Port(Place):
    """An array of the call: the layout it should have, and whether it is read, written or both."""

    def __init__(self, shape: Shape, strides: Shape, is_read: bool, is_written: bool) -> None:
        super().__init__()
        self.shape = shape
        self.strides = tuple(ITEMSIZE * stride for stride in strides)
        self.is_read, self.is_written = is_read, is_written

    def check(self, array: Any) -> None:
        if array.shape != self.shape or array.dtype != np.float32:
            raise ValueError(f"planned for float32 {self.shape}, got {array.dtype} {array.shape}")
        if self.is_written and not array.flags.writeable:
            raise ValueError(f"the output {self.shape} is read-only")

    def fits(self, array: Any) -> bool:
        """Whether oneDNN may work on the array as it is; strides along axes of one item say nothing."""
        steps = zip(self.shape, array.strides, self.strides, strict=True)
        return array.flags.aligned and all(found == wanted for size, found, wanted in steps if size > 1)

    def stand_in(self) -> Any:
        """Memory in the planned order, for an array that does not fit."""
        return np.ndarray(self.shape, np.float32, CPU.empty(count_of(self.shape), np.float32), 0, self.strides)


class Memory:
    """A oneDNN memory object: a layout at a place."""

    def __init__(self, desc: Desc, place: Place, offset: int = 0) -> None:
        self.desc, self.place = desc, place
        self.address = place.memory(desc, offset)


class Program:
    """Built by declaring ports, in the order of the arrays of a call, and executions; then run."""

    def __init__(self) -> None:
        self._ports: list[Port] = []
        self._kept: list[tuple[Kept, Place]] = []
        self._slots: list[tuple[int, Place]] = []  # offsets in the scratch memory
        self._nbytes = 0  # of scratch memory that one execution leaves to another
        self._pads: list[Place] = []  # scratch memory that an execution uses within itself; all share the same
        self._pad_nbytes = 0
        self._calls: list[Any] = []  # arguments of primitive_execute
        self._alive: list[Any] = []  # what these point to
        self._execute = library().execute
        # Note [Binding]
        self._arrays: tuple[Any, ...] = ()
        self._wants_scratch = False
        self._scratch = NOWHERE
        self._scratch_version = 0
        self._thread = 0  # whose scratch memory it is
        self._before: list[Callable[[], None]] = []
        self._behind: list[Callable[[], None]] = []

    # -- building

    def port(self, desc: Desc, *, is_read: bool = True, is_written: bool = False) -> Memory:
        """The next array of the call, read unless told otherwise; `desc` has shape and strides."""
        port = Port(desc.shape, desc.strides, is_read, is_written)
        self._ports.append(port)
        return Memory(desc, port)

    def output(self, desc: Desc, *, add: bool = False) -> Memory:
        """The next array of the call, written, or summed into."""
        return self.port(desc, is_read=add, is_written=True)

    def kept(self, kept: Kept, desc: Desc) -> Memory:
        """Memory of the plan's, for more than one call."""
        place = Place()
        self._kept.append((kept, place))
        return Memory(desc, place)

    def temporary(self, desc: Desc) -> Memory:
        """Scratch memory to the end of the call."""
        place = Place()
        self._slots.append((self._nbytes, place))
        self._nbytes += aligned(desc.size)
        return Memory(desc, place)

    @staticmethod
    def seen_as(memory: Memory, desc: Desc) -> Memory:
        """The same memory under another shape."""
        return Memory(desc, memory.place)

    @staticmethod
    def part(memory: Memory, axis: int, start: int, size: int) -> Memory:
        """Of an ordinary array, `size` places along the axis."""
        shape, strides = list(memory.desc.shape), memory.desc.strides
        shape[axis] = size
        return Memory(strided(tuple(shape), strides), memory.place, start * strides[axis] * ITEMSIZE)

    def reordered(self, memory: Memory, desc: Desc | None) -> Memory:
        """The memory itself if it has this layout, else a copy in it, made at each call."""
        if desc is None or memory.desc == desc:
            return memory
        copy = self.temporary(desc)
        self.reorder(memory, copy)
        return copy

    def reorder(self, source: Memory, target: Memory, *, add: bool = False) -> None:
        """Copy, or add, from one layout to another."""
        engine = library().engine
        operation = Operation("reorder", source.desc, engine, target.desc, engine, attributes=Attributes(add=add))
        self.execute(operation, {dnnl.ARG_SRC: source}, {dnnl.ARG_DST: target})

    def execute(
        self,
        operation: Operation,
        inputs: Mapping[int, Memory],
        outputs: Mapping[int, Memory],
        *,
        add: bool = False,
    ) -> None:
        """Execute, with arguments reordered where the operation wants other layouts; add: sum into the outputs."""
        arguments = {number: self.reordered(memory, operation.desc(number)) for number, memory in inputs.items()}
        results: list[tuple[Memory, Memory]] = []
        for number, memory in outputs.items():
            wanted = operation.desc(number)
            if wanted is not None and (add or memory.desc != wanted):
                arguments[number] = self.temporary(wanted)
                results.append((arguments[number], memory))
            else:
                arguments[number] = memory
        pad = operation.desc(dnnl.ARG_SCRATCHPAD)
        if pad is not None:
            place = Place()
            self._pads.append(place)
            self._pad_nbytes = max(self._pad_nbytes, aligned(pad.size))
            arguments[dnnl.ARG_SCRATCHPAD] = Memory(pad, place)
        table = (ExecArg * len(arguments))(*[ExecArg(number, m.address) for number, m in arguments.items()])
        pointers = (operation.primitive, library().stream, ctypes.addressof(table))
        primitive, stream, arguments_at = map(ctypes.c_void_p, pointers)
        self._calls.append((primitive, stream, ctypes.c_int(len(table)), arguments_at))
        self._wants_scratch = bool(self._slots or self._pads)
        self._alive.append((operation, table))
        for source, target in results:
            self.reorder(source, target, add=add)

    def work_space(self) -> WorkSpace:
        """What it will take; a stand-in for an array in another order comes on top."""
        return WorkSpace(sum(kept.nbytes for kept, _ in self._kept), self._nbytes + self._pad_nbytes)

    # -- running

    def run(self, *arrays: Any) -> None:
        """Execute on these arrays, one for each port."""
        if any(map(is_not, arrays, self._arrays)) or not self._arrays:
            self._bind(arrays)
        for copy in self._before:
            copy()
        # After the copies, which are programs too and may have made the scratch memory grow.
        if self._wants_scratch and (self._thread != get_ident() or self._scratch.version != self._scratch_version):
            self._place_scratch()
        for primitive, stream, count, arguments in self._calls:
            status = self._execute(primitive, stream, count, arguments)
            if status:
                raise OneDNNError("primitive_execute", status)
        for copy in self._behind:
            copy()

    def _place_scratch(self) -> None:
        """Look at the scratch memory of the thread that we are called in."""
        self._scratch, self._thread = scratch(), get_ident()
        self._scratch.reserve(self._nbytes + self._pad_nbytes)
        self._scratch_version = self._scratch.version
        for offset, place in self._slots:
            place.point(self._scratch.address + offset)
        for place in self._pads:
            place.point(self._scratch.address + self._nbytes)

    def _bind(self, arrays: tuple[Any, ...]) -> None:
        """Look at these arrays."""
        self._arrays, self._before, self._behind = (), [], []
        for port, array in zip(self._ports, arrays, strict=True):
            port.check(array)
            if port.fits(array):
                port.point(address_of(array))
                continue
            stand_in = port.stand_in()
            port.point(address_of(stand_in))
            if port.is_read:
                self._before.append(copier(array, stand_in))
            if port.is_written:
                self._behind.append(copier(stand_in, array))
        for kept, place in self._kept:
            place.point(kept.address)
        self._arrays = arrays


class TwoPrograms:
    """A plan that has one program for each direction; for inheriting."""

    _forward_program: Program

    @cached_property
    def _backward_program(self) -> Program:
        raise NotImplementedError(f"{type(self).__name__} has no backward")

    def work_space(self, calls: Calls) -> WorkSpace:
        forward = self._forward_program.work_space()
        if not calls.backward:
            return forward
        # What is kept is the same memory in both.
        return WorkSpace(forward.kept, max(forward.passing, self._backward_program.work_space().passing))


def copier(source: Any, target: Any) -> Callable[[], None]:
    """What copies one array to another of the same shape, in whatever orders they lie."""
    arrays = (source, target)
    by_numpy = partial(np.copyto, target, source)
    if not all(array.flags.aligned for array in arrays):
        return by_numpy
    program = Program()
    try:
        # Strides that oneDNN does not take, such as 0 and negative ones, are declined here.
        layouts = [strided(array.shape, tuple(stride // ITEMSIZE for stride in array.strides)) for array in arrays]
        program.reorder(program.port(layouts[0]), program.output(layouts[1]))
    except (OneDNNError, Unsupported):
        return by_numpy
    return partial(program.run, source, target)
