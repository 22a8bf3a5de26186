"""Parameters without a net, for the solvers' tests."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from google.protobuf import text_format

from netcli.blob import Blob
from netcli.prototxt import schema
from netcli.prototxt.lines import Document, Lines


@dataclass
class Parameter:
    blob: Any
    lr_mult: float = 1.0
    decay_mult: float = 1.0
    name: str = ""
    layer: str = "ip"
    index: int = 0


def parameter(array, lr_mult=1.0, decay_mult=1.0):
    blob = Blob(np.shape(array), np.asarray(array).dtype, parameter=True)
    blob.data[...] = array
    return Parameter(blob, lr_mult, decay_mult)


def solver_document(text):
    """A solver's message, every field of which stands on line 7 of s.prototxt."""
    message = text_format.Parse(text, schema.SolverParameter())
    fields = {d.name: [Lines("s.prototxt", 7)] for d, _ in message.ListFields()}
    return Document(message, Lines("s.prototxt", 1, fields))
