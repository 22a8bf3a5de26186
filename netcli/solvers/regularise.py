"""Weight decay: what the regulariser adds to a gradient.

L2   decay * w          the gradient of decay / 2 * sum(w ** 2)
L1   decay * sign(w)    that of decay * sum(|w|)
"""

from __future__ import annotations

from typing import Any

from netcli.errors import NetcliError, suggestion

TYPES = ("L2", "L1")


def is_l1(param: Any) -> bool:
    """Whether a SolverParameter asks for L1 rather than L2; raises NetcliError for anything else."""
    kind = param.regularization_type
    if kind not in TYPES:
        raise NetcliError(
            f'there is no regularization_type "{kind}"{suggestion(kind.upper(), TYPES) or "; there are L2 and L1"}',
            field="regularization_type",
        )
    return bool(kind == "L1")
