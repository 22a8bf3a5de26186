import logging

import numpy as np
import pytest

from databases import DataRun, make_images, make_list
from netcli.errors import NetcliError
from netcli.snapshots import write_blob
from netcli.sources.window_crop import WindowCrop

SIZE = (20, 30)  # height and width of the images


def window_data(source, more="batch_size: 8", transform="crop_size: 6"):
    return f"type: 'WindowData' transform_param {{ {transform} }} window_data_param {{ source: '{source}' {more} }}"


def fault(text, **options):
    with pytest.raises(NetcliError) as caught:
        DataRun(text, **options)
    return f"{caught.value.field}: {caught.value}"


def write_windows(folder, windows, size=SIZE, images=3):
    """A window file of images 0.png ... beside it; windows: of each image, lines."""
    text = "".join(
        f"# {i}\n{folder}/{i}.png\n3\n{size[0]}\n{size[1]}\n{len(windows[i])}\n" + "".join(f"{w}\n" for w in windows[i])
        for i in range(images)
    )
    (folder / "windows.txt").write_text(text)
    return str(folder / "windows.txt")


@pytest.fixture
def images(tmp_path):
    images = make_images(3, (3, *SIZE))
    make_list(tmp_path, images)
    return images


@pytest.fixture
def source(tmp_path, images):
    """Foreground 1 .. 4 at (label, label), background at (10 + k, 3), each of 5 x 4 pixels."""
    return write_windows(
        tmp_path,
        [
            ["1 0.9 1 1 5 4", "2 0.5 2 2 6 5", "9 0.1 10 3 14 6"],
            ["9 0.2 11 3 15 6", "9 0 12 3 16 6"],
            ["3 1 3 3 7 6", "4 0.7 4 4 8 7"],
        ],
    )


def test_background_comes_first_and_then_the_foreground_s_share(source):
    with DataRun(window_data(source, "batch_size: 9 fg_fraction: 0.4")) as run:
        for _ in range(5):
            labels = run.labels()
            assert labels[:6] == [0] * 6
            assert all(1 <= label <= 4 for label in labels[6:])


def test_a_quarter_is_foreground_by_default(source):
    with DataRun(window_data(source)) as run:
        assert [label > 0 for label in run.labels()] == [False] * 6 + [True] * 2


def test_every_window_is_drawn_and_cut_out_of_its_own_image(source, images):
    image_of = {1: 0, 2: 0, 3: 2, 4: 2}
    crop = WindowCrop(6, 0, False, None, 0.5, np.float32)
    with DataRun(window_data(source, "batch_size: 40 fg_fraction: 0.5 scale: 0.5")) as run:
        data, labels = run.forward()
    assert set(labels[20:].tolist()) == {1, 2, 3, 4}
    for item, label in zip(data[20:], labels[20:].astype(int).tolist(), strict=True):
        box = (label, label, label + 4, label + 3)
        np.testing.assert_array_equal(item, crop(images[image_of[label]], box, False))
    wanted = [crop(images[k], (x, 3, x + 4, 6), False) for k, x in ((0, 10), (1, 11), (1, 12))]
    found = {item.tobytes() for item in data[:20]}
    assert found == {each.tobytes() for each in wanted}


def test_draws_depend_on_seed_and_phase_and_place_alone(source):
    def drawn(seed=3, start=0, count=6, train=True):
        with DataRun(
            window_data(source, "batch_size: 8 fg_fraction: 0.5", "crop_size: 6 mirror: true"), seed=seed, train=train
        ) as run:
            run.layer.seek(start)
            return [run.forward()[0].tobytes() for _ in range(count)]

    run = drawn()
    assert drawn() == run
    assert drawn(start=24, count=3) == run[3:]
    assert len(set(run)) == len(run)
    assert drawn(seed=4)[0] != run[0]
    assert drawn(train=False)[0] != run[0]


@pytest.mark.parametrize("train", [True, False])
def test_half_of_the_windows_are_mirrored_in_both_phases(tmp_path, images, train):
    source = write_windows(tmp_path, [["1 0.9 1 1 5 4", "0 0 1 1 5 4"]], images=1)
    crop = WindowCrop(6, 0, False, None, 1, np.float32)
    plain, mirrored = (crop(images[0], (1, 1, 5, 4), each) for each in (False, True))
    with DataRun(window_data(source, "batch_size: 200", "crop_size: 6 mirror: true"), train=train) as run:
        data, _ = run.forward()
    count = sum(np.array_equal(item, mirrored) for item in data)
    assert 60 < count < 140
    assert sum(np.array_equal(item, plain) for item in data) == 200 - count


