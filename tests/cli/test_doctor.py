import json
import re
from functools import cache

import pytest
from click.testing import CliRunner

from arrays.emulated.card import EmulatedCard
from netcli.arrays.bodies import BODIES
from netcli.arrays.onednn import library
from netcli.arrays.unsupported import Unsupported
from netcli.cli import doctor
from netcli.errors import NetcliError


def run(*options):
    result = CliRunner().invoke(doctor.command, list(options), catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture
def no_library(monkeypatch):
    def absent():
        raise Unsupported("the package onednn-cpu-gomp is missing")

    monkeypatch.setattr(library, "_load", cache(library._load.__wrapped__))
    monkeypatch.setattr(library, "find", absent)


def test_every_op_is_probed():
    assert {op for op, _ in doctor.PROBES.values()} == set(BODIES)


def test_text():
    lines = run().splitlines()
    first = dict(re.split(r" {2,}", line, maxsplit=1) for line in lines[: lines.index("")])
    assert first["python"].startswith("3.")
    assert "usable" in first["processors"]
    assert int(first["threads"]) >= 1
    assert {"netcli", "numpy", "cpu", "oneDNN", "memory", "GPU"} <= set(first)
    ops = lines[lines.index("") + 2 :]
    assert [re.split(r" {2,}", line)[0] for line in ops] == list(doctor.PROBES)
    assert all(re.search(r"  (onednn|compiled|plain)(: .+)?$", line) for line in ops)


def test_json():
    found = json.loads(run("--json"))
    assert set(found) == {"versions", "cpu", "threads", "onednn", "blas", "variables", "memory", "gpu", "ops"}
    assert found["cpu"]["usable"] >= 1
    assert found["memory"]["total"] is None or found["memory"]["total"] > 1 << 28
    assert found["ops"]["update (SGD)"]["served_by"] in ("compiled", "plain")
    assert found["ops"]["stochastic_pool"] == {"served_by": "plain"}


@pytest.mark.usefixtures("no_library")
def test_a_missing_library_is_named():
    found = json.loads(run("--json"))
    assert found["onednn"] == {"reason": "the package onednn-cpu-gomp is missing"}
    assert found["ops"]["conv"] == {
        "served_by": "plain",
        "declined": {"onednn": "the package onednn-cpu-gomp is missing"},
    }
    assert "oneDNN" in run()
    assert re.search(r"^conv +plain: the package onednn-cpu-gomp is missing$", run(), re.MULTILINE)


def test_a_pinned_blas_is_told(monkeypatch):
    monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    assert re.search(r"^OPENBLAS_CORETYPE +Haswell .*unset it", run(), re.MULTILINE)


def test_other_processors(monkeypatch):
    """No /proc, no affinity: another system."""
    monkeypatch.setattr(doctor, "_lines", lambda path: [])
    found = doctor.report()
    assert found["cpu"]["name"]
    assert found["cpu"]["instructions"] == []
    assert found["memory"]["total"] is None
    assert "unknown" in "\n".join(doctor._text(found))


@pytest.mark.parametrize("is_wrong", [False, True])
def test_a_card_is_held_against_the_cpu(netcli, monkeypatch, is_wrong):
    card = EmulatedCard()
    monkeypatch.setattr("netcli.arrays.cuda.card.Card", lambda number: card)
    monkeypatch.setattr("netcli.arrays.cuda.card.count", lambda: 1)
    if is_wrong:
        monkeypatch.setattr("netcli.arrays.cuda.activation.Activation.forward", lambda *_: None)
    status, out, _ = netcli("doctor")
    assert status == 0
    line, result = (re.search(pattern, out, re.MULTILINE) for pattern in (r"^card 0 .*$", r"^ +(WRONG.*|computes .*)$"))
    assert line[0].endswith("emulated card, 6.0 GiB free of 8.0 GiB, emulated")
    assert result[1].startswith("WRONG: relu1 differs by" if is_wrong else "computes what the CPU does")


def test_a_card_whose_check_fails_is_told_beside_the_others(netcli, monkeypatch):
    def card(number):
        if number == 1:
            raise NetcliError("card 1, NVIDIA Old, has compute capability 7.5; netcli needs 8.0 or more")
        card = EmulatedCard()
        card.number = number
        if number == 2:
            monkeypatch.setattr(card, "gemm", broken, raising=False)
        return card

    def broken(*_, **__):
        raise RuntimeError("cuBLASLt can't multiply (4, 16) by (16, 5): CUBLAS_STATUS_EXECUTION_FAILED (13)\nand more")

    monkeypatch.setattr("netcli.arrays.cuda.card.Card", card)
    monkeypatch.setattr("netcli.arrays.cuda.card.count", lambda: 3)
    monkeypatch.setattr(doctor, "_gpus", lambda: ["some"] * 3)
    status, out, _ = netcli("doctor")
    assert status == 0
    assert re.search(r"^ +card 1, NVIDIA Old, has compute capability 7\.5", out, re.MULTILINE)
    first, last = re.findall(r"^card (\d) .*\n +(.*)$", out, re.MULTILINE)
    assert first[0] == "0"
    assert first[1].startswith("computes what the CPU does")
    assert last[0] == "2"
    assert re.fullmatch(
        r"WRONG: RuntimeError: cuBLASLt can't multiply .*: CUBLAS_STATUS_EXECUTION_FAILED \(13\)", last[1]
    )
