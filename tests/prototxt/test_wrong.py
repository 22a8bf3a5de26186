"""One file for each mistake, with the sentence that tells it in its first line."""

from pathlib import Path

import pytest

from netcli.errors import Place, PrototxtError
from netcli.prototxt import kind, parse, read_net, read_solver, schema

WRONG = sorted(Path(__file__).with_name("wrong").glob("*.prototxt"))
SOLVERS = {"solver_net_inside", "solver_type_twice"}


def fault(read, path):
    """What reading a file says, without the file's name: "5: ..." or "..."."""
    with pytest.raises(PrototxtError) as caught:
        read(str(path))
    return str(caught.value).removeprefix(f"{path}:").strip()


@pytest.mark.parametrize("path", WRONG, ids=[path.stem for path in WRONG])
def test_wrong(path):
    first, _ = path.read_text().split("\n", 1)
    assert fault(read_solver if path.stem in SOLVERS else read_net, path) == first.removeprefix("# expect: ")


def test_there_are_wrong_files():
    assert len(WRONG) > 40


@pytest.mark.parametrize("read", [read_net, read_solver, kind])
def test_files_that_are_not_there_or_no_text(read, tmp_path):
    net = schema.NetParameter(name="LeNet")
    net.layer.add(name="conv1").blobs.add(data=[0.5, 1.0])
    for name, data in {"binary.caffemodel": net.SerializeToString(), "short": b"\n\x05LeNet"}.items():
        (tmp_path / name).write_bytes(data)
        assert fault(read, tmp_path / name) == "is a binary file, not prototxt text; is it a caffemodel?"
    assert fault(read, tmp_path / "none.prototxt") == "there is no such file"
    assert fault(read, tmp_path) == "is a folder, not a prototxt"


def test_an_empty_file(tmp_path):
    path = tmp_path / "empty.prototxt"
    path.write_text("")
    assert fault(read_net, path) == "is empty; a NetParameter is wanted"
    assert fault(read_solver, path) == "is empty; a SolverParameter is wanted"
    assert fault(kind, path) == "has no field; a net or a solver is wanted"


def test_a_net_where_a_solver_is_wanted(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text('name: "LeNet" layer { name: "data" }')
    assert fault(read_solver, path) == "is a net, where a solver is wanted"


def test_bytes_that_are_not_utf8_matter_in_strings_alone(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_bytes('# caf\xe9\nname: "caf" # \xe9'.encode("latin-1"))
    assert read_net(str(path)).message.name == "caf"
    path.write_bytes('# comment\nname: "caf\xe9"'.encode("latin-1"))
    assert fault(read_net, path) == "2: NetParameter.name takes UTF-8 text, found the byte 0xe9"
    path.write_bytes('force_backward: "\xe9"'.encode("latin-1"))
    assert fault(read_net, path) == '1: NetParameter.force_backward takes true or false, found "\\udce9"'


def test_long_tokens_are_cut_in_messages():
    with pytest.raises(PrototxtError, match=r":1: NetParameter.force_backward takes true or false, found x{60}\.\.\.$"):
        parse(f"force_backward: {'x' * 1000}", schema.NetParameter)


def test_a_text_without_a_file():
    with pytest.raises(PrototxtError, match=r"^<text>:2: NetParameter has no field 'nme'; did you mean 'name'"):
        parse("\nnme: 'x'", schema.NetParameter)


TEXT = """name: "cut" # comment
layer { name: "a" type: 'Convolution' bottom: "data" top: "a"
  convolution_param < num_output: 20, kernel_size: [5, 0x5]; weight_filler { type: "gauss" "ian" std: -1.5e-3f } >
}
layer { name: "b" param [ { lr_mult: 1 }, { lr_mult: inf } ] loss_param { normalization: VALID ignore_label: -1 } }
"""


def cut(end):
    """What becomes of the first characters of TEXT: the number of layers read, or the place of the fault."""
    try:
        return len(parse(TEXT[:end], schema.NetParameter, "cut.prototxt").message.layer)
    except PrototxtError as fault:
        return fault.place


def test_a_text_cut_anywhere_is_read_or_refused_with_its_line():
    assert cut(0) == Place("cut.prototxt")
    for end in range(1, len(TEXT)):
        outcome = cut(end)
        if isinstance(outcome, Place):
            assert outcome.file == "cut.prototxt"
            assert 1 <= outcome.line <= TEXT[:end].count("\n") + 1
        else:
            assert outcome <= 2
    assert cut(len(TEXT)) == 2
