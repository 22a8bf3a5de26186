"""What a body of an op answers where it can't take what it is asked for."""


class Unsupported(Exception):  # noqa: N818 (an answer, and no error)
    """A body declines what it was asked for; the message says why, for `netcli doctor`."""
