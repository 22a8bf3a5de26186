"""What Data and ImageData share, seen through Data."""

import logging
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import DataRun, make_images, make_lmdb
from netcli.errors import DataError, NetcliError
from netcli.layers.batches import HANDED_OVER
from netcli.snapshots import write_blob


def data(path, batch, transform="", prefetch=4, threads=0):
    return (
        f"type: 'Data' transform_param {{ {transform} }} "
        f"data_param {{ source: '{path}' backend: LMDB batch_size: {batch} prefetch: {prefetch} threads: {threads} }}"
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    return make_lmdb(tmp_path_factory.mktemp("data") / "db", make_images(7))


@settings(max_examples=25, deadline=None)
@given(batch=st.integers(1, 10), prefetch=st.integers(1, 4), before=st.integers(0, 4), position=st.integers(0, 40))
def test_a_seek_gives_what_an_uninterrupted_run_gives_there(database, batch, prefetch, before, position):
    """Labels, and the draws of crop and mirror, by the record's number in the run."""
    transform = "crop_size: 3 mirror: true"
    with DataRun(data(database, 1, transform, 1)) as run:
        single = [run.forward() for _ in range(position + 2 * batch)]
    with DataRun(data(database, batch, transform, prefetch)) as run:
        for _ in range(before):
            run.forward()
        assert run.layer.position() == before * batch
        run.layer.seek(position)
        for i in range(2):
            assert run.layer.position() == position + i * batch
            images, labels = run.forward()
            wanted = single[position + i * batch : position + (i + 1) * batch]
            np.testing.assert_array_equal(labels, np.concatenate([label for _, label in wanted]))
            np.testing.assert_array_equal(images, np.concatenate([image for image, _ in wanted]))


def test_epochs_seeds_and_phases_have_other_draws(database):
    def images(seed=0, train=True):
        with DataRun(data(database, 7, "crop_size: 2 mirror: true"), seed=seed, train=train) as run:
            return [run.forward()[0] for _ in range(2)]

    first, second = images()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(images(), [first, second])
    assert not np.array_equal(images(seed=1)[0], first)
    assert not np.array_equal(images(train=False)[0], first)


def test_blobs_are_channels_last(database):
    with DataRun(data(database, 2)) as run:
        run.forward()
        assert run.top[0].data.transpose(0, 2, 3, 1).flags.c_contiguous


def test_the_end_of_the_records_is_logged_as_caffe_does(database, caplog):
    with caplog.at_level(logging.INFO, logger="netcli"), DataRun(data(database, 3)) as run:
        counts = []
        for _ in range(7):
            run.forward()
            counts.append(caplog.messages.count("Restarting data prefetching from start."))
    assert counts == [0, 0, 1, 1, 2, 2, 3]  # 3, 6, 9, 12, 15, 18, 21 records of 7


def test_without_a_label_top(database):
    with DataRun(data(database, 2), tops=1) as run:
        assert [top.shape for top in run.top] == [(2, 3, 6, 5)]
        assert run.forward()[0].shape == (2, 3, 6, 5)


def test_images_of_several_sizes_one_at_a_time(tmp_path):
    images = [make_images(1, (3, 4, 5))[0], make_images(1, (3, 7, 2))[0]]
    path = make_lmdb(tmp_path / "db", images)
    with DataRun(data(path, 1)) as run:
        for i in range(4):
            top, _ = run.forward()
            np.testing.assert_array_equal(top[0], images[i % 2])
    with DataRun(data(path, 3, "crop_size: 2")) as run:
        assert run.forward()[0].shape == (3, 3, 2, 2)
    with DataRun(data(path, 2)) as run, pytest.raises(NetcliError) as caught:
        run.forward()
    assert str(caught.value) == (
        f"{path}: record 1 ('00000001') is 3x7x2, the first of its batch is 3x4x5; images of several sizes need "
        "crop_size or batch_size 1"
    )


def test_an_image_smaller_than_the_crop_is_named_when_its_turn_comes(tmp_path):
    path = make_lmdb(tmp_path / "db", [make_images(1, (1, 4, 4))[0], make_images(1, (1, 4, 2))[0]])
    with DataRun(data(path, 1, "crop_size: 3")) as run:
        run.forward()
        with pytest.raises(NetcliError) as caught:
            run.forward()
    assert str(caught.value) == f"{path}: record 1 ('00000001'): crop_size 3 is larger than the image, 1x4x2"
    assert caught.value.field == "transform_param.crop_size"


def test_the_mean_image_is_found_beside_the_net(tmp_path, database):
    mean = np.random.default_rng(0).random((1, 3, 6, 5)).astype(np.float32)
    write_blob(str(tmp_path / "mean.binaryproto"), mean)
    with DataRun(data(database, 1, "mean_file: 'mean.binaryproto'"), folder=tmp_path) as run:
        np.testing.assert_allclose(run.forward()[0], make_images(1) - mean, rtol=1e-6)


def fault(text):
    threads = threading.active_count()
    with pytest.raises(NetcliError) as caught:
        DataRun(text)
    assert threading.active_count() == threads
    return f"{caught.value.field}: {caught.value}"


def test_faults_are_found_at_set_up(tmp_path, database):
    write_blob(str(tmp_path / "small"), np.zeros((1, 3, 2, 2), np.float32))
    write_blob(str(tmp_path / "flat"), np.zeros(4, np.float32))
    (tmp_path / "text").write_text("no blob")
    assert fault(data(database, 0)) == "data_param.batch_size: batch_size must be at least 1"
    assert fault(data(database, 1, "", 0)) == "data_param.prefetch: prefetch must be at least 1 batch"
    assert fault(data(database, 1, "crop_size: 9")) == (
        f"transform_param.crop_size: {database}: record 0 ('00000000'): crop_size 9 is larger than the image, 3x6x5"
    )
    assert fault(data(database, 1, f"mean_file: '{tmp_path}/small'")) == (
        f"transform_param.mean_file: {database}: record 0 ('00000000'): the mean image is 3x2x2, the images are 3x6x5; "
        "they must be of one size"
    )
    assert fault(data(database, 1, f"mean_file: '{tmp_path}/flat'")) == (
        f"transform_param.mean_file: {tmp_path}/flat holds an array of 4; a mean image is CxHxW or 1xCxHxW"
    )
    assert fault(data(database, 1, f"mean_file: '{tmp_path}/none'")) == (
        f"transform_param.mean_file: mean_file {tmp_path}/none: there is no such mean file"
    )
    assert fault(data(database, 1, f"mean_file: '{tmp_path}/text'")).startswith(
        f"transform_param.mean_file: mean_file {tmp_path}/text: is not a mean file, or damaged"
    )


def test_the_memory_that_a_program_looks_at_is_never_loaded_into(tmp_path):
    """It was a batch's, until the program looked."""
    images = make_images(4, (3, 320, 300))
    with DataRun(data(make_lmdb(tmp_path / "db", images), 1, prefetch=1)) as run:
        run.layer.forward([], run.top)
        seen = run.top[0].show_data()
        run.layer.forward([], run.top)
        for position in (2, 3):
            run.layer._maker.make(position)  # as a thread does while the net computes
        np.testing.assert_array_equal(seen[0], images[1])


def test_the_memory_of_a_large_batch_that_a_small_one_is_copied_to_is_never_loaded_into(tmp_path):
    large, small = make_images(3, (3, 320, 300)), make_images(1, (3, 20, 30))[0]
    path = make_lmdb(tmp_path / "db", [large[0], small, large[1], large[2]])
    with DataRun(data(path, 1, prefetch=1)) as run:
        for _ in range(2):
            run.layer.forward([], run.top)
        for position in (2, 3):
            run.layer._maker.make(position)
        np.testing.assert_array_equal(run.top[0].data[0], small)


@pytest.mark.parametrize("side", [8, 64])  # of batches of 20: copied, and handed over
def test_the_same_bits_with_any_number_of_threads_and_after_a_seek(tmp_path, side):
    path = make_lmdb(tmp_path / "db", make_images(33, (3, side, side + 30)))
    assert (20 * 3 * side * (side + 30) * 4 >= HANDED_OVER) == (side == 64)
    runs = []
    for threads in (1, 2, 5):
        with DataRun(data(path, 20, "mirror: true color_jitter { hue: 0.1 } erase_ratio: 0.5", threads=threads)) as run:
            runs.append([run.forward() for _ in range(4)])
            run.layer.seek(40)
            runs[-1].append(run.forward())
    for other in runs[1:]:
        for one, two in zip(runs[0], other, strict=True):
            np.testing.assert_array_equal(one[0], two[0])
            np.testing.assert_array_equal(one[1], two[1])
    np.testing.assert_array_equal(runs[0][2][0], runs[0][4][0])


@pytest.mark.parametrize(("side", "large"), [(8, False), (300, True)])
def test_a_batch_is_handed_over_from_a_size_on_unless_a_program_looks(tmp_path, side, large):
    images = make_images(4, (3, 300, side))
    with DataRun(data(make_lmdb(tmp_path / "db", images), 1)) as run:
        memory = []
        for _ in range(2):
            run.layer.forward([], run.top)
            memory.append(run.top[0].data_buffer.array)
        assert (memory[0] is not memory[1]) == large
        seen = run.top[0].show_data()
        run.layer.forward([], run.top)
        assert np.shares_memory(seen, run.top[0].data)
        np.testing.assert_array_equal(seen[0], images[2])


@pytest.mark.parametrize("threads", [1, 3])
def test_of_several_records_that_do_not_fit_the_first_is_named(tmp_path, threads):
    shapes = [(3, 4, 5)] * 13 + [(3, 4, 6)] + [(3, 4, 5)] * 12 + [(3, 2, 2)]
    path = make_lmdb(tmp_path / "db", [make_images(1, shape)[0] for shape in shapes])
    with DataRun(data(path, 27, threads=threads)) as run:
        for _ in range(2):  # and the second try says the same
            with pytest.raises(NetcliError, match=r"record 13 \('00000013'\) is 3x4x6"):
                run.forward()


def test_labels_keep_their_sign_and_size(tmp_path):
    labels = [-1, 0, 2**24, -(2**31)]
    path = make_lmdb(tmp_path / "db", make_images(4), labels)
    with DataRun(data(path, 4)) as run:
        assert run.labels() == labels


@pytest.mark.parametrize("threads", [1, 3])
def test_a_record_that_does_not_fit_is_named_before_a_later_one_that_can_t_be_fetched(tmp_path, monkeypatch, threads):
    shapes = [(3, 4, 5)] * 3 + [(3, 4, 6)] + [(3, 4, 5)] * 20
    path = make_lmdb(tmp_path / "db", [make_images(1, shape)[0] for shape in shapes])
    with DataRun(data(path, 24, threads=threads)) as run:
        fetch = run.layer.source.fetch

        def damaged(epoch, index):
            if index == 20:
                raise DataError("the page of record 20 is damaged")
            return fetch(epoch, index)

        monkeypatch.setattr(run.layer.source, "fetch", damaged)
        with pytest.raises(NetcliError, match=r"record 3 \('00000003'\) is 3x4x6"):
            run.forward()
