import numpy as np
import pytest

from databases import DataRun, make_images, make_list
from netcli.arrays.resize import resize
from netcli.errors import NetcliError


def image_data(source, more="", transform=""):
    return f"type: 'ImageData' transform_param {{ {transform} }} image_data_param {{ source: '{source}' {more} }}"


def fault(text, **options):
    with pytest.raises(NetcliError) as caught:
        DataRun(text, **options)
    return f"{caught.value.field}: {caught.value}"


@pytest.fixture
def images():
    return make_images(6, (3, 4, 5))


def test_images_come_in_the_list_s_order(tmp_path, images):
    with DataRun(image_data(make_list(tmp_path, images), "batch_size: 4", "mean_value: 10")) as run:
        for start in (0, 4, 8):
            order = [(start + i) % 6 for i in range(4)]
            tops = run.forward()
            np.testing.assert_array_equal(tops[0], images[order].astype(np.float32) - 10)
            np.testing.assert_array_equal(tops[1], order)


def test_one_image_a_batch_by_default_of_any_size(tmp_path):
    images = [make_images(1, (3, 4, 5))[0], make_images(1, (3, 2, 9))[0]]
    with DataRun(image_data(make_list(tmp_path, images))) as run:
        for i in range(3):
            np.testing.assert_array_equal(run.forward()[0][0], images[i % 2])


def test_grey_and_resized(tmp_path, images):
    source = make_list(tmp_path, images)
    with DataRun(image_data(source, "batch_size: 2 is_color: false")) as run:
        assert run.forward()[0].shape == (2, 1, 4, 5)
    with DataRun(image_data(source, "batch_size: 2 new_height: 7 new_width: 3")) as run:
        np.testing.assert_array_equal(run.forward()[0][1], resize(images[1], 7, 3))


def test_grey_files_become_three_channels(tmp_path):
    (grey,) = make_images(1, (1, 4, 5))
    with DataRun(image_data(make_list(tmp_path, [grey]))) as run:
        np.testing.assert_array_equal(run.forward()[0][0], np.repeat(grey, 3, axis=0))


def test_each_epoch_has_an_order_of_its_own_and_all_images(tmp_path):
    source = make_list(tmp_path, make_images(8))

    def labels(batch, count, seed=5, start=0):
        with DataRun(image_data(source, f"shuffle: true batch_size: {batch}"), seed=seed) as run:
            run.layer.seek(start)
            return [label for _ in range(count // batch) for label in run.labels()]

    run = labels(8, 24)
    epochs = [run[i : i + 8] for i in (0, 8, 16)]
    assert all(sorted(epoch) == list(range(8)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 3
    assert labels(3, 24) == run
    assert labels(5, 10, start=11) == run[11:21]
    assert labels(8, 8, seed=6) != run[:8]


def test_rand_skip_passes_over_some_once(tmp_path):
    source = make_list(tmp_path, make_images(6))
    firsts = set()
    for seed in range(20):
        with DataRun(image_data(source, "rand_skip: 3 batch_size: 6"), seed=seed) as run:
            labels = run.labels()
            firsts.add(labels[0])
            assert labels == [(labels[0] + i) % 6 for i in range(6)]
            assert run.layer.position() == 6
            run.layer.seek(0)
            assert run.labels() == labels
    assert firsts == {0, 1, 2}


def test_rand_skip_beyond_the_list(tmp_path):
    text = image_data(make_list(tmp_path, make_images(1)), "rand_skip: 4000000000")
    assert fault(text).startswith("image_data_param.rand_skip: rand_skip passes over ")


def test_root_folder_and_paths_beside_list_and_net(tmp_path, images):
    make_list(tmp_path, images)
    (tmp_path / "short.txt").write_text("0.png 4\n1.png 5\n")
    for root in (f"root_folder: '{tmp_path}/'", f"root_folder: '{tmp_path}'", ""):
        with DataRun(image_data(tmp_path / "short.txt", root)) as run:
            assert run.labels() == [4]
    with DataRun(
        image_data(f"{tmp_path.name}/short.txt", f"root_folder: '{tmp_path.name}/'"), folder=tmp_path.parent
    ) as run:
        assert run.labels() == [4]


def test_files_that_are_not_there_are_counted_at_set_up(tmp_path, images):
    source = make_list(tmp_path, images)
    for i in (1, 2, 3, 5):
        (tmp_path / f"{i}.png").unlink()
    assert fault(image_data(source)) == (
        f"image_data_param.source: {source}: 4 of 6 images ({tmp_path}/1.png, {tmp_path}/2.png, {tmp_path}/3.png and "
        "1 more) are not there"
    )


def test_an_image_that_can_t_be_decoded_is_named_with_its_line(tmp_path, images):
    source = make_list(tmp_path, images)
    (tmp_path / "1.png").write_bytes(b"no image")
    with DataRun(image_data(source)) as run:
        run.forward()
        with pytest.raises(NetcliError) as caught:
            run.forward()
    assert str(caught.value) == f"{source}:2: {tmp_path}/1.png: not an image file of a known kind"


def test_images_of_other_sizes_and_small_ones_are_named(tmp_path):
    source = make_list(tmp_path, [make_images(1, (3, 4, 5))[0], make_images(1, (3, 2, 9))[0]])
    with DataRun(image_data(source, "batch_size: 2")) as run, pytest.raises(NetcliError) as caught:
        run.forward()
    assert str(caught.value).startswith(f"{source}:2: {tmp_path}/1.png is 3x2x9, the first of its batch is 3x4x5")
    with DataRun(image_data(source, "batch_size: 2", "crop_size: 3")) as run, pytest.raises(NetcliError) as caught:
        run.forward()
    assert str(caught.value) == f"{source}:2: {tmp_path}/1.png: crop_size 3 is larger than the image, 3x2x9"


def test_parameters_that_do_not_fit(tmp_path, images):
    source = make_list(tmp_path, images)
    assert fault("type: 'ImageData'") == ("image_data_param.source: image_data_param needs source, a list of images")
    assert fault(image_data(source, "new_height: 5")) == (
        "image_data_param.new_height: new_height 5 and new_width 0 go together: both or neither"
    )
    assert fault(image_data(tmp_path / "no.txt")) == (
        f"image_data_param.source: {tmp_path}/no.txt can't be read: No such file or directory"
    )
    assert fault(image_data(source), tops=1) == "top: takes 2 tops, got 1"
