"""Charts of numbers over iterations or time, as SVG: panels one above the other, and the names of their lines."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 720, 250  # of one panel with one row of names, in pixels
LEFT, RIGHT, TOP, BOTTOM = 64, 16, 34, 34  # margins of the axes in it
ROW = 16  # of names
COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377")  # Tol's "bright": told apart by all eyes
DASHES = ("", "7 3", "2 2", "8 3 2 3")  # lengths in pixels of what is drawn and what is not
POINTS = 600  # of a line; more than that are averaged, a line is not wider in pixels
LARGEST = 1e100  # numbers beyond that are not drawn; a net's own, in single precision, reach 3.4e38
SMALLEST = 1e-300  # what is nearer to 0 is drawn as 0
LOG_FROM = 30.0  # values that span this factor are drawn on a logarithmic axis, where a panel may have one


@dataclass
class Line:
    """A curve: its name and its (x, y) in order.

    style: numbers of a colour and of a kind of dashes, 0 for a whole line; None: those that are next in the panel.
    """

    name: str
    points: list[tuple[float, float]]
    style: tuple[int, int] | None = None


@dataclass
class Panel:
    """Lines that share an axis of values.

    label: what the values are; empty where the lines' names say it.
    may_be_log: whether values that span the factor LOG_FROM are drawn on a logarithmic axis.
    """

    lines: list[Line]
    label: str = ""
    may_be_log: bool = False

    def __post_init__(self) -> None:
        found = [replace(line, points=list(filter(_is_drawn, line.points))) for line in self.lines]
        self.lines = [line for line in found if line.points]

    @property
    def is_log(self) -> bool:
        """Whether the axis of values is logarithmic."""
        values = [y for line in self.lines for _, y in line.points]
        return self.may_be_log and bool(values) and min(values) > SMALLEST and max(values) / min(values) >= LOG_FROM


def _is_drawn(point: tuple[float, float]) -> bool:
    return all(abs(number) <= LARGEST for number in point)  # not nan either


def svg(title: str, panels: Sequence[Panel], x_label: str = "iteration") -> str:
    """The picture: those of the panels that have points, each over the whole span of x.

    Numbers that are not finite, or above LARGEST, are left out.
    """
    x_max = max((x for panel in panels for line in panel.lines for x, _ in line.points), default=1) or 1
    drawn: list[str] = []
    top = 14.0
    for panel in panels:
        if panel.lines:
            legend, rows = _legend(panel.lines, top + TOP - 12)
            top += (rows - 1) * ROW
            drawn += legend + _panel(panel, top, x_max)
            top += HEIGHT
    height = int(top) + 8
    size = f'width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} viewBox="0 0 {WIDTH} {height}" font-family="sans-serif"',
        'font-size="12" fill="#333">',
        f'<rect {size} fill="#fff"/>',
        f'<text x="{LEFT}" y="18" font-size="14" font-weight="bold">{escape(title)}</text>',
        *drawn,
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2:g}" y="{height - 6}" text-anchor="middle">{escape(x_label)}</text>',
    ]
    return "\n".join([*parts, "</svg>\n"])


def styled(lines: Sequence[Line]) -> list[tuple[Line, str, str]]:
    """The lines, each with its colour and its dashes, which are empty for a line that is whole."""
    found = []
    for number, line in enumerate(lines):
        colour, dashes = line.style or (number, number // len(COLOURS))
        found.append((line, COLOURS[colour % len(COLOURS)], DASHES[dashes % len(DASHES)]))
    return found


def _stroke(colour: str, dashes: str) -> str:
    return f'stroke="{colour}"' + (f' stroke-dasharray="{dashes}"' if dashes else "")


def _legend(lines: Sequence[Line], top: float) -> tuple[list[str], int]:
    """The names of lines with their last values, side by side; and how many rows they take."""
    parts = []
    x, rows = float(LEFT), 1
    for line, colour, dashes in styled(lines):
        label = labelled(line)
        width = 34 + 6.6 * len(label)  # a letter of this font is about so wide
        if x > LEFT and x + width > WIDTH:
            x, rows = float(LEFT), rows + 1
        y = top + (rows - 1) * ROW
        parts.append(f'<path d="M{x:g} {y:g}h16" {_stroke(colour, dashes)} stroke-width="2"/>')
        parts.append(f'<text x="{x + 20:g}" y="{y + 4:g}">{escape(label)}</text>')
        x += width
    return parts, rows


def labelled(line: Line) -> str:
    """A line's name with its last value."""
    return f"{line.name} {line.points[-1][1]:.4g}"


def _panel(panel: Panel, top: float, x_max: float) -> list[str]:
    values = [y for line in panel.lines for _, y in line.points]
    ticks = _log_ticks(min(values), max(values)) if panel.is_log else _ticks(min(values), max(values))
    scale = math.log10 if panel.is_log else float
    first, last = scale(ticks[0]), scale(ticks[-1])

    def at(x: float, y: float) -> tuple[float, float]:
        across = LEFT + (WIDTH - LEFT - RIGHT) * x / x_max
        up = (scale(y) - first) / (last - first)
        return across, top + HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * up

    parts = []
    for tick in ticks:
        y = at(0, tick)[1]
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="#ddd"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>')
    for tick in _ticks(0, x_max):
        if tick <= x_max:
            x, y = at(tick, ticks[0])
            parts.append(f'<path d="M{x:.1f} {y:.1f}v4" stroke="#999"/>')
            parts.append(f'<text x="{x:.1f}" y="{y + 17:.1f}" text-anchor="middle">{tick:.10g}</text>')
    if panel.label:
        middle = f"14 {top + TOP + (HEIGHT - TOP - BOTTOM) / 2:g}"
        parts.append(
            f'<text transform="translate({middle}) rotate(-90)" text-anchor="middle">{escape(panel.label)}</text>'
        )
    for line, colour, dashes in styled(panel.lines):
        spots = [at(x, y) for x, y in thinned(line.points)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in spots)
        parts.append(f'<polyline points="{path}" fill="none" {_stroke(colour, dashes)} stroke-width="1.6"/>')
        if len(spots) <= 60:  # few enough to be seen one by one; a single point is no line at all
            parts += [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2" fill="{colour}"/>' for x, y in spots]
    return parts


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most POINTS points: the means of groups of neighbours."""
    group = math.ceil(len(points) / POINTS)
    if group <= 1:
        return list(points)
    groups = [points[i : i + group] for i in range(0, len(points), group)]
    return [(sum(x for x, _ in some) / len(some), sum(y for _, y in some) / len(some)) for some in groups]


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers, about five, from at most `low` to at least `high`."""
    span = high - low or abs(high)
    if span < SMALLEST:
        span = 1.0
    rough = span / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * f for f in (1, 2, 5, 10) if power * f >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [i * step for i in range(first, max(last, first + 1) + 1)]


def _log_ticks(low: float, high: float) -> list[float]:
    """1, 2 and 5 times powers of ten, or the powers alone where those are many, around low .. high."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    heads = (1, 2, 5) if last - first <= 3 else (1,)
    ticks = [h * 10.0**e for e in range(first, last + 1) for h in heads]
    inside = [t for t in ticks if low < t < high]
    return [max(t for t in ticks if t <= low), *inside, min((t for t in ticks if t >= high), default=10.0**last)]
