"""What is done once in a process, whichever thread asks first."""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Function = TypeVar("Function", bound=Callable[..., Any])


def once(function: Function) -> Function:
    """The function, called once for each of its arguments; other threads wait for what the first one gets.

    functools.cache lets two threads that ask at a time both call it.
    """
    cached = functools.cache(function)
    lock = threading.RLock()

    @functools.wraps(function)
    def called(*arguments: Any) -> Any:
        with lock:
            return cached(*arguments)

    return called  # type: ignore[return-value]
