"""Every text of kernels is compiled by NVRTC for the cards that are served; no card is needed."""

import ctypes
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from netcli.arrays.cuda import source

ARCHITECTURES = ["sm_80", "sm_90", "sm_100"]  # Ampere, Hopper, Blackwell


def library():
    """NVRTC of the wheel nvidia-cuda-nvrtc, or None."""
    found = importlib.util.find_spec("nvidia")
    for folder in found.submodule_search_locations or () if found else ():
        for path in sorted(Path(folder).glob("*/lib/libnvrtc.so.*")):
            return ctypes.CDLL(str(path))
    return None


NVRTC = library()
needs_nvrtc = pytest.mark.skipif(NVRTC is None, reason="the wheel nvidia-cuda-nvrtc is missing")


def compiled(code, name, options):
    """(status, log) of a compilation down to the code of a card."""
    program = ctypes.c_void_p()
    assert NVRTC.nvrtcCreateProgram(ctypes.byref(program), code.encode(), name.encode(), 0, None, None) == 0
    words = (ctypes.c_char_p * len(options))(*(each.encode() for each in options))
    status = NVRTC.nvrtcCompileProgram(program, len(options), words)
    size = ctypes.c_size_t()
    NVRTC.nvrtcGetProgramLogSize(program, ctypes.byref(size))
    log = ctypes.create_string_buffer(size.value)
    NVRTC.nvrtcGetProgramLog(program, log)
    NVRTC.nvrtcDestroyProgram(ctypes.byref(program))
    return status, log.value.decode()


# (architecture, type, whether numbers of items take 64 bits): what the types change is the same for every card.
KINDS = [(each, np.float32, False) for each in ARCHITECTURES]
KINDS += [(ARCHITECTURES[0], np.float64, False), (ARCHITECTURES[0], np.float32, True)]


@needs_nvrtc
@pytest.mark.parametrize(("architecture", "dtype", "wide"), KINDS)
@pytest.mark.parametrize("file", source.files())
def test_compiles(file, architecture, dtype, wide):
    options = (f"--gpu-architecture={architecture}", "--std=c++17", *source.options(dtype, wide))
    status, log = compiled(source.text(file).code, f"{file}.cu", options)
    assert status == 0, log
    assert "warning" not in log, log


@needs_nvrtc
def test_a_fault_is_told_with_its_line():
    code = source.text("activation").code + "\n__global__ void wrong() { missing(); }\n"
    status, log = compiled(code, "activation.cu", ["--gpu-architecture=sm_90", *source.options(np.float32, False)])
    assert status != 0
    assert "missing" in log


def test_parameters_are_read_from_the_text():
    parameters = source.text("activation").kernels["relu"]
    assert [(each.name, each.type, each.pointer) for each in parameters] == [
        ("x", "real", True),
        ("y", "real", True),
        ("alpha", "real", False),
        ("count", "index_t", False),
    ]
    assert all(source.text(file).kernels for file in source.files())
