"""Numbers that are read when somebody looks at them.

Note [Late numbers]: reading a number from a card waits for everything that was asked of it before, and meanwhile
nothing more is asked.  So what a pass gives on a card, its loss, is no float but one of these: it may be added,
averaged and kept, and is read when it is compared, formatted or turned into a float.  What a pass found wrong on the
card (Note [Doubts] in layers/doubts.py) is told then, too.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any, cast

Read = Callable[[], float]


class Late:
    """Behaves as the float that `read` gives, which is called at the first look; what it raises is raised there."""

    __slots__ = ("_read", "_value")

    def __init__(self, read: Read) -> None:
        self._read: Read | None = read
        self._value = 0.0

    def __float__(self) -> float:
        if self._read is not None:
            self._value = float(self._read())
            self._read = None
        return self._value

    def __repr__(self) -> str:
        return repr(float(self))

    def __format__(self, spec: str) -> str:
        return format(float(self), spec)

    def __bool__(self) -> bool:
        return bool(float(self))

    def __hash__(self) -> int:
        return hash(float(self))

    def _compared(self, by: Callable[[Any, Any], Any], other: Any) -> Any:
        return by(float(self), float(other)) if isinstance(other, Late | int | float) else NotImplemented

    def __eq__(self, other: object) -> Any:
        return self._compared(operator.eq, other)

    def __lt__(self, other: Any) -> Any:
        return self._compared(operator.lt, other)

    def __le__(self, other: Any) -> Any:
        return self._compared(operator.le, other)

    def __gt__(self, other: Any) -> Any:
        return self._compared(operator.gt, other)

    def __ge__(self, other: Any) -> Any:
        return self._compared(operator.ge, other)

    def __add__(self, other: Any) -> Any:
        return _later(operator.add, self, other)

    def __radd__(self, other: Any) -> Any:
        return _later(operator.add, other, self)

    def __sub__(self, other: Any) -> Any:
        return _later(operator.sub, self, other)

    def __rsub__(self, other: Any) -> Any:
        return _later(operator.sub, other, self)

    def __mul__(self, other: Any) -> Any:
        return _later(operator.mul, self, other)

    def __rmul__(self, other: Any) -> Any:
        return _later(operator.mul, other, self)

    def __truediv__(self, other: Any) -> Any:
        return _later(operator.truediv, self, other)

    def __rtruediv__(self, other: Any) -> Any:
        return _later(operator.truediv, other, self)

    def __neg__(self) -> Late:
        return Late(lambda: -float(self))


def is_late(number: object) -> bool:
    """Whether a number is still to be read, or has been one of those."""
    return isinstance(number, Late)


def mean(numbers: Sequence[float]) -> float:
    """The mean of one number or more, some of which may be late; then it is, too."""

    def read() -> float:
        return sum(map(float, numbers)) / len(numbers)

    return cast(float, Late(read)) if any(isinstance(number, Late) for number in numbers) else read()


def _later(by: Callable[[float, float], float], a: Any, b: Any) -> Any:
    """by(a, b), of numbers one of which is late."""
    if not (isinstance(a, Late | int | float) and isinstance(b, Late | int | float)):
        return NotImplemented
    return Late(lambda: by(float(a), float(b)))
