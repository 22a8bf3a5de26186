"""The text of kernels: files of CUDA C++ below `kernels/`, and what their kernels take.

Note [Kernel texts]: a file is compiled for one type of items (`real`) and one of indices (`index_t`), which the
options say.  `#include "name.cuh"` puts the file of that name in its place, once; nothing else is included, so that a
text stands by itself: NVRTC compiles it for a card, and a C++ compiler behind tests/arrays/emulated/shim.h for the CPU.
"""

from __future__ import annotations

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).parent / "kernels"

INCLUDE = re.compile(r'#include "(\w+\.cuh)"')
KERNEL = re.compile(r'extern "C" __global__ void (?:__launch_bounds__\(\w+\) )?(\w+)\(([^)]*)\)')

NUMBERS: dict[str, Any] = {
    "int": np.int32,
    "unsigned": np.uint32,
    "long long": np.int64,
    "unsigned long long": np.uint64,
    "float": np.float32,
    "double": np.float64,
}


@dataclass(frozen=True)
class Parameter:
    """What a kernel takes: `pointer` to items of this C type, or a number of it."""

    name: str
    type: str
    pointer: bool


@dataclass(frozen=True)
class Text:
    """A file with what it includes, and its kernels."""

    name: str
    code: str
    kernels: dict[str, tuple[Parameter, ...]]


def files() -> list[str]:
    """Names of all that hold kernels, without their `.cu`."""
    return sorted(path.stem for path in FOLDER.glob("*.cu"))


@functools.cache
def text(name: str) -> Text:
    """The file `name`.cu."""
    seen: set[str] = set()

    def whole(file: str) -> str:
        lines = [f'#line 1 "{file}"']
        for number, line in enumerate((FOLDER / file).read_text().splitlines(), 1):
            found = INCLUDE.match(line)
            if not found:
                lines.append(line)
            elif found[1] not in seen:
                seen.add(found[1])
                lines += [whole(found[1]), f'#line {number + 1} "{file}"']
        return "\n".join(lines)

    code = whole(f"{name}.cu")
    kernels = {found[1]: tuple(map(_parameter, found[2].split(","))) for found in KERNEL.finditer(code)}
    return Text(name, code + "\n", kernels)


def _parameter(declaration: str) -> Parameter:
    words = declaration.replace("const ", "").replace("__restrict__", "").replace("*", " * ").split()
    *kind, name = words
    return Parameter(name, " ".join(word for word in kind if word != "*"), "*" in kind)


def options(dtype: Any, wide: bool) -> tuple[str, ...]:
    """What the compiler is told; wide: items are so many that their numbers take 64 bits."""
    real = {"f4": "float", "f8": "double"}[np.dtype(dtype).str[1:]]
    return (f"-DREAL={real}", f"-DINDEX={'long long' if wide else 'int'}")


def converters(parameters: tuple[Parameter, ...], dtype: Any, wide: bool) -> list[Any]:
    """For each parameter the NumPy type of its numbers; None for a pointer."""
    types = NUMBERS | {"real": np.dtype(dtype).type, "index_t": np.int64 if wide else np.int32}
    return [None if each.pointer else types[each.type] for each in parameters]
