"""Files of windows in images, and of what a Detector found in them."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from netcli.arrays import hdf5
from netcli.errors import DataError, Place
from netcli.snapshots.atomic import atomic_stream

CORNERS = ("ymin", "xmin", "ymax", "xmax")
COLUMNS = ("filename", *CORNERS)


def read_windows(path: str) -> list[tuple[str, Any]]:
    """The images of a .csv file, each with its windows (n, 4), ymin, xmin, ymax, xmax in pixels.

    The file's first line names its columns, in any order: filename, ymin, xmin, ymax, xmax; others are passed over.
    Images stand in the order of their first lines, each once.  The windows are int64 where all are whole numbers, else
    float64.  Raises DataError, with the line.
    """
    windows: dict[str, list[list[float]]] = {}
    for line, row in _rows(path):
        try:
            corners = [float(row[name] or "") for name in CORNERS]
        except ValueError:
            raise DataError(f"{', '.join(CORNERS)} are not all numbers", place=Place(path, line)) from None
        ymin, xmin, ymax, xmax = corners
        if not all(map(math.isfinite, corners)) or ymin >= ymax or xmin >= xmax:
            told = ", ".join(f"{corner:g}" for corner in corners)
            raise DataError(f"the window {told} is empty: ymin < ymax and xmin < xmax", place=Place(path, line))
        windows.setdefault(row["filename"] or "", []).append(corners)
    if not windows:
        raise DataError("has no windows", place=Place(path))
    return [(name, _whole(np.array(corners))) for name, corners in windows.items()]


def _rows(path: str) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    """The number and the fields of each line after the first."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, skipinitialspace=True)
            missing = [name for name in COLUMNS if name not in (reader.fieldnames or ())]
            if missing:
                raise DataError(
                    f"has no column {', '.join(missing)}; the first line names {','.join(COLUMNS)}",
                    place=Place(path, 1),
                )
            for row in reader:
                yield reader.line_num, row
    except OSError as fault:
        raise DataError(f"can't be read: {fault.strerror}", place=Place(path)) from None
    except (UnicodeDecodeError, csv.Error) as fault:
        raise DataError(f"is not a .csv text: {fault}", place=Place(path)) from None


def _whole(windows: Any) -> Any:
    is_whole = (windows == np.trunc(windows)) & (abs(windows) < 2**53)  # above that float64 leaves numbers out
    return windows.astype(np.int64) if is_whole.all() else windows


def write_csv(path: str, detections: Sequence[Mapping[str, Any]]) -> None:
    """Write what `Detector.detect_windows` returned, a line each: the columns of `read_windows`, class0, class1, ...

    Raises SnapshotError.
    """
    classes = detections[0]["prediction"].size
    with atomic_stream(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        rows = csv.writer(text, lineterminator="\n")
        rows.writerow([*COLUMNS, *(f"class{index}" for index in range(classes))])
        for found in detections:
            rows.writerow([found["filename"], *found["window"], *found["prediction"].ravel()])
        text.detach()


def write_hdf5(path: str, detections: Sequence[Mapping[str, Any]]) -> None:
    """The same in HDF5, a row each in three datasets; raises SnapshotError, and NetcliError where h5py is missing.

    filename    (n,) text, UTF-8
    window      (n, 4), ymin, xmin, ymax, xmax
    prediction  (n, ...) float32, the net's output
    """
    names = np.array([found["filename"] for found in detections], hdf5.require().string_dtype())
    with atomic_stream(path) as stream, hdf5.writing(stream) as file:
        file["filename"] = names
        file["window"] = np.stack([found["window"] for found in detections])
        file["prediction"] = np.stack([found["prediction"] for found in detections])
