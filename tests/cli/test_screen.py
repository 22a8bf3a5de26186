import errno
import io
import logging

import pytest

from netcli.cli.screen import CLEAR, Screen


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def terminal(monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "20")
    return Terminal()


def test_the_line_is_rewritten_and_lines_that_stay_go_above_it(terminal):
    screen = Screen(terminal)
    screen.progress("1 of 3")
    screen.say("a test")
    screen.progress("2 of 3")
    screen.close()
    assert terminal.getvalue() == f"{CLEAR}1 of 3{CLEAR}a test\n1 of 3{CLEAR}2 of 3{CLEAR}"


def test_a_line_too_long_for_the_terminal_is_cut(terminal):
    screen = Screen(terminal)
    screen.progress("x" * 40)
    assert terminal.getvalue() == CLEAR + "x" * 18 + "…"
    screen.close()


def test_a_warning_does_not_run_into_the_line(terminal, caplog):
    screen = Screen(terminal)
    screen.progress("1 of 3")
    logging.getLogger("netcli").warning("look out")
    assert terminal.getvalue() == f"{CLEAR}1 of 3{CLEAR}"
    screen.close()
    assert logging.getLogger("netcli").filters == []


def test_without_a_terminal_progress_is_a_line_now_and_then():
    stream = io.StringIO()
    screen = Screen(stream)
    for number in range(3):
        if screen.due():
            screen.progress(f"{number} of 3")
    screen.say("done")
    screen.close()
    assert stream.getvalue() == "0 of 3\ndone\n"


@pytest.mark.parametrize("code", [errno.EPIPE, errno.EIO, errno.ENOSPC])
def test_a_reader_that_has_gone_is_not_written_to_again(code):
    class Gone(io.StringIO):
        writes = 0

        def write(self, text):
            self.writes += 1
            raise OSError(code, "gone")

    stream = Gone()
    screen = Screen(stream)
    screen.say("one")
    screen.say("two")
    screen.close()
    assert stream.writes == 1


def test_quiet_says_nothing(terminal):
    screen = Screen(terminal, quiet=True)
    assert not screen.due()
    screen.progress("1 of 3")
    screen.say("a test")
    screen.close()
    assert terminal.getvalue() == ""


def test_a_stdout_that_was_closed_before(monkeypatch):
    monkeypatch.setattr("sys.stdout", None)
    screen = Screen()
    screen.say("to nobody")
    screen.close()
    screen.stream.close()
