"""cuDNN's frontend, as far as it is used: graphs of one convolution, held to cuDNN's rules and computed by NumPy.

built    what was built, the latest last
declines whether no graph is supported; declines_behind: those with a bias alone
forgets  whether a ReLU makes 0 of what is no number
"""

import ctypes
import enum
import itertools

import numpy as np

from arrays.emulated import xp

built = []
declines = declines_behind = forgets = False

data_type = enum.Enum("data_type", "FLOAT BFLOAT16")
heur_mode = enum.Enum("heur_mode", "A B FALLBACK")
numerical_note = enum.Enum(
    "numerical_note", "TENSOR_CORE DOWN_CONVERT_INPUTS REDUCED_PRECISION_REDUCTION NONDETERMINISTIC"
)
HANDLE = 7
WORKSPACE = 4096


class cudnnGraphNotSupportedError(Exception):  # noqa: N801
    pass


def create_handle():
    return HANDLE


def set_stream(handle, stream):
    assert handle == HANDLE
    assert stream


def backend_version():
    return 92800


def backend_version_string():
    return "9.28.0"


class Tensor:
    def __init__(self, dim=None, stride=None, data_type=None, uid=None, made_by=None):
        self.dim, self.stride, self.data_type, self.uid, self.made_by = dim, stride, data_type, uid, made_by
        self.is_output = False

    def _set(self, **what):
        vars(self).update(what)
        return self

    def set_output(self, value):
        return self._set(is_output=value)

    def set_data_type(self, value):
        return self._set(data_type=value)

    def set_dim(self, value):
        return self._set(dim=value)

    def set_stride(self, value):
        return self._set(stride=value)

    def set_uid(self, value):
        return self._set(uid=value)

    def check(self):
        """Channels-last, of whole numbers, without items that share memory."""
        assert all(type(each) is int for each in (*self.dim, *self.stride)), (self.dim, self.stride)
        n, c, h, w = self.dim
        image, channel, row, column = self.stride
        assert min(self.dim) > 0
        assert channel == 1
        assert column >= c
        assert row >= w * column
        assert image >= h * row or n == 1

    def at(self, address):
        """The items, as NumPy's array of the memory."""
        assert address
        assert address % 16 == 0, f"{address} is no place for vector loads"
        kind = np.dtype(np.float32 if self.data_type is data_type.FLOAT else np.uint16)
        count = sum((d - 1) * s for d, s in zip(self.dim, self.stride, strict=True)) + 1
        flat = np.frombuffer((ctypes.c_char * (count * kind.itemsize)).from_address(address), kind)
        return np.lib.stride_tricks.as_strided(flat, self.dim, [s * kind.itemsize for s in self.stride])

    def values(self, address):
        items = self.at(address)
        if items.dtype == np.uint16:
            items = (items.astype(np.uint32) << 16).view(np.float32)
        return items.astype(np.float64)


