"""What a card will need is told before any of it is taken."""

import re

import pytest
from click.testing import CliRunner

from arrays.emulated import cudnn
from arrays.emulated.card import EmulatedCard
from databases import make_images, make_lmdb
from netcli.arrays.cuda import device as cuda_device
from netcli.arrays.ops import Ops
from netcli.cli import summary
from netcli.errors import NetcliError
from netcli.layers.base import TRAIN
from netcli.net import Net
from netcli.prototxt import read_net, read_solver
from netcli.solvers import make_solver
from netcli.training.cards import Chosen
from netcli.training.journal import Journal
from netcli.training.memory import LIBRARY, parts, total
from netcli.training.session import open_session

NET = """
layer { name: "data" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 60 dim: 2 dim: 40 dim: 40 } shape { dim: 60 } } }
layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
  convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
layer { name: "pool" type: "Pooling" bottom: "conv" top: "pool" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "ip" type: "InnerProduct" bottom: "pool" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
"""
MIB = 1 << 20


class SmallCard(EmulatedCard):
    model, number = "a small one", 3
    own_nbytes = MIB
    memory = (4 * MIB, 6 * MIB)


@pytest.fixture
def solver(tmp_path):
    (tmp_path / "net.prototxt").write_text(NET)
    path = tmp_path / "solver.prototxt"
    path.write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.01 lr_policy: "fixed" max_iter: 2 iter_size: 2 '
        "snapshot_after_train: false\n"
    )
    return path


def opened(solver, card):
    session = open_session(read_solver(str(solver)), Journal(), ops=Ops(device=card), seed=1)
    session.close()


def test_what_a_training_takes_of_a_card_is_foretold(solver):
    card = EmulatedCard()
    document, ops = read_solver(str(solver)), Ops(device=card)
    net = Net(read_net(str(solver.with_name("net.prototxt"))), TRAIN, ops=ops, dry=True)
    before = card.taken
    found = parts(net, document, [])
    assert card.taken == before  # nothing for being told
    net.take()
    rule = make_solver(document, net.learnable, ops=ops)
    for iteration in range(2):
        net.clear_diffs()
        for _ in range(2):
            net.forward()
            net.backward()
        rule.update(iteration)
    assert total(found) == pytest.approx(card.taken, rel=0.1)
    assert {"parameters", "gradients", "history", "activations", "work_space"} <= {part.key for part in found}


