"""One operation of cuDNN's: a graph, and which of its plans serves it.

Everything that is asked of cuDNN's module is asked here: graphs by its frontend (`cudnn.pygraph`), and the arrays by
their addresses.  Plans differ in time and in last bits; one that serves a net that lasts is chosen by
`choices.Choices`, see Note [Timing] there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from netcli.arrays.choices import Choices
from netcli.arrays.cuda.device import CudaDevice
from netcli.arrays.layout import Shape, size_text
from netcli.arrays.unsupported import Unsupported

MOST = 8  # plans that are timed
BIAS, BIAS_AND_RELU = "bias", "bias and ReLU"
LOOKS = 3  # at each plan, of which the shortest counts
GAIN = 0.97  # of the time of the first plan: another is taken only where it does with less


class Tensor(NamedTuple):
    """An array of an operation: its shape and strides as (N, C, H, W), in items, though C lies innermost."""

    shape: Shape
    strides: Shape


class Window(NamedTuple):
    """Of a convolution; padding before and behind."""

    stride: Shape
    before: Shape
    behind: Shape
    dilation: Shape


class Graph:
    """A convolution or one of its gradients; raises Unsupported where cuDNN has no plan for it.

    operation  "forward" of x and w, "backward_data" of dy and w, "backward_weights" of x and dy
    a, b, c    what is multiplied, and the result
    bf16       a and b are of bfloat16; c is float32 always
    behind     what forward does to its results in the same pass: "", BIAS, or BIAS_AND_RELU, of slope 0
    """

    def __init__(
        self,
        card: CudaDevice,
        operation: str,
        a: Tensor,
        b: Tensor,
        c: Tensor,
        window: Window,
        bf16: bool,
        behind: str = "",
    ) -> None:
        self._card = card
        self._cudnn, self._handle = card.cudnn
        self.key = ", ".join(
            [
                f"cuDNN convolution {operation.replace('_', ' ')} {size_text(a.shape)}",
                f"with {size_text(b.shape)} to {size_text(c.shape)}",
                *(f"{name} {size_text(sizes)}" for name, sizes in zip(window._fields, window, strict=True)),
                f"channels of all {a.strides[3]}, {c.strides[3]}",
                *[f"and {behind}"] * bool(behind),
                *["bf16"] * bf16,
                *["tf32"] * card.tf32,
                *["deterministic"] * card.deterministic,
            ]
        )
        self._plan: int | None = None
        self._memory: Any = None  # that the plan works in
        try:
            self._graph = self._built(operation, a, b, c, window, bf16, behind)
        except self._faults as fault:
            raise Unsupported(f"cuDNN declines {self.key}: {_first_line(fault)}") from None

    @property
    def _faults(self) -> tuple[type[Exception], ...]:
        return (self._cudnn.cudnnGraphNotSupportedError, RuntimeError, ValueError)

    def _built(self, operation: str, a: Tensor, b: Tensor, c: Tensor, window: Window, bf16: bool, behind: str) -> Any:
        cudnn = self._cudnn
        real = cudnn.data_type.FLOAT
        given = cudnn.data_type.BFLOAT16 if bf16 else real
        graph = cudnn.pygraph(
            io_data_type=given, intermediate_data_type=real, compute_data_type=real, handle=self._handle
        )
        first, second = (
            graph.tensor(name=name, dim=list(each.shape), stride=list(each.strides), data_type=given, uid=number)
            for number, (name, each) in enumerate((("a", a), ("b", b)), 1)
        )
        how = {
            "pre_padding": list(window.before),
            "post_padding": list(window.behind),
            "stride": list(window.stride),
            "dilation": list(window.dilation),
        }
        if operation == "forward":
            result = graph.conv_fprop(image=first, weight=second, **how)
        elif operation == "backward_data":
            result = graph.conv_dgrad(loss=first, filter=second, **how)
        else:
            result = graph.conv_wgrad(image=first, loss=second, **how)
        if bf16:
            # A product of bfloat16 alone is of bfloat16 in cuDNN; with something behind it, it need not be.  A bias is
            # not enough: plans for that are of one type.
            result = graph.identity(input=self._inner(result, c))
        if behind:
            result = self._followed(graph, self._inner(result, c), c, behind)
        result.set_output(True).set_data_type(real).set_dim(list(c.shape)).set_stride(list(c.strides)).set_uid(3)
        graph.validate()
        graph.build_operation_graph()
        notes = cudnn.numerical_note
        unwanted = [notes.NONDETERMINISTIC] if self._card.deterministic else []
        modes = [cudnn.heur_mode.A]
        if not bf16 and not self._card.tf32:
            unwanted += [notes.TENSOR_CORE, notes.DOWN_CONVERT_INPUTS, notes.REDUCED_PRECISION_REDUCTION]
            modes += [cudnn.heur_mode.B, cudnn.heur_mode.FALLBACK]
        graph.create_execution_plans(modes)
        if unwanted:  # of the plans there are: before, the frontend's older versions would leave out none
            graph.deselect_numeric_notes(unwanted)
        return graph

    def _inner(self, result: Any, c: Tensor) -> Any:
        """What stays within the graph, of c's shape."""
        return result.set_dim(list(c.shape)).set_stride(list(c.strides)).set_data_type(self._cudnn.data_type.FLOAT)

    def _followed(self, graph: Any, result: Any, c: Tensor, behind: str) -> Any:
        filters, real = c.shape[1], self._cudnn.data_type.FLOAT
        strides = [filters, 1, filters, filters]
        bias = graph.tensor(name="bias", dim=[1, filters, 1, 1], stride=strides, data_type=real, uid=4)
        result = graph.bias(input=result, bias=bias)
        if behind == BIAS_AND_RELU:
            # Unless told otherwise cuDNN ends it at the largest float32, and infinity would go unnoticed.
            result = graph.relu(input=self._inner(result, c), upper_clip=float("inf"))
        return result

    def run(self, *addresses: int) -> None:
        """Execute on arrays at these addresses, a, b, c and of biases, by the plan that `settle` found."""
        self._execute(self._plan, self._memory, addresses)

    def _execute(self, plan: Any, memory: Any, addresses: Sequence[int]) -> None:
        at = dict(enumerate(addresses, 1))
        self._graph.execute_plan_at_index(at, 0 if memory is None else self._card.pointer(memory), plan, self._handle)

    # -- which plan

    @property
    def is_settled(self) -> bool:
        return self._plan is not None

    def settle(self, choices: Choices | None, addresses: Sequence[int]) -> None:
        """Find the plan; `c` may be written to.  Raises Unsupported where none can be built."""
        plan = self._known(choices)
        if plan is None:
            plans = self._plans(MOST if choices is not None and choices.may_measure else 1)
            plan = plans[0]
            if choices is not None and len(plans) > 1:
                with choices.measuring():
                    plan = self._fastest(plans, addresses)
                choices.keep(self.machine, self.key, self._name(plan), on_disk=True)
        count = self._nbytes(plan)
        self._memory = self._card.library_work(count) if count else None
        if choices is not None:
            choices.take(self.key, self._name(plan))
        self._plan = plan

    def nbytes(self, choices: Choices | None) -> int:
        """Bytes that its plan works in; before `settle` of the one that would be taken without timing.

        Raises Unsupported where none can be built.
        """
        plan = self._known(choices) if self._plan is None else self._plan
        return self._nbytes(self._plans(1)[0] if plan is None else plan)

    @property
    def machine(self) -> str:
        """What times depend on beside the operation."""
        return f"cuDNN {self._cudnn.backend_version()}, {self._card.model}"

    def _name(self, plan: int) -> str:
        return str(self._graph.get_plan_name_at_index(plan))

    def _known(self, choices: Choices | None) -> int | None:
        """The plan that is known to be best, where cuDNN still has it."""
        if choices is None:
            return None
        for way in choices.known(self.machine, self.key):
            for plan in range(self._graph.get_execution_plan_count()):
                if self._name(plan) == way and self._can_be_built(plan):
                    return plan
        return None

    def _plans(self, most: int) -> list[int]:
        """The first that can be built, by cuDNN's own order."""
        found: list[int] = []
        for plan in range(self._graph.get_execution_plan_count()):
            if self._can_be_built(plan):
                found.append(plan)
                if len(found) == most:
                    break
        if not found:
            raise Unsupported(f"cuDNN has no plan for {self.key}")
        return found

    def _can_be_built(self, plan: int) -> bool:
        try:
            self._graph.build_plan_at_index(plan)
            return self._nbytes(plan) <= self._card.library_room
        except self._faults:
            return False

    def _nbytes(self, plan: int) -> int:
        """Of the memory that a plan works in, when it is built."""
        return int(self._graph.get_workspace_size_plan_at_index(plan))

    def _fastest(self, plans: Sequence[int], addresses: Sequence[int]) -> int:
        memory = self._card.library_trial(max(1, *map(self._nbytes, plans)))
        times = {plan: seconds for plan in plans if (seconds := self._time(plan, memory, addresses)) is not None}
        if not times:
            raise Unsupported(f"cuDNN fails at every plan for {self.key}")
        first, best = next(iter(times)), min(times, key=lambda plan: times[plan])
        return best if times[best] < GAIN * times[first] else first

    def _time(self, plan: int, memory: Any, addresses: Sequence[int]) -> float | None:
        """Seconds of an execution; None where it fails."""
        try:
            self._execute(plan, memory, addresses)  # once before, so that its kernels are there
            return min(self._card.seconds(lambda: self._execute(plan, memory, addresses)) for _ in range(LOOKS))
        except self._faults:
            return None


def _first_line(fault: Exception) -> str:
    return (str(fault).splitlines() or [type(fault).__name__])[0][:200]
