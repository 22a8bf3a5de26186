"""Matrix products by cuBLASLt, called by `ctypes`.

Stream and work memory go with each call, so that a call is the same whether it is executed or recorded.  (CuPy's own
cuBLAS sets its stream anew in each call, which it refuses while that is captured and which takes the work memory away.)
Numbers and signatures are those of cublasLt.h, the same in CUDA 12 and 13; results come by columns, so that the
products of rows that are asked for here are seen there as c' = b' a'.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, NamedTuple

NOT_SUPPORTED = 15  # cublasStatus_t
# cudaDataType
REAL_32F, REAL_64F, REAL_16BF = 0, 1, 14
# cublasComputeType_t
COMPUTE_32F, COMPUTE_64F, COMPUTE_32F_FAST_TF32 = 68, 70, 77
# cublasLtMatmulDescAttributes_t, of 4 bytes each
TRANSA, TRANSB = 3, 4
# cublasLtMatmulPreferenceAttributes_t: the first of 8 bytes, the others of 4
MAX_WORKSPACE_BYTES, REDUCTION_SCHEME_MASK = 1, 3
MIN_ALIGNMENT_BYTES = (5, 6, 7, 8)  # of A, B, C, D
# cublasLtReductionScheme_t, of parts of a sum that are added up in a step of their own, in a fixed order.  (In place,
# parts are added to the result by turns, and nothing says in which order.)
IN_COMPUTE_TYPE, IN_OUTPUT_TYPE = 2, 4

LARGEST_ALIGNMENT = 256  # bytes that cuBLASLt makes a difference for

_pointer, _size, _int = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int
SIGNATURES: dict[str, list[Any]] = {
    "cublasLtCreate": [_pointer],
    "cublasLtMatmulDescCreate": [_pointer, _int, _int],
    "cublasLtMatmulDescSetAttribute": [_pointer, _int, _pointer, _size],
    "cublasLtMatrixLayoutCreate": [_pointer, _int, ctypes.c_uint64, ctypes.c_uint64, ctypes.c_int64],
    "cublasLtMatmulPreferenceCreate": [_pointer],
    "cublasLtMatmulPreferenceSetAttribute": [_pointer, _int, _pointer, _size],
    "cublasLtMatmulPreferenceDestroy": [_pointer],
    "cublasLtMatmulAlgoGetHeuristic": [*[_pointer] * 7, _int, _pointer, _pointer],
    "cublasLtMatmul": [*[_pointer] * 14, _size, _pointer],
}


class Kind(NamedTuple):
    """The types of a product: of its operands, of its result, and of its sums."""

    given: int
    real: int
    compute: int


FLOAT32 = Kind(REAL_32F, REAL_32F, COMPUTE_32F)
TF32 = Kind(REAL_32F, REAL_32F, COMPUTE_32F_FAST_TF32)
FLOAT64 = Kind(REAL_64F, REAL_64F, COMPUTE_64F)
BFLOAT16 = Kind(REAL_16BF, REAL_32F, COMPUTE_32F)

_ONE = {REAL_32F: ctypes.c_float(1), REAL_64F: ctypes.c_double(1)}
_ZERO = {REAL_32F: ctypes.c_float(0), REAL_64F: ctypes.c_double(0)}


class Algorithm(ctypes.Structure):
    """cublasLtMatmulHeuristicResult_t, which begins with the algorithm that a call is told."""

    _fields_ = (
        ("algorithm", ctypes.c_uint64 * 8),
        ("workspace", _size),
        ("state", _int),
        ("waves", ctypes.c_float),
        ("reserved", _int * 4),
    )


class Plan(NamedTuple):
    """What cuBLASLt made of a product; it lasts as long as the process."""

    operation: Any
    a: Any
    b: Any
    c: Any
    algorithm: Any


class CublasLt:
    """Products of one device, on one stream, with work memory at an address; raises RuntimeError where it fails."""

    def __init__(self, library: Any, stream: int, workspace: int, nbytes: int) -> None:
        self._library, self._nbytes, self._at_end = library, nbytes, (workspace, nbytes, stream)
        for name, types in SIGNATURES.items():
            function = getattr(library, name)
            function.argtypes, function.restype = types, _int
        library.cublasLtGetStatusName.restype = ctypes.c_char_p
        self._multiply: Callable[..., int] = library.cublasLtMatmul
        self._handle = ctypes.c_void_p()
        self._check(library.cublasLtCreate(ctypes.byref(self._handle)), "cuBLASLt can't be used")
        self._plans: dict[Any, Plan] = {}

    def __call__(self, kind: Kind, a: Any, b: Any, c: Any, add: bool, deterministic: bool) -> None:
        """c = a b, or c += a b: none of them empty; c in C order, a and b each in C order or the transpose of such.

        deterministic: what is summed in parts is added up in one order, whichever is done first
        """
        (m, k), n = a.shape, b.shape[1]
        at_a, at_b, at_c = (int(each.data.ptr) for each in (a, b, c))
        orders = not b.flags.c_contiguous, not a.flags.c_contiguous
        key = (kind, (m, k, n), orders, (_alignment(at_b), _alignment(at_a), _alignment(at_c)), deterministic)
        plan = self._plans.get(key)
        if plan is None:
            plan = self._plans[key] = self._planned(*key)
        alpha, beta = _ONE[kind.real], (_ONE if add else _ZERO)[kind.real]
        status = self._multiply(
            self._handle, plan.operation, ctypes.byref(alpha), at_b, plan.a, at_a, plan.b,
            ctypes.byref(beta), at_c, plan.c, at_c, plan.c, ctypes.byref(plan.algorithm), *self._at_end,
        )  # fmt: skip
        if status:
            self._check(status, _failure((m, k, n)))

    def _planned(
        self,
        kind: Kind,
        sizes: tuple[int, int, int],
        orders: tuple[bool, bool],
        alignments: tuple[int, int, int],
        deterministic: bool,
    ) -> Plan:
        """orders, alignments: of the operands as cuBLASLt sees them, b' before a'; then of the result."""
        library, what, (m, k, n) = self._library, _failure(sizes), sizes

        def made(create: Callable[..., int], *arguments: int) -> Any:
            thing = ctypes.c_void_p()
            self._check(create(ctypes.byref(thing), *arguments), what)
            return thing

        def put(change: Callable[..., int], thing: Any, attribute: int, value: Any) -> None:
            self._check(change(thing, attribute, ctypes.byref(value), ctypes.sizeof(value)), what)

        def layout(type: int, rows: int, columns: int, is_transposed: bool = False) -> Any:
            """Of a matrix of rows, or of the one whose transpose it is."""
            if is_transposed:
                rows, columns = columns, rows
            return made(library.cublasLtMatrixLayoutCreate, type, columns, rows, columns)

        operation = made(library.cublasLtMatmulDescCreate, kind.compute, kind.real)
        for attribute, is_transposed in zip((TRANSA, TRANSB), orders, strict=True):
            put(library.cublasLtMatmulDescSetAttribute, operation, attribute, ctypes.c_int32(is_transposed))
        first, second = layout(kind.given, k, n, orders[0]), layout(kind.given, m, k, orders[1])
        result = layout(kind.real, m, n)
        preference, want = made(library.cublasLtMatmulPreferenceCreate), library.cublasLtMatmulPreferenceSetAttribute
        try:
            put(want, preference, MAX_WORKSPACE_BYTES, ctypes.c_uint64(self._nbytes))
            for attribute, alignment in zip(MIN_ALIGNMENT_BYTES, (*alignments, alignments[-1]), strict=True):
                put(want, preference, attribute, ctypes.c_uint32(alignment))
            if deterministic:
                put(want, preference, REDUCTION_SCHEME_MASK, ctypes.c_uint32(IN_COMPUTE_TYPE | IN_OUTPUT_TYPE))
            algorithm, found = Algorithm(), _int()
            status = library.cublasLtMatmulAlgoGetHeuristic(
                self._handle, operation, first, second, result, result, preference, 1,
                ctypes.byref(algorithm), ctypes.byref(found),
            )  # fmt: skip
        finally:
            library.cublasLtMatmulPreferenceDestroy(preference)
        status = status or algorithm.state or (0 if found.value else NOT_SUPPORTED)
        if status == NOT_SUPPORTED and kind == TF32:  # which is allowed, and not asked for
            return self._planned(FLOAT32, sizes, orders, alignments, deterministic)
        self._check(status, what)
        return Plan(operation, first, second, result, algorithm)

    def _check(self, status: int, what: str) -> None:
        if status:
            name = self._library.cublasLtGetStatusName(status)
            raise RuntimeError(f"{what}: {name.decode()} ({status})")


def _alignment(address: int) -> int:
    """The largest power of two that an address is a multiple of, up to the largest that counts."""
    return min(address & -address, LARGEST_ALIGNMENT)


def _failure(sizes: tuple[int, int, int]) -> str:
    m, k, n = sizes
    return f"cuBLASLt can't multiply ({m}, {k}) by ({k}, {n})"
