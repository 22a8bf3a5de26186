"""How kernels are compiled.

A kernel is compiled for the types that are written above it, when a plan is made (compiler.py) and never in a call.
What is compiled stays on disk.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

# Types of the arguments: as numba writes them with commas between, or as its types.
Signature = str | tuple[Any, ...]

F = TypeVar("F", bound=Callable[..., Any])

# What the loops may do to be vectorised.  Not nnan and ninf: a net that has gone astray shows it.
FASTMATH = {"reassoc", "contract", "arcp", "nsz"}


def serial(signature: Signature) -> Callable[[F], F]:
    """A kernel on one thread, which other threads need not wait for: it lets go of the interpreter."""
    return _kernel(signature, parallel=False)


def parallel(signature: str) -> Callable[[F], F]:
    """A kernel whose loop over numba.prange is shared among the threads.

    It does nothing else: sums or copies of whole arrays in it take seconds to compile.
    """
    return _kernel(signature, parallel=True)


def _kernel(signature: Signature, parallel: bool) -> Callable[[F], F]:
    def decorate(function: F) -> F:
        options: Any = {"nogil": True, "parallel": parallel, "fastmath": FASTMATH, "error_model": "numpy"}
        try:
            made = numba.njit(cache=True, **options)(function)
        except RuntimeError:  # nowhere to keep it: neither the package's folder nor the user's can be written to
            made = numba.njit(**options)(function)
        made.signature = signature
        return cast(F, made)

    return decorate


def _product(_typing: Any, _a: Any, _b: Any) -> Any:
    """The upper and the lower word of the product of two words of 64 bits, which the language has no name for."""
    pair = types.UniTuple(types.uint64, 2)  # type: ignore[no-untyped-call]

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        word, wide = ir.IntType(64), ir.IntType(128)
        whole = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        upper = builder.lshr(whole, ir.Constant(wide, 64))
        return context.make_tuple(builder, pair, [builder.trunc(part, word) for part in (upper, whole)])

    return pair(types.uint64, types.uint64), generate


def _product_in_python(a: Any, b: Any) -> tuple[Any, Any]:
    upper, lower = divmod(int(a) * int(b), 1 << 64)
    return np.uint64(upper), np.uint64(lower)


_in_python: bool = numba.config.DISABLE_JIT  # type: ignore[attr-defined]
product: Any = _product_in_python if _in_python else intrinsic(_product)
