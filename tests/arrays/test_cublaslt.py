"""The numbers and sizes of cublasLt.h, held against the library itself where its wheel is; no card is needed."""

import ctypes
import importlib.util
from pathlib import Path

import pytest

from netcli.arrays.cuda import cublaslt


@pytest.fixture(scope="module")
def library():
    found = importlib.util.find_spec("nvidia")
    for folder in found.submodule_search_locations or () if found else ():
        for path in sorted(Path(folder).glob("*/lib/libcublasLt.so.*")):
            return ctypes.CDLL(str(path))
    pytest.skip("the wheel nvidia-cublas is missing")


def attribute(get, thing, number):
    """(bytes, value) of an attribute."""
    size, value = ctypes.c_size_t(), ctypes.create_string_buffer(16)
    assert get(thing, number, value, ctypes.c_size_t(0), ctypes.byref(size)) == 0
    assert get(thing, number, value, size, ctypes.byref(size)) == 0
    return size.value, int.from_bytes(value.raw[: size.value], "little")


def test_a_matrix(library):
    layout = ctypes.c_void_p()
    library.cublasLtMatrixLayoutCreate.argtypes = cublaslt.SIGNATURES["cublasLtMatrixLayoutCreate"]
    assert library.cublasLtMatrixLayoutCreate(ctypes.byref(layout), cublaslt.REAL_16BF, 5, 7, 6) == 0
    get = library.cublasLtMatrixLayoutGetAttribute
    # Type, rows, columns, distance between columns.
    assert [attribute(get, layout, number) for number in (0, 2, 3, 4)] == [(4, 14), (8, 5), (8, 7), (8, 6)]


@pytest.mark.parametrize("kind", [cublaslt.FLOAT32, cublaslt.TF32, cublaslt.FLOAT64, cublaslt.BFLOAT16])
def test_an_operation(library, kind):
    operation = ctypes.c_void_p()
    assert library.cublasLtMatmulDescCreate(ctypes.byref(operation), kind.compute, kind.real) == 0
    get = library.cublasLtMatmulDescGetAttribute
    assert [attribute(get, operation, number) for number in (0, 1)] == [(4, kind.compute), (4, kind.real)]
    one = ctypes.c_int32(1)
    for number in (cublaslt.TRANSA, cublaslt.TRANSB):
        assert attribute(get, operation, number) == (4, 0)
        change = library.cublasLtMatmulDescSetAttribute
        assert change(operation, number, ctypes.byref(one), ctypes.c_size_t(4)) == 0
        assert change(operation, number, ctypes.byref(one), ctypes.c_size_t(8)) != 0
        assert attribute(get, operation, number) == (4, 1)


def test_preferences(library):
    preference = ctypes.c_void_p()
    assert library.cublasLtMatmulPreferenceCreate(ctypes.byref(preference)) == 0
    get = library.cublasLtMatmulPreferenceGetAttribute
    assert attribute(get, preference, cublaslt.MAX_WORKSPACE_BYTES) == (8, 0)
    in_place_too = 1 | cublaslt.IN_COMPUTE_TYPE | cublaslt.IN_OUTPUT_TYPE
    assert attribute(get, preference, cublaslt.REDUCTION_SCHEME_MASK) == (4, in_place_too)
    for number in cublaslt.MIN_ALIGNMENT_BYTES:
        assert attribute(get, preference, number) == (4, cublaslt.LARGEST_ALIGNMENT)


def test_signatures_are_of_functions_that_it_has(library):
    for name in cublaslt.SIGNATURES:
        assert hasattr(library, name)
    library.cublasLtGetStatusName.restype = ctypes.c_char_p
    assert library.cublasLtGetStatusName(15) == b"CUBLAS_STATUS_NOT_SUPPORTED"
    assert ctypes.sizeof(cublaslt.Algorithm) == 96
