import logging
import sys

import pytest

from netcli.cli import main


@pytest.fixture
def netcli(monkeypatch, capsys):
    """A function that runs the command line in this process and returns (exit status, stdout, stderr)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["netcli", *map(str, arguments)])
        try:
            with pytest.raises(SystemExit) as stop:
                main.main()
        finally:
            logging.getLogger("netcli").handlers.clear()
        return stop.value.code, *capsys.readouterr()

    return run