def test_the_mean_s_middle_is_taken_off_before_scaling(tmp_path, images):
    mean = np.random.default_rng(0).random((1, 3, 12, 11)).astype(np.float32) * 200
    write_blob(str(tmp_path / "mean.binaryproto"), mean)
    source = write_windows(tmp_path, [["1 0.9 3 2 8 7", "0 0 3 2 8 7"]], images=1)
    transform = f"crop_size: 6 mean_file: '{tmp_path}/mean.binaryproto'"
    with DataRun(window_data(source, "batch_size: 4 scale: 0.25", transform)) as run:
        data, _ = run.forward()
    # (11 - 6) / 2 = 2, for rows too
    np.testing.assert_array_equal(data[0], (images[0][:, 2:8, 3:9] - mean[0, :, 2:8, 2:8]) * np.float32(0.25))
    with DataRun(window_data(source, "batch_size: 4", "crop_size: 6 mean_value: 1 mean_value: 2 mean_value: 3")) as run:
        data, _ = run.forward()
    np.testing.assert_array_equal(data[0], images[0][:, 2:8, 3:9] - np.float32([[[1]], [[2]], [[3]]]))


def test_context_and_square(source, images):
    with DataRun(window_data(source, "batch_size: 4 context_pad: 1 crop_mode: 'square'")) as run:
        data, labels = run.forward()
    label = int(labels[3])
    crop = WindowCrop(6, 1, True, None, 1, np.float32)
    box = (label, label, label + 4, label + 3)
    np.testing.assert_array_equal(data[3], crop(images[0 if label < 3 else 2], box, False))


def test_images_kept_in_memory_are_read_once(tmp_path, source, images):
    with DataRun(window_data(source, "batch_size: 40 cache_images: true")) as run:
        before = run.forward()[0]
        run.layer.seek(0)
        for i in range(3):
            (tmp_path / f"{i}.png").unlink()
        np.testing.assert_array_equal(run.forward()[0], before)


def test_grey_images_become_three_channels(tmp_path):
    (grey,) = make_images(1, (1, *SIZE))
    make_list(tmp_path, [grey])
    source = write_windows(tmp_path, [["1 0.9 3 2 8 7", "0 0 3 2 8 7"]], images=1)
    with DataRun(window_data(source)) as run:
        np.testing.assert_array_equal(run.forward()[0][0], np.repeat(grey, 3, axis=0)[:, 2:8, 3:9])


def test_root_folder_and_paths_beside_the_window_file(tmp_path, source):
    text = (tmp_path / "windows.txt").read_text().replace(f"{tmp_path}/", "")
    (tmp_path / "short.txt").write_text(text)
    for root in (f"root_folder: '{tmp_path}/'", f"root_folder: '{tmp_path}'", ""):
        with DataRun(window_data(tmp_path / "short.txt", f"batch_size: 2 {root}")) as run:
            assert run.top[0].shape == (2, 3, 6, 6)


def test_no_new_epoch_is_told_of(source, caplog):
    with caplog.at_level(logging.INFO), DataRun(window_data(source)) as run:
        for _ in range(4):
            run.forward()
    assert caplog.messages == []


def test_foreground_may_be_missing_where_none_is_asked_for(tmp_path, images):
    source = write_windows(tmp_path, [["1 0.1 1 1 5 4"]], images=1)
    with DataRun(window_data(source, "batch_size: 2 fg_fraction: 0")) as run:
        assert run.labels() == [0, 0]


def test_what_has_no_effect_says_so(source, caplog):
    more = "batch_size: 2 mirror: true crop_size: 3 scale: 0.5 crop_mode: 'sqaure'"
    with DataRun(window_data(source, more, "crop_size: 6 scale: 2 force_gray: true")) as run:
        assert run.forward()[0].shape == (2, 3, 6, 6)
    assert caplog.messages == [
        *(
            f"layer 'L': {name} in window_data_param has no effect, as in Caffe; it stands in transform_param now"
            for name in ("crop_size", "mirror")
        ),
        *(
            f"layer 'L': {name} in transform_param has no effect in WindowData, as in Caffe"
            for name in ("scale", "force_gray")
        ),
        "layer 'L': crop_mode 'sqaure' is read as warp, as in Caffe",
    ]