@pytest.fixture
def pages(monkeypatch):
    """What the plans of cuDNN work in: the first it offers in much, the next in less."""
    sizes = {1: 2 * MIB, 2: MIB // 16, 3: MIB}
    monkeypatch.setattr(cudnn.pygraph, "get_workspace_size_plan_at_index", lambda _, index: sizes[index])
    return sizes


def room_beside_cudnn(solver, more):
    """A card with room for all but cuDNN's work, and some bytes more."""
    card = EmulatedCard()
    document, ops = read_solver(str(solver)), Ops(device=card)
    net = Net(read_net(str(solver.with_name("net.prototxt"))), TRAIN, ops=ops, dry=True)
    rest = total([part for part in parts(net, document, []) if part.key != LIBRARY])
    card = EmulatedCard()
    card.memory = (rest + more, rest + 8 * MIB)
    return card, rest


@pytest.mark.parametrize(("more", "works_in"), [(3 * MIB, 2 * MIB), (2 * MIB - 1, MIB // 16)])
def test_cudnn_works_in_what_is_left(solver, pages, more, works_in):
    card, rest = room_beside_cudnn(solver, more)
    session = open_session(read_solver(str(solver)), Journal(), ops=Ops(device=card), seed=1)
    assert card._work[cuda_device.LIBRARY].nbytes == works_in
    session.trainer().train()
    session.close()
    assert card._work[cuda_device.LIBRARY].nbytes == works_in  # and nothing more, by any convolution
    assert rest + works_in <= card.memory[0]
    assert card.taken == pytest.approx(rest + works_in, rel=0.1)


def test_what_cudnn_works_in_counts_where_nothing_smaller_would_do(solver, pages):
    pages.update({1: 5 * MIB, 2: 6 * MIB, 3: 7 * MIB})
    card, rest = room_beside_cudnn(solver, MIB)
    with pytest.raises(NetcliError, match=r"MiB are needed.*would fit") as told:
        opened(solver, card)
    assert int(told.value.message.split()[0]) > rest // MIB
    assert card.taken < 100


def test_batches_on_their_way_to_a_card_are_counted(tmp_path):
    path = make_lmdb(tmp_path / "db", make_images(9, (3, 40, 30)))
    text = (
        f'layer {{ name: "data" type: "Data" top: "data" data_param {{ source: "{path}" batch_size: 4 backend: LMDB }} '
    )
    for transform, nbytes in (("crop_size: 9", 4 * 3 * 9 * 9 * 4), ("crop_size: 28", 4 * 3 * 40 * 30)):
        (tmp_path / "net.prototxt").write_text(f"{text} transform_param {{ {transform} }} }}")
        card = EmulatedCard()
        net = Net(read_net(str(tmp_path / "net.prototxt")), TRAIN, ops=Ops(device=card), dry=True)
        (staging,) = [part.nbytes for part in parts(net, None, []) if part.key == "staging"]
        assert 2 * nbytes <= staging <= 2 * (nbytes + 6 * 64)  # bytes where they are fewer; labels and windows beside
        net.take()
        assert net.blobs["data"].data.shape[0] == 4  # whose memory is the blob's
        before = card.taken
        net.forward()
        assert card.taken - before == staging
        net.close()
    net = Net(read_net(str(tmp_path / "net.prototxt")), TRAIN, dry=True)
    assert "staging" not in {part.key for part in parts(net, None, [])}
    net.close()


def test_a_training_that_a_card_has_no_room_for_ends_before_it_begins(solver):
    card = SmallCard()
    with pytest.raises(NetcliError) as told:
        opened(solver, card)
    assert card.taken < 100
    found = re.fullmatch(
        r"(\d+) MiB are needed, and card 3, a small one, has 4 MiB free of 6: "
        r"batches of (\d+) with iter_size (\d+) would fit",
        told.value.message,
    )
    needed, batch, passes = map(int, found.groups())
    assert needed > 4
    assert batch * passes >= 60 * 2 > batch * (passes - 2)
    net = solver.with_name("net.prototxt")
    net.write_text(NET.replace("dim: 60", f"dim: {batch}"))
    opened(solver, SmallCard())  # what it says fits does
    larger = -(-60 * 2 // (passes - 2))
    net.write_text(NET.replace("dim: 60", f"dim: {larger + 1}"))
    with pytest.raises(NetcliError, match="are needed"):  # and with one pass less it would not
        opened(solver, SmallCard())


def test_a_net_that_fits_in_no_batch_is_told(solver):
    card = SmallCard()
    card.memory = (MIB, 6 * MIB)
    with pytest.raises(NetcliError, match="has 1 MiB free of 6: not even a batch of 1 would fit"):
        opened(solver, card)


def test_summary_shows_the_card_s_memory_and_ends_with_what_would_fit(solver, monkeypatch):
    def run(path, card, *options):
        monkeypatch.setattr(summary, "device_of", lambda *_: Chosen(card))
        return CliRunner().invoke(summary.command, [str(path), *options])

    done = run(solver, EmulatedCard())
    assert done.exit_code == 0, done.output
    assert "program" not in done.output  # which is in the host's memory
    done = run(solver, SmallCard())
    assert "libraries and kernels, about" in done.output
    assert isinstance(done.exception, NetcliError)
    assert "with iter_size" in done.exception.message
    done = run(solver.with_name("net.prototxt"), SmallCard(), "--phase", "TEST", "--batch", "200")
    assert re.search(r"has 4 MiB free of 6: a batch of \d+ would fit", done.exception.message)
