"""Stand-ins for Graphviz's program dot, put first on the search path."""

import os

DOT = '#!/bin/sh\necho "$@"\ncat\n'  # its options, and then what it is given to draw
REFUSING = "#!/bin/sh\ncat > /dev/null\necho 'Format: \"xyz\" not recognized.' >&2\nexit 1\n"


def put_dot(folder, monkeypatch, text=DOT):
    """Make `dot` in `folder` this shell script."""
    folder.mkdir()
    (folder / "dot").write_text(text)
    (folder / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def take_dot_away(monkeypatch):
    monkeypatch.setenv("PATH", "")
