import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from netcli.errors import DataError
from netcli.sources.window_list import Window, read_windows

TEXT = """\
# 0
a.jpg
3
30
40
3
7 0.9 1 2 11 12
3 0.2 0 0 5 6
4 0.45 3 3 4 4
# 1
b.jpg
3
50
60
0
# 2
c.jpg
1
10
20
1
2 0.5 9 8 19 9
"""


def read(folder, text, fg_threshold=0.5, bg_threshold=0.5):
    (folder / "windows.txt").write_bytes(text.encode() if isinstance(text, str) else text)
    return read_windows(str(folder / "windows.txt"), fg_threshold, bg_threshold)


def refusal(folder, text, **thresholds):
    with pytest.raises(DataError) as caught:
        read(folder, text, **thresholds)
    return str(caught.value).removeprefix(f"{folder}/windows.txt")


def rows(table):
    return [Window(*row) for row in table.tolist()]


def test_windows_are_parted_by_their_overlaps(tmp_path):
    windows = read(tmp_path, TEXT)
    assert windows.paths == ["a.jpg", "b.jpg", "c.jpg"]
    assert windows.lines == [2, 11, 17]
    assert windows.sizes.tolist() == [[30, 40], [50, 60], [10, 20]]
    assert rows(windows.foreground) == [Window(0, 7, 1, 2, 11, 12, 7), Window(2, 2, 9, 8, 19, 9, 22)]
    assert rows(windows.background) == [Window(0, 0, 0, 0, 5, 6, 8), Window(0, 0, 3, 3, 4, 4, 9)]
    assert len(windows) == 4


def test_a_window_between_the_thresholds_is_not_used_and_one_above_both_is_foreground(tmp_path):
    between = read(tmp_path, TEXT, fg_threshold=0.5, bg_threshold=0.3)
    assert (len(between.foreground), len(between.background)) == (2, 1)
    crossed = read(tmp_path, TEXT, fg_threshold=0.3, bg_threshold=0.95)
    assert (len(crossed.foreground), len(crossed.background)) == (3, 1)


def test_thresholds_are_compared_in_single_precision_as_in_caffe(tmp_path):
    # 0.7 is less than the nearest float, which a prototxt's 0.7 is.
    windows = read(tmp_path, TEXT.replace("0.9", "0.7"), fg_threshold=float(np.float32(0.7)))
    assert rows(windows.foreground)[0].label == 7


@pytest.mark.parametrize("change", [lambda t: t.replace("\n", " "), lambda t: t.replace("\n", "\r\n\n"), str.split])
def test_only_the_order_of_words_matters(tmp_path, change):
    changed = change(TEXT)
    windows = read(tmp_path, changed if isinstance(changed, str) else "\n".join(changed))
    wanted = read(tmp_path, TEXT)
    assert windows.paths == wanted.paths
    np.testing.assert_array_equal(windows.foreground[:, :6], wanted.foreground[:, :6])
    np.testing.assert_array_equal(windows.background[:, :6], wanted.background[:, :6])


def test_windows_over_several_lines_have_the_line_they_begin_on(tmp_path):
    windows = read(tmp_path, TEXT.replace("7 0.9 1", "7\n0.9\n1"))
    assert [window.line for window in rows(windows.foreground)] == [7, 24]


def test_a_mark_of_utf_8_is_passed_over(tmp_path):
    assert read(tmp_path, b"\xef\xbb\xbf" + TEXT.encode()).paths[0] == "a.jpg"


@given(st.lists(st.lists(st.tuples(*[st.integers(0, 500)] * 5, st.floats(0, 1, width=32)), max_size=5), min_size=1))
def test_what_was_written_is_read(tmp_path_factory, images):
    folder = tmp_path_factory.mktemp("windows")
    lines = []
    wanted = {"foreground": [], "background": []}
    for number, windows in enumerate(images):
        lines += [f"# {number}", f"{number}.png", "3", "100", "200", f"{len(windows)}"]
        for label, x, y, width, height, overlap in windows:
            box = (x, y, x + width, y + height)
            lines.append(f"{label + 1} {overlap:.9g} {' '.join(map(str, box))}")
            kind = "foreground" if overlap >= 0.5 else "background"
            wanted[kind].append((number, label + 1 if kind == "foreground" else 0, *box, len(lines)))
    found = read(folder, "\n".join(lines))
    assert rows(found.foreground) == wanted["foreground"]
    assert rows(found.background) == wanted["background"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("# 0", "0", ":1: '0' stands where the '#' of image 0 is due"),
        ("# 1", "9 0.1 1 1 2 2\n# 1", ":10: '9' stands where the '#' of image 1 is due, after the windows of image 0"),
        ("# 1", "# 2", ":10: image 2 stands where 1 is due; images are numbered 0, 1, 2, ... in their order"),
        ("# 1", "# one", ":10: the number of an image is a whole number, found 'one'"),
        ("30\n", "thirty\n", ":4: the height of an image is a whole number, found 'thirty'"),
        ("40\n3\n", "40\n-3\n", ":6: an image can't have -3 windows"),
        ("40\n3\n", "40\n4\n", ":10: class of a window is a number, found '#'"),
        ("0.2", "x", ":8: overlap of a window is a number, found 'x'"),
        ("0.2", "nan", ":8: class and x1 y1 x2 y2 of a window are whole numbers, and its overlap is a finite one"),
        ("5 6", "5.5 6", ":8: class and x1 y1 x2 y2 of a window are whole numbers, and its overlap is a finite one"),
        ("5 6", "9999999999 6", ":8: class and x1 y1 x2 y2 of a window are whole numbers, and its overlap is a finite"),
        ("11 12", "0 12", ":7: a window from (1, 2) to (0, 12) ends before it begins"),
        (
            "7 0.9",
            "0 0.9",
            ":7: a window of the foreground has class 0; its classes begin at 1, for 0 is the background",
        ),
        ("9 8 19 9\n", "9 8 19", " ends where y2 of window 1 of 1 is due; it is cut off"),
        ("20\n1\n2 0.5 9 8 19 9\n", "", " ends where the width of an image is due; it is cut off"),
        (TEXT, "\n \n", " lists no images"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path, old, new, sentence):
    assert old in TEXT
    assert refusal(tmp_path, TEXT.replace(old, new, 1)).startswith(sentence)


def test_no_file(tmp_path):
    with pytest.raises(DataError, match=r"none.txt can't be read: No such file"):
        read_windows(str(tmp_path / "none.txt"), 0.5, 0.5)
