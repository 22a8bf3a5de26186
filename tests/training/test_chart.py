import math
import xml.etree.ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from netcli.training.chart import COLOURS, HEIGHT, WIDTH, Line, Panel, styled, svg, thinned

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
    text = svg("a <net> & more", [Panel(losses, may_be_log=True), Panel(scores, "<score>")])
    height = float(ET.fromstring(text).get("height"))
    found = polylines(text)
    assert len(found) == len(losses) + len(scores)
    for points in found:
        for x, y in points:
            assert 0 <= x <= WIDTH
            assert 0 <= y <= height


def test_larger_is_higher():
    ((x0, y0), (x1, y1)) = polylines(svg("n", [Panel([Line("loss", [(0, 2.0), (10, 1.0)])])]))[0]
    assert x0 < x1
    assert y0 < y1


def test_a_long_line_is_thinned_to_means():
    assert thinned([(i, float(i % 2)) for i in range(2400)])[:2] == [(1.5, 0.5), (5.5, 0.5)]
    assert thinned([(0, 1.0), (1, 2.0)]) == [(0, 1.0), (1, 2.0)]


def test_every_line_is_drawn_and_named():
    text = svg(
        "n",
        [Panel([Line("loss", [(0, 1.0)])]), Panel([Line(f"class {i}", [(0, i / 20), (1, 1.0)]) for i in range(20)])],
    )
    assert len(polylines(text)) == 21
    for label in ET.fromstring(text).findall("svg:text", NS):
        assert float(label.get("x")) + (6 * len(label.text) if label.text.startswith("class") else 0) < WIDTH


def test_numbers_that_are_not_finite_are_left_out():
    text = svg(
        "n", [Panel([Line("loss", [(0, math.nan), (1, 2.0), (2, math.inf), (3, 1.0)]), Line("b", [(0, math.nan)])])]
    )
    assert [len(points) for points in polylines(text)] == [2]


def test_a_wide_span_of_losses_has_a_logarithmic_axis():
    line = Line("loss", [(0, 100.0), (1, 10.0), (2, 1.0)])
    (points,) = polylines(svg("n", [Panel([line], may_be_log=True)]))
    heights = [y for _, y in points]
    assert abs((heights[1] - heights[0]) - (heights[2] - heights[1])) < 0.2
    (points,) = polylines(svg("n", [Panel([line])]))
    assert points[1][1] - points[0][1] > 5 * (points[2][1] - points[1][1])


def test_the_axes_are_named():
    texts = [
        t.text
        for t in ET.fromstring(svg("n", [Panel([Line("a", [(0, 1.0)])], "loss")], "seconds")).findall("svg:text", NS)
    ]
    assert {"n", "loss", "seconds", "a 1"} <= set(texts)


def test_many_lines_differ_in_colour_or_dashes():
    lines = [Line(str(i), [(0, 1.0)]) for i in range(3 * len(COLOURS))]
    assert len({(colour, dashes) for _, colour, dashes in styled(lines)}) == len(lines)
    ((_, colour, dashes),) = styled([Line("a", [(0, 1.0)], style=(1, 0))])
    assert (colour, dashes) == (COLOURS[1], "")


def test_numbers_beyond_any_nets_are_left_out():
    points = [(0, 1e308), (1, -1e308), (2, 1e-320), (3, 3e38), (math.inf, 1.0)]
    (found,) = polylines(svg("n", [Panel([Line("loss", points)])]))
    assert len(found) == 2


def test_numbers_next_to_nothing_are_drawn_as_nothing():
    assert not Panel([Line("c", [(0, 5e-324), (1, 1.0)])], may_be_log=True).is_log
    (((_, y),), ((_, z),)) = polylines(svg("n", [Panel([Line("a", [(0, 5e-324)])]), Panel([Line("b", [(0, 0.0)])])]))
    assert z - y == HEIGHT
