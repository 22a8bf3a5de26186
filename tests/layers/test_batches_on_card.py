"""Batches on a card are those of the CPU, however they come there."""

import threading

import numpy as np
import pytest

from arrays.emulated import xp
from arrays.emulated.card import EmulatedCard
from databases import DataRun, make_images, make_list, make_lmdb
from netcli.arrays.device import CPU, Upload
from netcli.arrays.ops import Ops
from netcli.errors import NetcliError
from netcli.layers.records import Form
from netcli.snapshots import write_blob

SIDE = 6, 5


class Counting(EmulatedCard):
    """Counts what is brought, by which threads."""

    def __init__(self):
        super().__init__()
        self.brought = []  # bytes of each copy
        self.threads = []
        self.launched = []

    def upload(self, array, values, after):
        self.brought.append(values.nbytes)
        self.threads.append(threading.current_thread().name)
        return super().upload(array, values, after)

    def function(self, file, name, options):
        function = super().function(file, name, options)

        def call(*arguments):
            self.launched.append(name)
            function(*arguments)

        return call


class Slow(EmulatedCard):
    """Copies when somebody waits, the card or the host, and not before; its work is never behind."""

    class Later(Upload):
        def __init__(self, array, values):
            self._array, self._values, self._before = xp.host(array), values, values.copy()

        def wait(self):
            if self._values is not None:
                np.testing.assert_array_equal(self._values, self._before, err_msg="changed on its way")
                self._array[: self._values.size] = self._values
                self._array = self._values = None

        join = wait

    def __init__(self):
        super().__init__()
        self.uploads, self.fences = [], []

    def fence(self):
        self.fences.append(object())
        return self.fences[-1]

    def upload(self, array, values, after):
        assert after in self.fences
        self.uploads.append(self.Later(array, values))
        return self.uploads[-1]


