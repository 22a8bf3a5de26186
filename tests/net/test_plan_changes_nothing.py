"""Random nets compute the same bits whether blobs share memory or not, with the arena full of NaN before each pass."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from net.nets import TEST, TRAIN, data, fill, layer, net, refusal
from netcli.arrays.ops import Ops

IMAGE, FLAT = (2, 4, 3, 3), (2, 6)
SAME = ["ELU", "ReLU", "Sigmoid", "Power", "Dropout", "PReLU", "BatchNorm", "LRN", "Softmax", "AbsVal"]
IN_PLACE = ["ELU", "ReLU", "Power", "Dropout", "PReLU"]


class Writer:
    """Writes a net as hypothesis draws it; `open` holds the blobs that may be read, with their shapes."""

    def __init__(self, draw):
        self.draw = draw
        self.text = data("x", *IMAGE) + data("flat", *FLAT)
        self.open = {"x": IMAGE, "flat": FLAT}
        self.read = {"x", "flat"}  # blobs that are read already, and so can't be written over
        self.count = 0

    def add(self, type, bottoms, shapes, rest="", tops=None):
        self.count += 1
        name = f"{type.lower()}{self.count}"
        tops = [f"{name}_{k}" for k in range(len(shapes))] if tops is None else tops
        self.text += layer(type, name, " ".join(bottoms), " ".join(tops), rest)
        self.read.update(set(bottoms) - set(tops))
        self.open.update(zip(tops, shapes, strict=True))

    def pick(self, shape=None):
        return self.draw(st.sampled_from([b for b, s in self.open.items() if shape in (None, s)]))

    def step(self):
        getattr(
            self, self.draw(st.sampled_from(["same", "in_place", "conv", "ip", "both", "parts", "flatten", "loss"]))
        )()

    def same(self):
        bottom = self.pick()
        shape = self.open[bottom]
        kinds = [kind for kind in SAME if kind != "LRN" or len(shape) == 4]
        self.add(self.draw(st.sampled_from(kinds)), [bottom], [shape])

    def in_place(self):
        free = [b for b in self.open if b not in self.read]
        if free:
            bottom = self.draw(st.sampled_from(free))
            self.add(self.draw(st.sampled_from(IN_PLACE)), [bottom], [self.open[bottom]], tops=[bottom])

    def conv(self):
        rest = "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }"
        if self.draw(st.booleans()):
            rest += " param { lr_mult: 0 }"
        self.add("Convolution", [self.pick(IMAGE)], [IMAGE], rest)

    def ip(self):
        self.add("InnerProduct", [self.pick()], [FLAT], "inner_product_param { num_output: 6 }")

    def both(self):
        a = self.pick()
        self.add("Eltwise", [a, self.pick(self.open[a])], [self.open[a]])

    def parts(self):
        n, c, *rest = self.open[bottom := self.pick()]
        half = (n, c // 2, *rest)
        self.add("Slice", [bottom], [half, half])
        names = list(self.open)[-2:]
        if self.draw(st.booleans()):
            self.add("Concat", names, [(n, c, *rest)])
        for name in names:  # of no shape that others take
            del self.open[name]

    def flatten(self):
        self.add("Flatten", [self.pick(IMAGE)], [(2, 36)])

    def loss(self):
        a = self.pick()
        weight = self.draw(st.sampled_from(["", "loss_weight: 0.5", "loss_weight: 0"]))
        self.add("EuclideanLoss", [a, self.pick(self.open[a])], [()], weight)
        del self.open[list(self.open)[-1]]


@st.composite
def nets(draw):
    writer = Writer(draw)
    for _ in range(draw(st.integers(2, 12))):
        writer.step()
    writer.loss()
    return writer.text


def results(made, passes=2):
    """All outputs and gradients of some passes."""
    fill(made)
    found = []
    for _ in range(passes):
        if made._storage.arena is not None:
            made._storage.arena.view(np.float32).fill(np.nan)
        found.append(np.array(made.forward()))
        found += [made.blobs[name].data.copy() for name in made.outputs]
        if made.gradients:
            made.clear_diffs()
            made.backward()
            found += [p.blob.diff.copy() for p in made.learnable]
    return found


def check(text, phase, engine="plain"):
    kept = net(text, phase, ops=Ops(engine), seed=5, keep_blobs=True)
    planned = net(text, phase, ops=Ops(engine), seed=5)
    planned.part()  # joined layers round otherwise: test_joining.py
    for a, b in zip(results(kept), results(planned), strict=True):
        assert a.tobytes() == b.tobytes()
    return planned.memory


@settings(max_examples=200, deadline=None)
@given(nets(), st.sampled_from([TRAIN, TEST]))
def test_random_nets(text, phase):
    check(text, phase)


CHAIN = data("x", 8, 16, 12, 12) + "".join(
    layer(
        "Convolution",
        f"c{i}",
        "x" if i == 0 else f"c{i - 1}",
        rest="convolution_param { num_output: 16 kernel_size: 1 }",
    )
    + layer("ReLU", f"r{i}", f"c{i}", f"c{i}")
    for i in range(10)
)


@pytest.mark.parametrize("engine", ["plain", "auto"])
def test_what_it_saves(engine):
    blob = 8 * 16 * 12 * 12 * 4
    tested = check(CHAIN, TEST, engine)
    assert tested.activations == 11 * blob
    assert tested.arena == 2 * blob  # and the data and the output lie apart
    assert tested.apart == 2 * blob
    assert tested.diffs == 0
    trained = check(CHAIN + data("y", 8, 16, 12, 12) + layer("EuclideanLoss", "loss", "c9 y"), TRAIN, engine)
    assert trained.diffs == 10 * blob + 4
    assert trained.arena == 11 * blob  # nine activations that a backward reads, and two diffs at a time


def test_blobs_kept_by_name():
    made = net(CHAIN, TEST, keep_blobs={"c4"})
    other = net(CHAIN, TEST, keep_blobs=True)
    for each in (made, other):
        fill(each)
        each.forward()
    assert made.memory.arena < other.memory.activations
    np.testing.assert_array_equal(made.blobs["c4"].data, other.blobs["c4"].data)


def test_a_name_to_keep_that_is_none():
    assert refusal(CHAIN, TEST, keep_blobs={"c44"}) == "the net has no blob 'c44'; did you mean 'c4'?"


def two(text, in_turn):
    """A net to train and one to test over the same parameters."""
    trained = net(text, TRAIN, seed=5)
    return trained, net(text, TEST, seed=5, shared_with=trained, in_turn=in_turn)


def turns(trained, tested):
    """Results of passes of the one and the other."""
    found = []
    for _ in range(2):
        found += results(trained, 1)
        found += results(tested, 1)
    return found


@settings(max_examples=50, deadline=None)
@given(nets())
def test_nets_that_take_turns_in_one_memory(text):
    for a, b in zip(turns(*two(text, in_turn=False)), turns(*two(text, in_turn=True)), strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_net_that_is_tested_lies_in_the_memory_of_the_one_that_is_trained():
    text = CHAIN + data("y", 8, 16, 12, 12) + layer("EuclideanLoss", "loss", "c9 y")
    for in_turn in (True, False):
        trained, tested = two(text, in_turn)
        assert np.shares_memory(trained._storage.arena, tested._storage.arena) == in_turn
        assert not np.shares_memory(trained.blobs["loss"].data, tested.blobs["loss"].data)


def test_what_finds_no_room_there_has_memory_of_its_own():
    text = CHAIN + data("y", 8, 16, 12, 12) + layer("EuclideanLoss", "loss", "c9 y")
    trained = net(text, TRAIN)
    larger = net(text.replace("dim: 8", "dim: 80"), TEST, shared_with=trained, in_turn=True)
    assert not np.shares_memory(trained._storage.arena, larger._storage.arena)
