import pytest

from netcli.cli.caffe_tools.gflags import Flag, FlagError, help_text, parse

FLAGS = (
    Flag("solver", "", "The solver.", "train SOLVER"),
    Flag("iterations", 50, "How many."),
    Flag("shuffle", False, "In random order."),
    Flag("nomads", True, "A name that begins with no."),
    Flag("sigint_effect", "stop", "What a signal does."),
)
DEFAULTS = {"solver": "", "iterations": 50, "shuffle": False, "nomads": True, "sigint_effect": "stop"}


def read(*arguments):
    """(what differs from the defaults, the other words)."""
    found = parse(arguments, FLAGS, "caffe")
    return {name: value for name, value in found.values.items() if value != DEFAULTS[name]}, found.words


def fault(*arguments):
    with pytest.raises(FlagError) as stop:
        parse(arguments, FLAGS, "caffe")
    return str(stop.value)


@pytest.mark.parametrize(
    ("line", "values", "words"),
    [
        ("train -solver F", {"solver": "F"}, ["train"]),
        ("-solver F train", {"solver": "F"}, ["train"]),
        ("--solver F", {"solver": "F"}, []),
        ("-solver=F", {"solver": "F"}, []),
        ("--solver=a=b", {"solver": "a=b"}, []),
        ("-solver= x", {}, ["x"]),
        ("-solver A -solver B", {"solver": "B"}, []),
        ("-solver -x", {"solver": "-x"}, []),  # not a flag, so it is a value
        ("-iterations -3", {"iterations": -3}, []),
        ("-iterations=0x10", {"iterations": 16}, []),
        ("-iterations=+7", {"iterations": 7}, []),
        ("-shuffle a", {"shuffle": True}, ["a"]),
        ("-shuffle false", {"shuffle": True}, ["false"]),
        *((f"--shuffle={value}", {"shuffle": True}, []) for value in ("1", "t", "true", "Y", "YES")),
        *((f"--nomads={value}", {"nomads": False}, []) for value in ("0", "f", "False", "n", "no")),
        ("-shuffle -noshuffle", {}, []),
        ("-nomads", {}, []),
        ("-nonomads", {"nomads": False}, []),
        ("-sigint-effect none", {"sigint_effect": "none"}, []),
        ("a -- -solver b", {}, ["a", "-solver", "b"]),
        ("-", {}, ["-"]),
    ],
)
def test_spellings(line, values, words):
    assert read(*line.split()) == (values, words)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-solvr F", "unknown command line flag 'solvr'; did you mean 'solver'?"),
        ("-zzz", "unknown command line flag 'zzz'"),
        ("---solver F", "unknown command line flag '---solver'; did you mean 'solver'?"),
        ("-nosolver", "unknown command line flag 'nosolver'; did you mean 'solver'?"),
        ("-noshuffle=true", "flag 'noshuffle' takes no value; -shuffle=true does"),
        ("-solver", "flag 'solver' is missing its argument"),
        ("-solver -iterations 5", "flag 'solver' is missing its argument"),
        ("-iterations many", "illegal value 'many' specified for int32 flag 'iterations'"),
        ("-iterations=", "illegal value '' specified for int32 flag 'iterations'"),
        ("-iterations=3000000000", "3000000000 is too large for int32 flag 'iterations'"),
        ("-shuffle=2", "illegal value '2' specified for bool flag 'shuffle'"),
        ("-flagfile=none", "none: the flagfile can't be read: No such file or directory"),
        ("-fromenv=solver", "FLAGS_solver is not in the environment, where -fromenv wants it"),
    ],
)
def test_faults(monkeypatch, line, words):
    monkeypatch.delenv("FLAGS_solver", raising=False)
    assert fault(*line.split()) == words


def test_a_flagfile(tmp_path):
    path, other = tmp_path / "flags", tmp_path / "other"
    path.write_text(f"# a comment\n\n  --solver=F\n-shuffle\n--flagfile={other}\n")
    other.write_text("-iterations=7\nconvert_*\n-iterations=8\nca* convert_imageset\n-nomads=false\n")
    assert read(f"-flagfile={path}", "train") == (
        {"solver": "F", "shuffle": True, "iterations": 7, "nomads": False},
        ["train"],
    )
    assert read("-flagfile", f"{path},{path}", "-solver", "G")[0]["solver"] == "G"


def test_faults_in_a_flagfile_have_their_line(tmp_path):
    path = tmp_path / "flags"
    path.write_text("\n--solvr=F\n")
    assert fault(f"-flagfile={path}") == f"{path}:2: unknown command line flag 'solvr'; did you mean 'solver'?"
    path.write_text("--solver F\n")
    assert fault(f"-flagfile={path}") == f"{path}:1: unknown command line flag 'solver F'; did you mean 'solver'?"
    path.write_text(f"-flagfile={path}\n")
    assert fault(f"-flagfile={path}") == f"{path}: names itself as a flagfile"


def test_flags_from_the_environment(monkeypatch):
    monkeypatch.setenv("FLAGS_solver", "F")
    monkeypatch.setenv("FLAGS_shuffle", "yes")
    assert read("-fromenv=solver,shuffle", "-tryfromenv=iterations")[0] == {"solver": "F", "shuffle": True}
    monkeypatch.setenv("FLAGS_iterations", "x")
    assert fault("-fromenv=iterations") == "FLAGS_iterations: illegal value 'x' specified for int32 flag 'iterations'"


def test_flags_that_need_not_be_known():
    assert read("-zzz", "-noyyy", "-undefok=zzz,yyy", "train") == ({}, ["train"])
    assert fault("-zzz", "-undefok=yyy") == "unknown command line flag 'zzz'"


def test_help_and_version():
    assert all(parse([name], FLAGS, "caffe").wants_help for name in ("-help", "--helpshort", "--helpfull"))
    assert parse(["-version"], FLAGS, "caffe").wants_version
    assert not parse(["-solver", "F"], FLAGS, "caffe").wants_help
    assert help_text(FLAGS[:2]).splitlines() == [
        "  -solver (text)",
        "      The solver.  [netcli: train SOLVER]",
        "  -iterations (whole number; default 50)",
        "      How many.",
    ]
