"""What `netcli data` found, as lines for a person and as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from netcli.arrays.layout import size_text
from netcli.cli import table
from netcli.training.data_survey import Looked, Pair

SHOWN = 5  # sizes, faults and pairs that lines name
PAIRS = 1000  # that JSON names, of those that are the same and of near ones
MANY = 0.1  # near pairs for each image, from which on they are no copies
CLASSES = 50  # of more, the table has those with the fewest images


def lines(found: Sequence[Looked], pairs: Sequence[Pair] | None) -> Iterator[str]:
    """For a person; pairs: None where none were looked for."""
    for number, each in enumerate(found):
        yield from _of_set(each)
        if pairs is not None:
            within = [pair for pair in pairs if pair.first[0] == pair.second[0] == number]
            yield from _of_pairs(found, within, "  twice    ")
        yield ""
    for a in range(len(found)):
        for b in range(a + 1, len(found)) if pairs is not None else ():
            between = [pair for pair in pairs or () if {pair.first[0], pair.second[0]} == {a, b}]
            yield f"in {found[a].name} and in {found[b].name}:"
            yield from _of_pairs(found, between, "  ")
            yield ""
    yield from _classes(found)


def _of_set(each: Looked) -> Iterator[str]:
    sampled = "" if each.looked_at == each.records else f", of which {each.looked_at:,}, evenly spread, were looked at"
    yield f"{each.name}: {each.records:,} images{sampled}"
    sizes = [f"{size_text(shape)} ({count:,})" for shape, count in each.shapes.most_common(SHOWN)]
    more = len(each.shapes) - SHOWN
    if sizes:
        yield f"  sizes    {', '.join(sizes)}" + (f" and {more:,} more" if more > 0 else "")
    for channels, moments in sorted(each.moments.items()):
        means, deviations = (" ".join(f"{value:.2f}" for value in values) for values in (moments.mean, moments.std))
        order = " (B G R)" if channels == 3 else ""
        yield f"  colours  mean {means}, standard deviation {deviations}{order}"
    yield from _of_labels(each)
    if each.broken:
        yield f"  broken   {len(each.broken):,} can't be read"
        yield from (f"           {fault}" for fault in each.broken[:SHOWN])


def _of_labels(each: Looked) -> Iterator[str]:
    counts = each.per_class
    if not counts:
        return
    least, most = min(counts, key=lambda i: (counts[i], i)), max(counts, key=lambda i: (counts[i], -i))
    of_net = ""
    if each.ranges:
        narrow = min(each.ranges, key=lambda one: one.classes)
        of_net = f" of {narrow.classes} classes ('{narrow.scores}', read by '{narrow.layer}')"
    yield f"  labels   {len(counts):,} different, {min(counts)}..{max(counts)}{of_net}"
    if counts[least] == counts[most]:
        yield f"           {counts[least]:,} images of each"
    else:
        yield (
            f"           {counts[least]:,} images of label {least} to {counts[most]:,} of label {most}, "
            f"{each.imbalance:.3g} times as many"
        )
    if each.out_of_range:
        shown = ", ".join(f"{label} ({count:,})" for label, count in list(each.out_of_range.items())[:SHOWN])
        more = len(each.out_of_range) - SHOWN
        yield f"  wrong    labels the net has no output for: {shown}" + (f" and {more:,} more" if more > 0 else "")
    if each.empty:
        shown = ", ".join(map(str, each.empty[: 4 * SHOWN]))
        more = len(each.empty) - 4 * SHOWN
        yield f"  empty    no image of label {shown}" + (f" and {more:,} more" if more > 0 else "")


def _of_pairs(found: Sequence[Looked], pairs: Sequence[Pair], start: str) -> Iterator[str]:
    exact = [pair for pair in pairs if pair.exact]
    near = [pair for pair in pairs if not pair.exact]
    if not pairs:
        yield f"{start}no two images are the same, or nearly"
        return
    other = sum(not _same_label(found, pair) for pair in pairs)
    told = [f"{_counted(len(exact), 'image')} the same as an earlier one"] if exact else []
    told += [f"{_counted(len(near), 'pair')} nearly the same"] if near else []
    told += [f"{other:,} of these with different labels"] if other else []
    yield start + ", ".join(told)
    if len(near) > MANY * sum(len(found[number].numbers) for number in {at for pair in near for at in _sets(pair)}):
        yield f"{' ' * len(start)}so many that images here are of few forms; a higher --near tells copies apart"
    for pair in [*exact[:SHOWN], *near[:SHOWN]]:
        first, second = (found[number].named(place) for number, place in (pair.first, pair.second))
        yield f"{' ' * len(start)}{second} {'=' if pair.exact else '~'} {first}"


def _sets(pair: Pair) -> tuple[int, int]:
    return pair.first[0], pair.second[0]


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what} is" if count == 1 else f"{count:,} {what}s are"


def _same_label(found: Sequence[Looked], pair: Pair) -> bool:
    first, second = (found[number].labels[place] for number, place in (pair.first, pair.second))
    return first == second


def _classes(found: Sequence[Looked]) -> Iterator[str]:
    """The table of labels, a column for each set."""
    counts = [each.per_class for each in found]
    labels = sorted({label for each in counts for label in each} | {label for each in found for label in each.empty})
    if len(labels) > CLASSES:
        yield f"the {CLASSES} of {len(labels):,} labels with the fewest images; --json has all"
        labels = sorted(sorted(labels, key=lambda label: sum(each[label] for each in counts))[:CLASSES])
    rows = [[str(label), *(f"{each[label]:,}" for each in counts)] for label in labels]
    yield from table.lines(["label", *(each.name for each in found)], rows, left=1)


def json_text(found: Sequence[Looked], pairs: Sequence[Pair] | None) -> str:
    """All of it; `duplicates` is null where none were looked for, and names the first PAIRS of each kind."""

    def record(at: tuple[int, int]) -> dict[str, Any]:
        each = found[at[0]]
        return {"set": each.name, "record": each.named(at[1]), "label": each.labels[at[1]]}

    return json.dumps(
        {
            "sets": [_set(each) for each in found],
            "duplicates": None
            if pairs is None
            else {
                name: {
                    "count": len(kind),
                    "other_labels": sum(not _same_label(found, pair) for pair in kind),
                    "pairs": [[record(pair.first), record(pair.second)] for pair in kind[:PAIRS]],
                }
                for name, kind in (
                    ("same", [pair for pair in pairs if pair.exact]),
                    ("near", [pair for pair in pairs if not pair.exact]),
                )
            },
        },
        indent=2,
    )


def _set(each: Looked) -> dict[str, Any]:
    return {
        "name": each.name,
        "records": each.records,
        "looked_at": each.looked_at,
        "sizes": [{"shape": shape, "images": count} for shape, count in each.shapes.most_common()],
        "colours": [
            {
                "channels": channels,
                "images": moments.images,
                "mean": moments.mean.tolist(),
                "std": moments.std.tolist(),
            }
            for channels, moments in sorted(each.moments.items())
        ],
        "classes": each.classes,
        "labels": {str(label): each.per_class[label] for label in sorted(each.per_class)},
        "out_of_range": {str(label): count for label, count in each.out_of_range.items()},
        "empty": each.empty,
        "imbalance": each.imbalance,
        "broken": each.broken,
    }
