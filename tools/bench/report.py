"""What a comparison found, as lines of text."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

MIB = 1 << 20


@dataclass
class Result:
    """A side's turns.

    times    milliseconds of a step, turn by turn
    flop     floating point operations of a step; 0: not known
    peak     bytes resident at most
    imports  bytes of them before the net was made
    fault    why it did not run, and "" where it did
    """

    times: list[float] = field(default_factory=list)
    flop: int = 0
    peak: int = 0
    imports: int = 0
    fault: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.times)

    def gflops(self) -> float:
        return self.flop / self.median / 1e6


def spread(values: Sequence[float]) -> tuple[float, float, float]:
    """(lowest, median, highest)."""
    return min(values), statistics.median(values), max(values)


def ratio(first: Result, other: Result) -> tuple[float, float, float]:
    """What the first takes of the other's time, turn by turn: (lowest, median, highest)."""
    return spread([a / b for a, b in zip(first.times, other.times, strict=True)])


def _row(name: str, result: Result, first: Result, peak: float) -> str:
    if result.fault:
        return f"  {name:20s} did not run: {result.fault}"
    low, middle, high = ratio(first, result)
    ratios = f"{middle:.2f} ({low:.2f}-{high:.2f})" if result is not first else ""
    speed = f"{result.gflops():.3g}" if result.flop else ""
    share = f"{100 * result.gflops() / peak:4.0f} %" if result.flop and peak else ""
    memory = f"{(result.peak - result.imports) / MIB:8.0f} + {result.imports / MIB:.0f}"
    return f"  {name:20s} {result.median:10.3f}  {ratios:18s} {speed:>8s} {share:>8s}  {memory}".rstrip()


def table(results: Mapping[str, Result], peak: Sequence[float]) -> list[str]:
    """A line for each side; the first one's time is divided by each.

    peak  GFLOP/s of the processor, turn by turn; empty: not measured
    """
    first = next(iter(results.values()))
    head = f"  {'side':20s} {'median ms':>10s}  {'ratio':18s} {'GFLOP/s':>8s} {'of peak':>8s}  MiB of net + imports"
    if first.fault:
        return [f"  {name:20s} {result.fault or 'was not compared'}" for name, result in results.items()]
    middle = statistics.median(peak) if peak else 0.0
    lines = [head, *(_row(name, result, first, middle) for name, result in results.items())]
    uncompiled = [results[name] for name in ("torch eager", "torch channels_last") if name in results]
    ran = [result for result in uncompiled if not result.fault]
    if len(ran) > 1:
        low, best, high = ratio(first, min(ran, key=lambda result: result.median))
        lines.append(f"  of the better of torch eager and channels_last: {best:.2f} ({low:.2f}-{high:.2f})")
    if peak:
        low, middle, high = spread(peak)
        lines.append(f"  peak of the processor, turn by turn: {middle:.0f} GFLOP/s ({low:.0f}-{high:.0f})")
    return lines