def data(path, batch=4, transform="", prefetch=4, more="", threads=0):
    return (
        f"type: 'Data' transform_param {{ {transform} }} data_param {{ source: '{path}' backend: LMDB "
        f"batch_size: {batch} prefetch: {prefetch} threads: {threads} {more} }}"
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("batches")
    make_lmdb(folder / "db", make_images(11))
    write_blob(str(folder / "mean"), np.random.default_rng(0).random((1, 3, *SIDE)).astype(np.float32) * 255)
    return folder


def agree(card, text, times=7, train=True, **options):
    """The bits of a run on the CPU, with a seek and through epochs."""
    with DataRun(text, train=train, **options) as run:
        wanted = [run.forward() for _ in range(times)]
    with DataRun(text, train=train, ops=Ops(device=card), **options) as run:
        got = [run.forward() for _ in range(times)]
        assert (run.layer.position(), run.layer.epoch() > 0) == (times * run.layer.batch_size, True)
        run.layer.seek(2 * run.layer.batch_size)
        got += [run.forward() for _ in range(times - 2)]
    with DataRun(text, train=train, ops=Ops(device=card), **options) as run:  # a resume
        run.layer.seek(3 * run.layer.batch_size)
        got += [run.forward() for _ in range(times - 3)]
    for one, two in zip(got, wanted + wanted[2:] + wanted[3:], strict=True):
        for array, other in zip(one, two, strict=True):
            assert array.dtype == other.dtype
            np.testing.assert_array_equal(array, other)


CROPS = ["", "crop_size: 4", "crop_h: 5 crop_w: 3", "crop_size: 4 center_crop: true"]
MEANS = ["", "mean_value: 104", "mean_value: 1.5 mean_value: 2 mean_value: 200", "mean_file: 'mean'"]


@pytest.mark.parametrize("train", [True, False])
@pytest.mark.parametrize("pca", ["", "pca_jitter { }"])
@pytest.mark.parametrize("mean", MEANS)
@pytest.mark.parametrize("crop", CROPS)
def test_records_travel_and_are_transformed_by_the_same_draws(folder, crop, mean, pca, train):
    card = Counting()
    for rest in ("", "mirror: true scale: 0.017"):
        transform = f"{crop} {mean} {pca} {rest}"
        agree(card, data(folder / "db", 4, transform), train=train, folder=folder)
    # Bytes of records, labels and windows, each on a boundary; a launch for a batch, and no other.
    assert max(card.brought) <= 384 + 5 * 64
    assert set(card.launched) == {"normalise"}
    assert len(card.launched) == 2 * (7 + 5 + 4)


ON_HOST = [
    *("min_side: 8", "pad: 2", "color_jitter { hue: 0.1 }", "cutout_param { size: 2 }", "vertical_mirror: true"),
    "crop_size: 2 mirror: true",  # of which there are fewer bytes
]


@pytest.mark.parametrize("transform", ON_HOST)
def test_what_else_is_done_is_done_on_the_host(folder, transform):
    card = Counting()
    agree(card, data(folder / "db", 4, transform), folder=folder)
    with DataRun(data(folder / "db", 4, transform)) as run:
        floats = run.top[0].count * 4
    assert set(card.brought) == {-(-floats // 64) * 64 + 64}
    assert not card.launched


def test_records_of_several_sizes_and_types_travel_as_floats_from_the_first_on(tmp_path):
    sides = [(6, 5)] * 6 + [(5, 6)] + [(6, 5)] * 4
    path = make_lmdb(tmp_path / "sizes", [make_images(1, (3, *side))[0] for side in sides])
    card = Counting()
    for threads in (1, 3):
        agree(card, data(path, 4, "crop_size: 5 mirror: true scale: 0.1", threads=threads))
    assert {nbytes < 1200 for nbytes in card.brought} == {True, False}
    images = list(make_images(11))
    images[5] = (images[5] / 3).astype(np.float32)
    agree(card, data(make_lmdb(tmp_path / "types", images), 4, "mirror: true"))


def test_batches_of_one_in_any_size(tmp_path):
    sides = [(6, 5), (3, 4), (20, 10), (6, 5), (1, 1)]
    path = make_lmdb(tmp_path / "sizes", [make_images(1, (3, *side))[0] for side in sides])
    for prefetch in (1, 4):
        agree(Counting(), data(path, 1, "mirror: true mean_value: 3", prefetch), times=12)


def test_files_of_colours_lie_in_pixels(tmp_path):
    listed = make_list(tmp_path, make_images(5))
    text = f"transform_param {{ mirror: true }} image_data_param {{ source: '{listed}' batch_size: 3 }}"
    card = Counting()
    agree(card, f"type: 'ImageData' {text}")
    assert set(card.launched) == {"normalise"}


def test_a_record_that_does_not_fit_is_named(tmp_path):
    path = make_lmdb(tmp_path / "db", [make_images(1, shape)[0] for shape in [(3, 6, 5)] * 3 + [(3, 6, 6), (3, 2, 2)]])
    for transform, sentence in (("", r"record 3 .* is 3x6x6"), ("crop_size: 5", r"record 4 .* crop_size 5 is larger")):
        with DataRun(data(path, 5, transform), ops=Ops(device=Counting())) as run:
            for _ in range(2):
                with pytest.raises(NetcliError, match=sentence):
                    run.forward()


def test_the_thread_that_makes_a_batch_begins_its_copy(folder):
    card = Counting()
    with DataRun(data(folder / "db", prefetch=1), ops=Ops(device=card)) as run:
        for _ in range(4):
            run.forward()
    assert [name.startswith("netcli prefetch") for name in card.threads] == [False, True, True, True]


@pytest.mark.parametrize("prefetch", [1, 4])
@pytest.mark.parametrize("transform", ["crop_size: 4 mirror: true", "color_jitter { hue: 0.1 }"])
def test_a_batch_on_its_way_to_a_card_stays_as_it_is(folder, transform, prefetch):
    card = Slow()
    agree(card, data(folder / "db", 3, transform, prefetch), times=12)
    assert len(card.uploads) >= 12 + 10 + 9
    assert all(each._values is None for each in card.uploads)  # none is left on its way


def test_memory_on_the_card_is_that_of_two_batches(folder):
    card = Counting()
    taken = []
    empty, card.empty = card.empty, lambda count, dtype: taken.append((count, dtype)) or empty(count, dtype)
    with DataRun(data(folder / "db"), ops=Ops(device=card)) as run:
        for _ in range(9):
            run.forward()
    assert [each for each in taken if each[1] == np.uint8] == [(card.brought[0], np.uint8)] * 2


def test_an_array_of_the_cpu_is_written_at_once():
    there = np.zeros(5)
    upload = CPU.upload(there, np.ones(3), CPU.fence())
    upload.join()
    upload.wait()
    assert there.tolist() == [1, 1, 1, 0, 0]


def test_parts_of_a_batch_do_not_overlap():
    form = Form((3, 2, 4, 5), np.dtype(np.float64), (2, 7, 6), True, 2)
    memory = np.zeros(form.nbytes, np.uint8)
    parts = form.parts(memory)
    for number, part in enumerate(parts):
        part[...] = number + 1
    assert [(part.shape, part.dtype) for part in parts] == [
        *(((3, 2, 7, 6), np.uint8), ((3,), np.float64), ((3,), np.int32), ((3,), np.int32), ((3,), np.bool_)),
        ((3, 2), np.float64),
    ]
    assert [set(part.ravel().tolist()) for part in parts] == [{1}, {2.0}, {3}, {4}, {True}, {6.0}]
