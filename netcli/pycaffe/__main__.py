"""`python -m netcli.pycaffe SCRIPT ARGS`: run a program that was written for pycaffe."""

from __future__ import annotations

import os
import runpy
import sys

from netcli.pycaffe import install_as_caffe

USAGE = "usage: python -m netcli.pycaffe [SCRIPT | -m MODULE | -c CODE] [ARG]..."


def main(arguments: list[str]) -> None:
    """Run a script, a module or code as `python` would, with `import caffe` meaning netcli.pycaffe."""
    if not arguments or arguments[0] in ("-h", "--help"):
        print(USAGE, file=sys.stderr if not arguments else sys.stdout)
        sys.exit(0 if arguments else 2)
    install_as_caffe()
    first, *rest = arguments
    if first in ("-m", "-c"):
        if not rest:
            sys.exit(_fault(f"{first} needs {'a module' if first == '-m' else 'code'}; {USAGE}"))
        sys.path[0] = "" if first == "-c" else os.getcwd()
        sys.argv = [first, *rest[1:]]
        if first == "-m":
            runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
        else:
            exec(compile(rest[0], "<string>", "exec"), {"__name__": "__main__"})
        return
    if first.startswith("-"):
        sys.exit(_fault(f"there is no option {first}; {USAGE}"))
    if not os.path.exists(first):
        sys.exit(_fault(f"there is no script {first}"))
    if os.path.isdir(first) and not os.path.exists(os.path.join(first, "__main__.py")):
        sys.exit(_fault(f"{first} is a folder without a __main__.py"))
    sys.path[0] = os.path.dirname(os.path.abspath(first))
    sys.argv = [first, *rest]
    runpy.run_path(first, run_name="__main__")


def _fault(text: str) -> int:
    print(f"netcli.pycaffe: {text}", file=sys.stderr)  # noqa: T201
    return 2


if __name__ == "__main__":
    main(sys.argv[1:])
