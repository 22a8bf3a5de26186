import os
import subprocess
import sys

import pytest

from netcli.cli import main as cli


def test_too_little_memory_is_one_sentence(monkeypatch, capsys, tmp_path):
    path = tmp_path / "large.prototxt"
    path.write_text(
        'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2000000000 dim: 1000 dim: 9 dim: 9 } } }\n'
        'layer { name: "p" type: "Pooling" bottom: "x" top: "y" pooling_param { kernel_size: 2 } }\n'
    )
    monkeypatch.setattr(sys, "argv", ["netcli", "time", str(path), "--iterations", "1"])
    with pytest.raises(SystemExit) as stop:
        cli.main()
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("netcli: there is not enough memory for this: ")


@pytest.mark.parametrize("command", ["summary", "upgrade"])
def test_an_output_that_is_full_is_one_sentence(tmp_path, command):
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    path = tmp_path / "net.prototxt"
    path.write_text('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }\n')
    words = [sys.executable, "-m", "netcli", command, str(path), *(["-"] if command == "upgrade" else [])]
    with open("/dev/full", "w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == "netcli: the output can't be written: no space left on device"


def test_a_command_that_is_not_known_is_told_with_the_nearest(netcli):
    for word, message in (("trian", "No such command 'trian'; did you mean 'train'?"), ("q", "No such command 'q'.")):
        status, _, err = netcli(word)
        assert (status, err.splitlines()[-1]) == (2, f"Error: {message}")