class pygraph:  # noqa: N801
    def __init__(self, *, io_data_type, intermediate_data_type, compute_data_type, handle):
        assert handle == HANDLE
        assert intermediate_data_type is compute_data_type is data_type.FLOAT
        self.given, self.tensors, self.deselected, self.modes = io_data_type, [], [], []
        self.validated, self.plan, self.bias_of, self.rectifies, self.is_widened = False, None, None, False, False
        built.append(self)

    def tensor(self, *, name, dim, stride, data_type, uid):
        self.tensors.append(Tensor(dim, stride, data_type, uid))
        return self.tensors[-1]

    def _conv(self, kind, a, b, how):
        assert set(how) == {"pre_padding", "post_padding", "stride", "dilation"}
        assert not self.tensors[2:]
        self.kind, self.a, self.b, self.how = kind, a, b, how
        self.result = Tensor(made_by="conv")
        return self.result

    def conv_fprop(self, *, image, weight, **how):
        return self._conv("forward", image, weight, how)

    def conv_dgrad(self, *, loss, filter, **how):
        return self._conv("data", loss, filter, how)

    def conv_wgrad(self, *, image, loss, **how):
        return self._conv("weights", image, loss, how)

    def bias(self, *, input, bias):
        assert input is self.result
        assert input.dim
        assert input.data_type is data_type.FLOAT
        assert bias is self.tensors[2]
        assert bias.dim == [1, input.dim[1], 1, 1]
        assert bias.data_type is data_type.FLOAT
        self.bias_of, self.result = bias, Tensor(made_by="bias")
        return self.result

    def relu(self, *, input, upper_clip):
        assert input is self.result
        assert upper_clip == np.inf  # else cuDNN clips at the largest number
        self.rectifies, self.result = True, Tensor(made_by="relu")
        return self.result

    def identity(self, *, input):
        assert input is self.result
        assert input.dim  # which a gradient of filters does not follow from
        self.is_widened = input.made_by == "conv"
        self.result = Tensor(made_by="identity")
        return self.result

    def validate(self):
        c = self.result
        assert c.is_output
        assert sorted(each.uid for each in (*self.tensors, c)) == [1, 2, 3, 4][: 3 if self.bias_of is None else 4]
        for each in (self.a, self.b, c):
            each.check()
        x, w, y = self._roles(self.a.dim, self.b.dim, c.dim)
        how = zip(*(self.how[name] for name in ("pre_padding", "post_padding", "stride", "dilation")), strict=True)
        for size, kernel, out, (before, behind, stride, dilation) in zip(x[2:], w[2:], y[2:], how, strict=True):
            room = size + before + behind - dilation * (kernel - 1) - 1
            assert room >= 0
            assert out == room // stride + 1
        assert y[0] == x[0]
        assert y[1] == w[0]
        assert x[1] % w[1] == 0
        assert w[0] % (x[1] // w[1]) == 0
        self.validated = True

    def _roles(self, a, b, c):
        """x, w, y."""
        return {"forward": (a, b, c), "data": (c, b, a), "weights": (a, c, b)}[self.kind]

    def build_operation_graph(self):
        assert self.validated

    def deselect_numeric_notes(self, notes):
        if self.modes:  # of plans that are there already
            self.deselected += notes

    def create_execution_plans(self, modes):
        self.modes = modes
        # Of bfloat16 a convolution gives bfloat16, unless what is behind it begins with an identity.
        mixed = self.given is data_type.BFLOAT16 and not self.is_widened
        if declines or (declines_behind and self.bias_of) or (mixed and self.result.data_type is data_type.FLOAT):
            raise cudnnGraphNotSupportedError("no engine\nfor this")

    def get_execution_plan_count(self):
        return 4

    def get_plan_name_at_index(self, index):
        return f"eng{index}_k2=1"

    def build_plan_at_index(self, index):
        if index == 0:
            raise cudnnGraphNotSupportedError("Deselecting execution plan")
        self.plan = index

    def get_workspace_size_plan_at_index(self, index):
        return WORKSPACE * index

    def execute_plan_at_index(self, addresses, workspace, index, handle):
        assert handle == HANDLE
        assert index > 0
        assert workspace
        assert set(addresses) == {each.uid for each in (*self.tensors, self.result)}
        a, b, c = (addresses[each.uid] for each in (self.a, self.b, self.result))
        bias = None if self.bias_of is None else addresses[self.bias_of.uid]
        xp.recording.do(lambda: self._compute(a, b, c, bias, workspace, index))

    def _compute(self, a, b, c, bias, workspace, index):
        ctypes.memset(workspace, 0xFF, WORKSPACE * index)
        first, second, into = self.a.values(a), self.b.values(b), self.result.at(c)
        result = np.zeros(self.result.dim)
        x, w, y = self._roles(first, second, result)
        before, stride, dilation = (self.how[name] for name in ("pre_padding", "stride", "dilation"))
        pads = [(p, q) for p, q in zip(before, self.how["post_padding"], strict=True)]
        padded = np.pad(x, [(0, 0), (0, 0), *pads])
        groups = x.shape[1] // w.shape[1]
        for group, i, j in itertools.product(range(groups), *map(range, w.shape[2:])):
            channels = slice(group * w.shape[1], (group + 1) * w.shape[1])
            filters = slice(group * len(w) // groups, (group + 1) * len(w) // groups)
            rows, columns = (
                slice(at * d, at * d + (n - 1) * s + 1, s)
                for at, d, n, s in zip((i, j), dilation, y.shape[2:], stride, strict=True)
            )
            seen, of_w, of_y = padded[:, channels, rows, columns], w[filters, :, i, j], y[:, filters]
            if self.kind == "forward":
                of_y += np.einsum("nchw,mc->nmhw", seen, of_w)
            elif self.kind == "data":
                seen += np.einsum("nmhw,mc->nchw", of_y, of_w)
            else:
                of_w += np.einsum("nchw,nmhw->mc", seen, of_y)
        if self.kind == "data":
            inside = (slice(p, p + n) for p, n in zip(before, x.shape[2:], strict=True))
            result = padded[(slice(None), slice(None), *inside)]
        if bias is not None:
            result += self.bias_of.values(bias)
        if self.rectifies:
            result = np.where(np.isnan(result), 0 if forgets else result, np.maximum(result, 0))
        into[...] = result
