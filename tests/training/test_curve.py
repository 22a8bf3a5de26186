import json
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from netcli.training.curve import WIDTH, Line, draw_metrics, read_lines, svg, thinned

NS = {"svg": "http://www.w3.org/2000/svg"}


def polylines(text):
    tree = ET.fromstring(text)
    found = tree.findall("svg:polyline", NS)
    return [[tuple(map(float, pair.split(","))) for pair in line.get("points").split()] for line in found]


values = st.floats(1e-6, 1e6) | st.floats(-1e6, 1e6)
points = st.lists(st.tuples(st.integers(0, 10**6), values), min_size=1).map(sorted)
lines = st.lists(st.builds(Line, st.text("ab<&>", min_size=1), points), min_size=1, max_size=4)


@given(lines, lines)
def test_every_point_is_inside_the_picture(losses, scores):
    text = svg("a <net> & more", losses, scores)
    height = float(ET.fromstring(text).get("height"))
    found = polylines(text)
    assert len(found) == len(losses) + len(scores)
    for points in found:
        for x, y in points:
            assert 0 <= x <= WIDTH
            assert 0 <= y <= height


def test_larger_is_higher():
    ((x0, y0), (x1, y1)) = polylines(svg("n", [Line("loss", [(0, 2.0), (10, 1.0)])], []))[0]
    assert x0 < x1
    assert y0 < y1


def test_a_long_line_is_thinned_to_means():
    assert thinned([(i, float(i % 2)) for i in range(2400)])[:2] == [(1.5, 0.5), (5.5, 0.5)]
    assert thinned([(0, 1.0), (1, 2.0)]) == [(0, 1.0), (1, 2.0)]


def entry(kind, iteration, **more):
    return json.dumps({"kind": kind, "iteration": iteration, "seconds": 0, **more}) + "\n"


def test_lines_of_a_file(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(
        entry("train", 0, loss=2.0, lr=0.1, outputs={})
        + entry("test", 0, net=0, loss=2.5, outputs={"accuracy": 0.1, "loss": 2.5, "prob": [0.5, 0.5]}, losses=["loss"])
        + entry("train", 10, loss=1.5, lr=0.1, outputs={})
        + entry("train", 10, loss=1.0, lr=0.1, outputs={})  # a resumed run tells it again
        + entry("train", 20, loss=None, lr=0.1, outputs={})
        + entry("test", 20, net=1, loss=0.0, outputs={"accuracy": 0.8}, losses=[])
        + entry("snapshot", 20, weights="w", state="s")
    )
    losses, scores = read_lines(path)
    assert losses == [Line("training loss", [(0, 2.0), (10, 1.0)]), Line("test loss", [(0, 2.5)])]
    assert scores == [Line("test accuracy", [(0, 0.1)]), Line("test 1 accuracy", [(20, 0.8)])]
    draw_metrics(path, tmp_path / "curve.svg", "n")
    assert len(polylines((tmp_path / "curve.svg").read_text())) == 4


def test_a_line_that_was_cut_off_is_passed_over(tmp_path):
    """A full disk, or a kill, leaves half a line; a resumed run writes on behind it."""
    path = tmp_path / "metrics.jsonl"
    whole = entry("train", 0, loss=2.0, outputs={})
    path.write_text(
        whole + whole[:20] + entry("train", 5, loss=1.0, outputs={}) + entry("train", 9, loss=1, outputs={})
    )
    assert read_lines(path)[0] == [Line("training loss", [(0, 2.0), (9, 1)])]


def test_every_line_is_drawn_and_named(tmp_path):
    text = svg("n", [Line("loss", [(0, 1.0)])], [Line(f"class {i}", [(0, i / 20), (1, 1.0)]) for i in range(20)])
    assert len(polylines(text)) == 21
    for label in ET.fromstring(text).findall("svg:text", NS):
        assert float(label.get("x")) + (6 * len(label.text) if label.text.startswith("class") else 0) < WIDTH


def test_nothing_to_draw(tmp_path):
    (tmp_path / "metrics.jsonl").write_text("")
    draw_metrics(tmp_path / "metrics.jsonl", tmp_path / "curve.svg", "n")
    assert not (tmp_path / "curve.svg").exists()
