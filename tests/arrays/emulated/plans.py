"""A card's plan for tests that have arrays of NumPy."""

import numpy as np

from arrays.emulated import xp


def brought(value):
    """NumPy's array of what a plan returns."""
    return xp.host(value) if isinstance(value, xp.DeviceArray) else value


class HostPlan:
    """Its methods take arrays to the card, as they lie, and what was written back.

    An array that is given twice is one there too; what the plan keeps of it, as its place, is not asked for.
    """

    def __init__(self, plan, card):
        self._plan, self._card = plan, card
        self._known = {}  # arrays that came before, held: the plan sees the same ones again

    def __getattr__(self, name):
        value = getattr(self._plan, name)
        if isinstance(value, xp.DeviceArray):
            return xp.host(value).copy()
        if not callable(value) or name == "work_space":
            return value

        def call(*args, **options):
            moved = []

            def move(value):
                if isinstance(value, list | tuple):
                    return type(value)(map(move, value))
                if not isinstance(value, np.ndarray):
                    return value
                for host, there in moved:
                    if host is value:
                        return there
                there = self._card.from_host(value)
                moved.append((value, there))
                return there

            result = value(*move(args), **{key: move(each) for key, each in options.items()})
            for host, there in moved:
                if host.flags.writeable:
                    host[...] = xp.host(there)
            return tuple(map(brought, result)) if isinstance(result, tuple) else brought(result)

        return call
