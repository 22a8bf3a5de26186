"""What losses share: the shape of their result, and what the sum over the batch is divided by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from netcli.blob import Blob
from netcli.errors import NetcliError, ShapeError
from netcli.layers.base import Arity, Layer
from netcli.prototxt import schema
from netcli.prototxt.fork_fields import refuse_fork_fields

# Probabilities are taken to be at least this in the logarithms of MultinomialLogisticLoss and InfogainLoss.
LOG_THRESHOLD = 1e-20  # Caffe's kLOG_THRESHOLD

MODES = ("FULL", "VALID", "BATCH_SIZE", "NONE")  # see Normalization


class Loss(Layer):
    """A number to be made small, from predictions and labels for the same batch; for inheriting.

    bottom  x, labels  the same number of items along axis 0; labels have no gradient
    top     loss       a scalar; its diff holds the loss weight at backward
    images             what losses that are means over the batch divide by
    """

    bottoms: ClassVar[Arity] = 2
    is_loss = True
    no_gradient: ClassVar[tuple[int, ...] | None] = (1,)

    def reshape(self, bottom: Sequence[Blob], top: Sequence[Blob]) -> None:
        x, labels = bottom[:2]
        if not x.shape or x.shape[:1] != labels.shape[:1]:
            raise ShapeError(
                f"bottoms {self.named(0, x.shape)} and {self.named(1, labels.shape)} differ along axis 0, the batch",
                field="bottom",
            )
        self.images = max(1, x.shape[0])  # a batch of none, which Filter may give, has loss 0 and not NaN
        top[0].reshape(())


@dataclass(frozen=True)
class Normalization:
    """What a sum of losses is divided by, and which label takes no part in it: LossParameter.

    mode    FULL: all items, ignored ones too; VALID: the items not ignored; BATCH_SIZE: the images; NONE: 1
    ignore  the label of items that are left out; None: there is no such label
    """

    mode: str
    ignore: int | None

    @classmethod
    def of(cls, param: Any, default: str = "VALID") -> Normalization:
        """From LossParameter; the old field `normalize` is VALID or BATCH_SIZE, and `normalization` goes before it.

        Raises NetcliError for what forks have added to it.
        """
        refuse_fork_fields(param, "loss_param")
        if param.HasField("normalization"):
            mode = schema.LossParameter.NormalizationMode.Name(param.normalization)
            if mode not in MODES:
                raise NetcliError(
                    f"normalization {mode} is not in netcli yet; {', '.join(MODES)} are",
                    field="loss_param.normalization",
                )
        elif param.HasField("normalize"):
            mode = "VALID" if param.normalize else "BATCH_SIZE"
        else:
            mode = default
        return cls(mode, param.ignore_label if param.HasField("ignore_label") else None)

    def divisor(self, images: int, items: int, ignored: Any) -> Any:
        """At least 1, so that a batch without a label gives 0 and not NaN.

        images   labels along the axes before the class axis
        items    all labels
        ignored  mask of the ignored ones, or None
        """
        if self.mode == "VALID" and ignored is not None:
            return (items - ignored.sum()).clip(1)
        return max(1, {"FULL": items, "VALID": items, "BATCH_SIZE": images, "NONE": 1}[self.mode])
