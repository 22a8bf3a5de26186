"""The README's first command: images to databases, databases to a trained net, and its accuracy on unseen digits.

Prints each netcli command as it runs it, so that a reader can type the same.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DIGITS = "data/digits"
MODEL = "models/digits"
ITERATIONS = 900  # max_iter of the solver: the number in its last snapshot's name


def netcli(*arguments: str, capture: bool = False) -> str:
    """Run `netcli ARGUMENTS` from the repository's root; end with its status if it fails."""
    print(f"\n$ netcli {' '.join(arguments)}", flush=True)
    command = [sys.executable, "-m", "netcli", *arguments]
    output = ""
    with subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE if capture else None) as process:
        while process.returncode is None:
            with contextlib.suppress(KeyboardInterrupt):  # it has had the ctrl-C too, and ends by itself
                output = process.communicate()[0] or ""
    if process.returncode:
        sys.exit(process.returncode)
    return output


def main() -> None:
    for part in ("train", "test"):
        netcli("convert-images", DIGITS, f"{DIGITS}/{part}.txt", f"{DIGITS}/{part}_lmdb", "--gray", "--force")
    start = time.perf_counter()
    netcli("train", f"{MODEL}/solver.prototxt")
    seconds = time.perf_counter() - start
    weights = f"{MODEL}/digits_iter_{ITERATIONS}.caffemodel"
    result = netcli(
        "test", f"{MODEL}/train_val.prototxt", "--weights", weights, "--iterations", "6", "--json", capture=True
    )
    print(result, end="")
    accuracy = json.loads(result)["outputs"]["accuracy"]
    print(f"\ntest accuracy {accuracy:.4f} on 360 digits it has not seen, after {seconds:.0f} s of training")


if __name__ == "__main__":
    main()
