import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.errors import DataError
from netcli.sources.image_list import named, prefix_of, read_lines, read_list

names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zs", "Zl", "Zp"]), min_size=1)
paths = st.lists(names, min_size=1, max_size=3).map(" ".join)  # spaces inside, none at the ends


@given(st.lists(st.tuples(paths, st.integers(-(2**31), 2**31 - 1)), min_size=1), st.sampled_from(["\n", "\r\n"]))
def test_what_was_written_is_read(tmp_path_factory, entries, end):
    file = tmp_path_factory.mktemp("list") / "list.txt"
    file.write_bytes("".join(f"{path} {label}{end}" for path, label in entries).encode())
    images = read_list(str(file))
    assert list(zip(images.paths, images.labels.tolist(), strict=True)) == entries
    assert images.lines.tolist() == list(range(1, len(entries) + 1))
    assert images.labels.dtype == np.int32


def read(tmp_path, content):
    file = tmp_path / "list.txt"
    file.write_bytes(content)
    return read_list(str(file))


def test_the_label_follows_the_last_space_and_empty_lines_are_passed_over(tmp_path):
    images = read(tmp_path, b"a b.png 3\n\n  \nc.png 4 \nd.png -1")
    assert images.paths == ["a b.png", "c.png", "d.png"]
    assert images.labels.tolist() == [3, 4, -1]
    assert images.place(1) == f"{tmp_path}/list.txt:4"


def test_a_tab_before_the_label_and_a_mark_of_utf_8_are_taken(tmp_path):
    images = read(tmp_path, b"\xef\xbb\xbfa b.png\t3\r\nc\td.png 4\n")
    assert images.paths == ["a b.png", "c\td.png"]
    assert images.labels.tolist() == [3, 4]
    assert images.place(0) == f"{tmp_path}/list.txt:1"


def test_a_list_of_paths_alone_may_begin_with_a_mark_too(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbfa.h5\n\nb.h5\n")
    assert read_lines(str(tmp_path / "list.txt"), "files") == [(1, "a.h5"), (3, "b.h5")]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_text_in_utf_16(tmp_path, encoding):
    with pytest.raises(DataError, match=r"list.txt is text in UTF-16; save it as UTF-8$"):
        read(tmp_path, "\ufeffa.png 1\n".encode(encoding))


def test_bytes_that_are_no_text_stay_the_file_s_name(tmp_path):
    (tmp_path / "f").touch()
    name = bytes(tmp_path / "f") + b"\xff"
    open(name, "wb").close()
    (path,) = read(tmp_path, name + b" 0\n").paths
    open(path, "rb").close()


@pytest.mark.parametrize(
    "line", [b"a.png", b"a.png x", b"a.png 1.5", b"a.png\tx", b"a.png 99999999999", b" 1", b"\t1", b"1"]
)
def test_a_line_of_another_form(tmp_path, line):
    with pytest.raises(DataError, match=r"list.txt: 1 of 2 lines \(line 2 \(.*\)\) is not of the form 'path label'"):
        read(tmp_path, b"ok.png 1\n" + line)


def test_several_faults_are_counted_and_the_first_named(tmp_path):
    with pytest.raises(DataError) as caught:
        read(tmp_path, b"good 1\n" + b"bad\n" * 5)
    assert str(caught.value) == (
        f"{tmp_path}/list.txt: 5 of 6 lines (line 2 ('bad'), line 3 ('bad'), line 4 ('bad') and 2 more) are not of the "
        "form 'path label', with a whole number after the last space"
    )


def test_no_list(tmp_path):
    with pytest.raises(DataError, match=r"nothing.txt can't be read: No such file"):
        read_list(str(tmp_path / "nothing.txt"))


def test_an_empty_list(tmp_path):
    with pytest.raises(DataError, match=r"list.txt lists no images"):
        read(tmp_path, b"\n\n")


def test_a_count_of_one():
    assert named(["x"], 1, "image") == "1 of 1 image (x) is"


def test_the_root_is_put_before_a_path_as_it_stands(tmp_path):
    assert prefix_of("") == ""
    assert prefix_of(f"{tmp_path}/") == f"{tmp_path}/"
    assert prefix_of(str(tmp_path)) == f"{tmp_path}/"  # a folder
    assert prefix_of(f"{tmp_path}/photo_") == f"{tmp_path}/photo_"  # and what is none
