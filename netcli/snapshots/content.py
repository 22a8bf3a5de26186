"""What the files hold, in either format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

from netcli.prototxt import schema

WITHOUT_LIMIT = "snapshot_format: HDF5 has no such limit"  # where either of these is too large for a binary file


class Parameter(Protocol):
    """What is written: a Blob, or anything else with its two arrays."""

    @property
    def data(self) -> Any: ...

    @property
    def diff(self) -> Any: ...


@dataclass
class LayerWeights:
    """A layer of a caffemodel; `type` is its number where the file is of the V1 form, and empty where it is HDF5.

    A blob is None where the file leaves it out, as HDF5 does with parameters that another layer owns.
    """

    name: str = ""
    type: str = ""
    blobs: list[Any] = field(default_factory=list)


@dataclass
class Weights:
    """What a caffemodel holds; the arrays may be read-only."""

    path: str
    name: str = ""
    layers: list[LayerWeights] = field(default_factory=list)


@dataclass
class SolverState:
    """What training goes on from.

    iteration     updates made so far
    learned_net   path of the caffemodel with the weights
    history       the solver's arrays, in Caffe's order
    current_step  steps of the rate taken so far (lr_policy "multistep")
    run           RunState: seed, positions of the sources, ...; empty in a file of Caffe's
    """

    iteration: int = 0
    learned_net: str = ""
    history: list[Any] = field(default_factory=list)
    current_step: int = 0
    run: Any = field(default_factory=lambda: schema.RunState())
