"""Not written yet."""

from netcli.arrays.ops import Unsupported


class Activation:
    def __init__(self, *args: object) -> None:
        raise Unsupported("not written yet")
