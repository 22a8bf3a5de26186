"""What every card answers, real or emulated: kernels by name, launched over its arrays, and matrix products."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar

import numpy as np

from netcli.arrays.cuda import source
from netcli.arrays.device import Device

THREADS = 256  # of a block, unless a kernel asks for another number
NULL = np.uint64(0)  # a pointer to nothing
MOST_LIBRARY = 2 << 30  # bytes
LIBRARY = "a library's plans"
WIDE = 2**30  # items from which on their numbers take 64 bits: a loop's last step goes beyond them by a grid


class Kernel:
    """A kernel with its launch: called with its arguments, arrays of the card for pointers (None: to nothing)."""

    def __init__(
        self, launch: Callable[[Sequence[Any]], None], converters: Sequence[Any], names: Sequence[str]
    ) -> None:
        self._launch, self._converters, self._names = launch, converters, names

    def __call__(self, *arguments: Any) -> None:
        if len(arguments) != len(self._converters):
            raise TypeError(f"a kernel of {', '.join(self._names)} got {len(arguments)} arguments")
        self._launch(
            [
                (NULL if argument is None else argument) if convert is None else convert(argument)
                for argument, convert in zip(arguments, self._converters, strict=True)
            ]
        )


class CudaDevice(Device):
    """A device that runs the texts below `kernels/`; for inheriting.

    tf32  whether products of float32 may take their operands rounded to 10 bits of fraction, as the field's
          programs do unless told otherwise
    deterministic  whether the same numbers give the same bits each time, at some cost
    """

    name = "gpu"
    records = True
    rooms: ClassVar[frozenset[str]] = frozenset({"cudnn", "cuda"})
    tf32 = False
    deterministic = False
    number = 0  # CUDA's of the card
    model = "a card"
    versions = ""  # of what computes on it
    processors = 1  # multiprocessors of the card
    most_library = MOST_LIBRARY  # bytes that cuDNN's plans may work in, with what they have outgrown
    own_nbytes = 0  # what libraries and kernels take of its memory, once they are used

    def __init__(self) -> None:
        self._functions: dict[tuple[Any, ...], Callable[..., None]] = {}
        self._work: dict[Any, Any] = {}
        self._outgrown: list[tuple[Any, Any]] = []  # uses and their memory: what is recorded still works in it
        # Work memory is everybody's, and what is recorded is all that is asked for meanwhile.
        self.turn = self._lock = threading.RLock()

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        held = 0
        with contextlib.suppress(RuntimeError):  # it is not held any more, or was not
            while True:
                self._lock.release()
                held += 1
        try:
            yield
        finally:
            for _ in range(held):
                self._lock.acquire()

    @property
    def title(self) -> str:  # type: ignore[override]
        return f"card {self.number}"

    @property
    def memory(self) -> tuple[int, int]:
        """Bytes that are free on the card, and that it has."""
        raise NotImplementedError

    def kernel(
        self, file: str, name: str, dtype: Any, *, items: int = 0, rows: int = 0, threads: int = THREADS, wide: int = 0
    ) -> Kernel:
        """A kernel of a file, compiled at the first call for its types, with as many threads as its work wants.

        items  what a thread does one of at a time; or
        rows   what a block of `threads` does one of at a time
        wide   the largest number of items that it counts, where that is more than `items`
        """
        is_wide = max(items, wide) >= WIDE
        parameters = source.text(file).kernels[name]
        key = (file, name, np.dtype(dtype), is_wide)
        if key not in self._functions:
            self._functions[key] = self.function(file, name, source.options(dtype, is_wide))
        function = self._functions[key]
        # Enough blocks to fill every processor some times over; the loops of the kernel do the rest.
        blocks = max(1, min(rows or -(-items // threads), self.processors * (8192 // threads)))

        def launch(arguments: Sequence[Any]) -> None:
            function(blocks, threads, arguments)

        return Kernel(launch, source.converters(parameters, dtype, is_wide), [each.name for each in parameters])

    def function(self, file: str, name: str, options: tuple[str, ...]) -> Callable[..., None]:
        """The compiled kernel, to be called with blocks, threads and a sequence of arguments."""
        raise NotImplementedError

    def to_host(self, array: Any) -> Any:
        # Not by CuPy's `get`, which leaves another stream current where it brings an array into order.
        values = np.empty(array.shape, array.dtype)
        with self.turn:
            self.read(self._in_order(array), values)
        return values

    def fetch(self, array: Any, values: Any) -> None:
        with self.turn:
            self.read(self._in_order(array), values)

    def _in_order(self, array: Any) -> Any:
        """An array's values C-contiguous, which the card makes them faster than the host."""
        if array.flags.c_contiguous:
            return array
        ordered = self.empty(array.size, array.dtype).reshape(array.shape)
        ordered[...] = array
        return ordered

    def send(self, array: Any, values: Any) -> None:
        with self.turn:
            if array.flags.c_contiguous:
                self.write(array, values)
            else:
                ordered = self.empty(array.size, array.dtype).reshape(array.shape)
                self.write(ordered, values)
                array[...] = ordered
            self.synchronize()

    def read(self, array: Any, values: Any) -> None:
        """Copy a C-contiguous array to NumPy's, such too, of the same shape and type; they are there on return."""
        raise NotImplementedError

    def work(self, use: Any, count: int, dtype: Any) -> Any:
        """Memory that all who name the same use have in turn: `count` items, whatever they hold."""
        memory = self._work.get(use)
        if memory is None or memory.size < count or memory.dtype != dtype:
            if memory is not None:
                self._outgrown.append((use, memory))
            self._work[use] = memory = self.empty(count, dtype)
        return memory[:count]

    def library_work(self, count: int) -> Any:
        """Bytes for cuDNN's plans to work in, in turn."""
        return self.work(LIBRARY, count, np.uint8)

    def library_trial(self, count: int) -> Any:
        """The same for plans that are tried: where they want more than there is, it is given back behind them."""
        has = self._work.get(LIBRARY)
        return self.empty(count, np.uint8) if has is None or has.size < count else has[:count]

    @property
    def library_room(self) -> int:
        """The most bytes that may be asked of `library_work`: those it has, or what is free and left to it."""
        has = int(self._work[LIBRARY].nbytes) if LIBRARY in self._work else 0
        outgrown = sum(int(memory.nbytes) for use, memory in self._outgrown if use == LIBRARY)
        return max(has, min(self.most_library - has - outgrown, self.memory[0]))

    def bfloat16(self, operand: int, matrix: Any) -> Any:
        """A float32 matrix, C-contiguous or the transpose of such, in bfloat16 (as uint16), in work memory.

        operand: 0 or 1, of a product
        """
        if not matrix.flags.c_contiguous:
            return self.bfloat16(operand, matrix.T).T
        rounded = self.work(f"operand {operand}", matrix.size, np.uint16)
        self.kernel("bfloat16", "to_bfloat16", np.float32, items=matrix.size)(matrix, rounded, matrix.size)
        return rounded.reshape(matrix.shape)

    def gemm(self, a: Any, b: Any, c: Any, add: bool = False, bf16: bool = False) -> None:
        """c = a b, or c += a b: (m, k), (k, n) and (m, n), each C-contiguous or the transpose of what is.

        bf16: the operands are rounded, see Note [bfloat16] in arrays/ops.py; sums are of c's type
        """
        raise NotImplementedError

    @property
    def cudnn(self) -> tuple[Any, Any]:
        """cuDNN's frontend and a handle on this card; raises ImportError where it can't be used."""
        raise ImportError("there is none")

    def pointer(self, array: Any) -> int:
        """The address of an array."""
        raise NotImplementedError

    def seconds(self, work: Callable[[], None]) -> float:
        """How long the card takes for some work, which is done."""
        start = self.mark()
        work()
        return self.between(start, self.mark())

    def usable_by_kernels(self, array: Any) -> bool:
        return True
