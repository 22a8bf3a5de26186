"""Every text of kernels is compiled by NVRTC for the cards that are served; no card is needed."""

import ctypes
import functools
import importlib.util
import re
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


@functools.cache
def compiled(code, name, options):
    """(status, log, PTX) of a compilation down to the code of a card."""
    program = ctypes.c_void_p()
    assert NVRTC.nvrtcCreateProgram(ctypes.byref(program), code.encode(), name.encode(), 0, None, None) == 0
    words = (ctypes.c_char_p * len(options))(*(each.encode() for each in options))
    status = NVRTC.nvrtcCompileProgram(program, len(options), words)
    log, ptx = told(program, "ProgramLog"), "" if status else told(program, "PTX")
    NVRTC.nvrtcDestroyProgram(ctypes.byref(program))
    return status, log, ptx


def told(program, what):
    size = ctypes.c_size_t()
    getattr(NVRTC, f"nvrtcGet{what}Size")(program, ctypes.byref(size))
    text = ctypes.create_string_buffer(size.value)
    getattr(NVRTC, f"nvrtcGet{what}")(program, text)
    return text.value.decode()


# (architecture, type, whether numbers of items take 64 bits): what the types change is the same for every card.
KINDS = [(each, np.float32, False) for each in ARCHITECTURES]
KINDS += [(ARCHITECTURES[0], np.float64, False), (ARCHITECTURES[0], np.float32, True)]


@needs_nvrtc
@pytest.mark.parametrize(("architecture", "dtype", "wide"), KINDS)
@pytest.mark.parametrize("file", source.files())
def test_compiles(file, architecture, dtype, wide):
    options = (f"--gpu-architecture={architecture}", "--std=c++17", *source.options(dtype, wide))
    status, log, _ = compiled(source.text(file).code, f"{file}.cu", options)
    assert status == 0, log
    assert "warning" not in log, log


# Of float32, what computes in double all the same.  On cards for games that is a 64th of the speed: few numbers of an
# item, or sums whose runs are of float32.
SUMS = {
    "batch_norm": {"moments", "statistics", "factors", "sums", "channel_sums"},
    "channels": {"sums_by_columns", "sums_by_rows", "few_parts", "many_parts"},
    "column_sums": {"part_sums", "column_sums"},
    "depthwise": {"depthwise_weights"},
    "log_loss": {"losses", "total"},
    "norm": {"squares", "root"},
    "softmax": {"softmax_threads", "gradient_threads"},
    "whole_numbers": {"whole_numbers", "note_wrong"},  # places of labels
    "stochastic_pool": {"draw", "draw_place"},  # a random number, as the processor rounds it
}
# What reads numbers that vary, which are double, and turns them into float32.
READERS = {"normalise": {"normalise"}, "update": {"momentum", "squares", "adadelta", "adam"}}
READS = {"ld.global.f64", "ld.param.f64", "cvt.rn.f32.f64"}


@needs_nvrtc
@pytest.mark.parametrize("file", source.files())
def test_kernels_of_float32_do_not_compute_in_double(file):
    architecture, dtype, wide = KINDS[0]
    options = (f"--gpu-architecture={architecture}", "--std=c++17", *source.options(dtype, wide))
    _, _, ptx = compiled(source.text(file).code, f"{file}.cu", options)
    found = {
        name: set(re.findall(r"^\s*(?:@!?%p\d+ )?(\w[\w.]*\.f64[\w.]*)\s", body, re.MULTILINE))
        for name, body in re.findall(r"\.entry (\w+)\((.*?)\n\}", ptx, re.DOTALL)
    }
    assert set(found) == set(source.text(file).kernels)
    computing = {name for name, instructions in found.items() if instructions - READS}
    reading = {name for name, instructions in found.items() if instructions} - computing
    assert computing == SUMS.get(file, set())
    assert reading == READERS.get(file, set())


@needs_nvrtc
def test_a_fault_is_told_with_its_line():
    code = source.text("activation").code + "\n__global__ void wrong() { missing(); }\n"
    status, log, _ = compiled(code, "activation.cu", ("--gpu-architecture=sm_90", *source.options(np.float32, False)))
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
