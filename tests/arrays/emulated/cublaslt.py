"""cuBLASLt, as far as it is used: its rules, and its products of matrices by columns, over memory of the CPU.

Opaque things are numbers; what they were given lies in dictionaries, as bytes for each attribute.
"""

import ctypes
import itertools

import numpy as np

from arrays.emulated import xp
from netcli.arrays.cuda.cublaslt import Algorithm

HANDLE = 5
NOT_SUPPORTED = 15
BYTES = {0: 4, 1: 8, 14: 2}  # cudaDataType: float, double, bfloat16
COMPUTES = {68: 0, 77: 0, 70: 1}  # cublasComputeType_t, with the type that alpha and beta have
OPERATION = {3: 4, 4: 4}  # bytes of the attributes that are set
PREFERENCE = {1: 8, 3: 4, 5: 4, 6: 4, 7: 4, 8: 4}
NAMES = {1: b"CUBLAS_STATUS_NOT_INITIALIZED", 13: b"CUBLAS_STATUS_EXECUTION_FAILED", 15: b"CUBLAS_STATUS_NOT_SUPPORTED"}


class Function:
    """Of a library by ctypes: it may be told its types, and gets what is behind pointers."""

    def __init__(self, call):
        self._call = call

    def __call__(self, *arguments):
        assert len(arguments) == len(self.argtypes)
        return self._call(*(getattr(each, "_obj", each) for each in arguments))


class Library:
    """The library.

    status      what calls return, by their names without cublasLt; and what a search says of its result
    asked       the preferences of each search
    multiplied  of each product what it is computed in, and its stream
    """

    def __init__(self):
        self.status, self.asked, self.multiplied = {}, [], []
        self._things, self._numbers = {}, itertools.count(1)
        self._freed = set()

    def __getattr__(self, name):
        what = name.removeprefix("cublasLt")
        if what == name:
            raise AttributeError(name)
        call = getattr(self, f"_{what}")

        def answer(*arguments):
            return self.status.get(what) or call(*arguments)

        function = answer if what == "GetStatusName" else Function(answer)
        vars(self)[name] = function
        return function

    def _make(self, pointer, thing):
        pointer.value = next(self._numbers)
        self._things[pointer.value] = thing
        return 0

    def _of(self, pointer):
        assert pointer.value not in self._freed
        return self._things[pointer.value]

    def _Create(self, handle):  # noqa: N802 (the library's names, here and below)
        handle.value = HANDLE
        return 0

    def _GetStatusName(self, status):  # noqa: N802
        return NAMES[status]

    def _MatmulDescCreate(self, pointer, compute, scale):  # noqa: N802
        assert COMPUTES[compute] == scale
        return self._make(pointer, {"compute": compute})

    def _MatmulDescSetAttribute(self, operation, attribute, value, size):  # noqa: N802
        assert size == OPERATION[attribute] == ctypes.sizeof(value)
        self._of(operation)[attribute] = value.value
        return 0

    def _MatrixLayoutCreate(self, pointer, type, rows, columns, step):  # noqa: N802
        assert type in BYTES
        assert rows > 0
        assert columns > 0
        assert step >= rows
        return self._make(pointer, (type, rows, columns, step))

    def _MatmulPreferenceCreate(self, pointer):  # noqa: N802
        return self._make(pointer, {1: 0, 3: 7, 5: 256, 6: 256, 7: 256, 8: 256})

    def _MatmulPreferenceSetAttribute(self, preference, attribute, value, size):  # noqa: N802
        assert size == PREFERENCE[attribute] == ctypes.sizeof(value)
        self._of(preference)[attribute] = value.value
        return 0

    def _MatmulPreferenceDestroy(self, preference):  # noqa: N802
        self._freed.add(preference.value)
        return 0

    def _MatmulAlgoGetHeuristic(self, handle, operation, a, b, c, d, preference, most, result, found):  # noqa: N802
        assert handle.value == HANDLE
        assert most == 1
        assert isinstance(result, Algorithm)
        self._check(operation, a, b, c, d)
        wanted = self._of(preference)
        self.asked.append(dict(wanted))
        result.algorithm[0] = len(self.asked)
        result.workspace, result.state = wanted[1], self.status.get("state", 0)
        found.value = self.status.get("found", 1)
        return 0

    def _check(self, operation, a, b, c, d):
        of = self._of(operation)
        (a_type, *of_a), (b_type, *of_b), (c_type, m, n, _) = map(self._of, (a, b, c))
        assert self._of(d) == self._of(c)
        assert (of["compute"], a_type, b_type, c_type) in {(68, 0, 0, 0), (77, 0, 0, 0), (70, 1, 1, 1), (68, 14, 14, 0)}
        seen = [
            (rows, columns)[::-1] if of[at] else (rows, columns) for at, (rows, columns, _) in ((3, of_a), (4, of_b))
        ]
        assert seen[0][0] == m
        assert seen[1][1] == n
        assert seen[0][1] == seen[1][0]
        return m, n, seen[0][1]

    def _Matmul(  # noqa: N802
        self, handle, operation, alpha, a, of_a, b, of_b, beta, c, of_c, d, of_d, algorithm, workspace, nbytes, stream
    ):
        assert handle.value == HANDLE
        assert (c, of_c.value) == (d, of_d.value)
        self._check(operation, of_a, of_b, of_c, of_d)
        wanted = self.asked[algorithm.algorithm[0] - 1]
        for address, alignment in zip((a, b, c, d), (wanted[each] for each in (5, 6, 7, 8)), strict=True):
            assert address % alignment == 0
        assert workspace
        assert nbytes >= algorithm.workspace
        compute = self._of(operation)["compute"]
        real = self._of(of_c)[0]
        assert isinstance(alpha, ctypes.c_double if real == 1 else ctypes.c_float)
        assert type(beta) is type(alpha)
        assert alpha.value == 1
        self.multiplied.append((compute, stream))
        transposed = [self._of(operation)[each] for each in (3, 4)]
        keeps = beta.value

        def multiply():
            first, second = (
                self._matrix(address, layout).astype(np.float64)
                for address, layout in ((a, self._of(of_a)), (b, self._of(of_b)))
            )
            product = (first.T if transposed[0] else first) @ (second.T if transposed[1] else second)
            into = self._matrix(c, self._of(of_c))
            into[...] = product + into * keeps if keeps else product

        xp.recording.do(multiply)
        return 0

    def _matrix(self, address, layout):
        kind, rows, columns, step = layout
        count = step * (columns - 1) + rows
        raw = (ctypes.c_char * (count * BYTES[kind])).from_address(address)
        if kind == 14:
            flat = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            flat = np.frombuffer(raw, np.float64 if kind == 1 else np.float32)
        return np.lib.stride_tricks.as_strided(flat, (rows, columns), (flat.itemsize, step * flat.itemsize))
