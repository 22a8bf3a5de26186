"""The likeliest classes of an image, as commands tell them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np

from netcli.errors import DataError, Place


def read_labels(path: str | None) -> list[str]:
    """The classes' names, one a line, of no file none; raises DataError."""
    if path is None:
        return []
    try:
        return Path(path).read_text(encoding="utf-8-sig").rstrip().splitlines()
    except (OSError, UnicodeDecodeError) as fault:
        reason = getattr(fault, "strerror", None) or fault
        raise DataError(f"labels can't be read: {reason}", place=Place(path)) from None


def check_labels(names: Sequence[str], path: str | None, classes: int) -> None:
    """Raise DataError where a file of names is of another net: it has not one for each class."""
    if path is not None and len(names) != classes:
        raise DataError(f"has names for {len(names)} classes, and the net tells {classes} apart", place=Place(path))


def best(scores: Any, names: Sequence[str], top: int) -> list[dict[str, Any]]:
    """The `top` classes of the highest scores; of equal ones the lower number first."""
    order = np.argsort(-scores, kind="stable")[:top]
    return [
        {"class": int(i), "score": float(scores[i]), **({"label": names[i]} if i < len(names) else {})} for i in order
    ]


def tell(result: dict[str, Any]) -> None:
    """Print an image and its `classes`, which are those of `best`."""
    click.echo(result["image"])
    for entry in result["classes"]:
        label = f"  {entry['label']}" if "label" in entry else ""
        click.echo(f"  {entry['score']:.4f}  {entry['class']}{label}")