@pytest.mark.parametrize(
    ("more", "transform", "sentence"),
    [
        ("batch_size: 0", "crop_size: 6", "window_data_param.batch_size: batch_size must be at least 1"),
        ("", "", "transform_param.crop_size: WindowData needs crop_size, the side of its images"),
        (
            "context_pad: 3",
            "crop_size: 6",
            "window_data_param.context_pad: context_pad 3 on both sides leaves nothing of crop_size 6",
        ),
        (
            "fg_fraction: 1.5",
            "crop_size: 6",
            "window_data_param.fg_fraction: fg_fraction 1.5 is not between 0 and 1",
        ),
        (
            "",
            "crop_size: 6 mean_file: '{folder}/small'",
            "transform_param.mean_file: the mean image is 3x5x8; crop_size 6 wants 3 channels and 6 rows and columns",
        ),
        (
            "",
            "crop_size: 6 mean_file: '{folder}/small' mean_value: 1",
            "transform_param.mean_value: mean_file and mean_value exclude each other",
        ),
        (
            "",
            "crop_size: 6 mean_value: 1 mean_value: 2",
            "transform_param.mean_value: 2 mean_value for images of 3 channels; give one, or one for each",
        ),
        (
            "fg_threshold: 2",
            "crop_size: 6",
            "window_data_param.source: {folder}/windows.txt: no window overlaps an object by fg_threshold 2",
        ),
        (
            "bg_threshold: 0",
            "crop_size: 6",
            "window_data_param.source: {folder}/windows.txt: no window is background, below bg_threshold 0",
        ),
    ],
)
def test_parameters_that_do_not_fit(tmp_path, source, more, transform, sentence):
    write_blob(str(tmp_path / "small"), np.zeros((1, 3, 5, 8), np.float32))
    more = " ".join([more, *(each for each in ("batch_size: 8", "fg_fraction: 0.5") if each.split()[0] not in more)])
    assert fault(window_data(source, more, transform.format(folder=tmp_path))) == sentence.format(folder=tmp_path)


def test_no_source_and_too_few_tops(source):
    assert fault("type: 'WindowData' transform_param { crop_size: 2 } window_data_param { batch_size: 1 }") == (
        "window_data_param.source: window_data_param needs source, a window file"
    )
    assert fault(window_data(source), tops=1) == "top: takes 2 tops, got 1"


def test_images_that_are_not_there_are_counted_at_set_up(tmp_path, source):
    (tmp_path / "1.png").unlink()
    assert fault(window_data(source)) == (
        f"window_data_param.source: {source}: 1 of 3 images ({tmp_path}/1.png) is not there"
    )


def test_a_window_beyond_its_image_is_told_at_set_up(tmp_path, images):
    source = write_windows(tmp_path, [["1 0.9 1 1 5 4", "0 0 1 1 30 4"]], images=1)
    assert fault(window_data(source)) == (
        f"window_data_param.source: {source}:8: the window from (1, 1) to (30, 4) reaches beyond its image of 30 "
        "columns and 20 rows"
    )
    with DataRun(window_data(source, "batch_size: 4 context_pad: 1")) as run:
        run.forward()


def test_a_window_file_s_own_sizes_may_be_wrong(tmp_path, images):
    source = write_windows(tmp_path, [["1 0.9 1 1 29 4", "0 0 1 1 5 4"]], size=SIZE[::-1], images=1)
    with DataRun(window_data(source)) as run:
        run.forward()
    # Where they hide a window that is beyond, it is told when its turn comes.
    source = write_windows(tmp_path, [["1 0.9 1 1 5 4", "0 0 1 1 5 25"]], size=SIZE[::-1], images=1)
    assert fault(window_data(source)).startswith(f"None: {source}:8: the window from (1, 1) to (5, 25) reaches beyond")


def test_an_image_that_can_t_be_decoded_is_named_with_its_line(tmp_path, source):
    for i in range(3):
        (tmp_path / f"{i}.png").write_bytes(b"no image")
    sentence = fault(window_data(source))
    assert any(
        sentence == f"None: {source}:{line}: {tmp_path}/{i}.png: not an image file of a known kind"
        for i, line in ((0, 2), (1, 11), (2, 19))
    )
