import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from databases import make_images, make_list, needs_leveldb
from netcli.arrays.resize import resize
from netcli.cli.convert_images import command
from netcli.errors import DataError, SnapshotError
from netcli.prototxt import schema
from netcli.sources.database import open_database
from netcli.sources.datum import read_datum
from netcli.sources.image_file import decode_image
from netcli.sources.image_records import FITS, Recipe, fitted


def convert(*arguments):
    """What the command prints; raises what it raises."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def records(path):
    with open_database(str(path)) as database:
        return [database[i] for i in range(len(database))]


@pytest.fixture
def images():
    return make_images(5, (3, 4, 6))


@pytest.fixture
def folder(tmp_path, images):
    """Five PNG files below photos/ and a list of them, labels 10 .. 14."""
    (tmp_path / "photos").mkdir()
    make_list(tmp_path / "photos", images)
    (tmp_path / "list.txt").write_text("".join(f"{i}.png {10 + i}\n" for i in range(5)))
    return tmp_path


def run(folder, *options, root="photos/"):
    return convert(
        folder / root if not root.endswith("/") else f"{folder}/{root}", folder / "list.txt", folder / "db", *options
    )


def test_a_database_as_caffe_makes_it(folder, images):
    assert run(folder).output == f"{folder}/db: 5 records\n"
    made = records(folder / "db")
    assert [key for key, _ in made] == [b"%08d_%d.png" % (i, i) for i in range(5)]
    for i, (_, value) in enumerate(made):
        datum = schema.Datum.FromString(value)
        assert (datum.channels, datum.height, datum.width, datum.label, datum.encoded) == (3, 4, 6, 10 + i, False)
        assert datum.data == images[i].tobytes()
    assert sorted(os.listdir(folder)) == ["db", "list.txt", "photos"]
    assert os.listdir(folder / "db") == ["data.mdb"]


def test_a_root_without_a_slash_is_a_folder_all_the_same(folder):
    run(folder, root="photos")
    assert len(records(folder / "db")) == 5


def test_grey_and_resized(folder, images):
    run(folder, "--gray")
    assert read_datum(records(folder / "db")[0][1])[0].shape == (1, 4, 6)
    run(folder, "--force", "--resize-width", 3, "--resize-height", 9)
    np.testing.assert_array_equal(read_datum(records(folder / "db")[1][1])[0], resize(images[1], 9, 3))


def test_shuffled_the_same_by_the_same_seed(folder):
    orders = []
    for seed in (1, 1, 2):
        assert run(folder, "--shuffle", "--seed", seed, "--force").output.endswith(
            f"5 records, shuffled by seed {seed}\n"
        )
        made = records(folder / "db")
        assert [key[:8] for key, _ in made] == [b"%08d" % i for i in range(5)]
        orders.append([key[9:] for key, _ in made])
        assert [read_datum(value)[1] for _, value in made] == [10 + int(name[:1]) for name in orders[-1]]
    assert orders[0] == orders[1] != orders[2]
    assert "shuffled by seed " in run(folder, "--shuffle", "--force").output


def test_encoded_files_are_kept_as_they_are_or_encoded_anew(folder, images):
    def first(*options):
        run(folder, "--force", *options)
        datum = schema.Datum.FromString(records(folder / "db")[0][1])
        assert datum.encoded
        assert datum.label == 10
        return datum.data

    file = (folder / "photos" / "0.png").read_bytes()
    assert first("--encoded") == file
    assert first("--encode-type", "png") == file
    assert first("--encode-type", "jpg")[:2] == b"\xff\xd8"
    np.testing.assert_array_equal(
        decode_image(first("--encoded", "--resize-width", 5, "--resize-height", 5)), resize(images[0], 5, 5)
    )
    assert decode_image(first("--encoded", "--gray")).shape == (1, 4, 6)


def test_an_unreadable_image_fails_the_run_and_leaves_nothing(folder):
    (folder / "photos" / "1.png").write_bytes(b"no image")
    (folder / "photos" / "3.png").unlink()
    with pytest.raises(DataError) as caught:
        run(folder)
    assert str(caught.value) == (
        f"2 of 5 images ({folder}/list.txt:2: {folder}/photos/1.png: not an image file of a known kind, "
        f"{folder}/list.txt:4: {folder}/photos/3.png can't be read: No such file or directory) are unreadable, and "
        f"{folder}/db was not made"
    )
    assert sorted(os.listdir(folder)) == ["list.txt", "photos"]


def test_unreadable_images_can_be_left_out(folder):
    (folder / "photos" / "1.png").write_bytes(b"no image")
    output = run(folder, "--skip-unreadable").output
    assert output.startswith(f"{folder}/db: 4 records; 1 of 5 images ({folder}/list.txt:2: ")
    assert output.endswith(") is left out\n")
    assert [key for key, _ in records(folder / "db")] == [b"%08d_%d.png" % (i, i) for i in (0, 2, 3, 4)]


def test_no_readable_image_at_all(folder):
    for i in range(5):
        (folder / "photos" / f"{i}.png").unlink()
    with pytest.raises(DataError, match=r"5 of 5 images .* and 2 more\) are unreadable"):
        run(folder, "--skip-unreadable")
    assert not (folder / "db").exists()


def test_sizes_are_checked_on_request(folder):
    make_list(folder / "photos", [*make_images(4, (3, 4, 6)), make_images(1, (3, 5, 6))[0]])
    run(folder)
    with pytest.raises(DataError) as caught:
        run(folder, "--check-size", "--force")
    assert str(caught.value) == "image 00000004_4.png is 3x5x6, the first is 3x4x6"
    assert len(records(folder / "db")) == 5  # the old one is still there


def test_a_database_is_replaced_only_by_force(folder):
    run(folder)
    with pytest.raises(DataError, match="db exists already; delete it, or replace it by --force"):
        run(folder)
    (folder / "list.txt").write_text("4.png 7\n")
    run(folder, "--force")
    assert [key for key, _ in records(folder / "db")] == [b"00000000_4.png"]


@needs_leveldb
def test_a_leveldb_holds_the_same_records_by_the_same_rules(folder):
    run(folder)
    wanted = records(folder / "db")
    with pytest.raises(DataError, match="db exists and is not a LevelDB; it is left alone"):
        run(folder, "--backend", "leveldb", "--force")
    shutil.rmtree(folder / "db")
    assert run(folder, "--backend", "leveldb").output == f"{folder}/db: 5 records\n"
    assert records(folder / "db") == wanted
    with pytest.raises(DataError, match="db exists already; delete it, or replace it by --force"):
        run(folder, "--backend", "leveldb")
    (folder / "list.txt").write_text("4.png 7\n")
    run(folder, "--backend", "leveldb", "--force")
    assert [key for key, _ in records(folder / "db")] == [b"00000000_4.png"]
    (folder / "photos" / "4.png").unlink()
    with pytest.raises(DataError, match="unreadable, and"):
        run(folder, "--backend", "leveldb", "--force")
    assert [key for key, _ in records(folder / "db")] == [b"00000000_4.png"]
    assert sorted(os.listdir(folder)) == ["db", "list.txt", "photos"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--resize-width", "5"], "--resize-width and --resize-height go together"),
        (["--size", "0"], "'0' is not like 256 or 256x320"),
        (["--size", "5", "--short-side", "5"], "--size and --short-side exclude each other"),
        (["--size", "²"], "'²' is not like 256 or 256x320"),
        (["--max-bad", "few"], "'few' is neither a number of images nor a percentage"),
        (["--max-bad", "-1"], "'-1' is neither a number of images nor a percentage"),
        (["--max-bad", "nan%"], "'nan%' is neither a number of images nor a percentage"),
        (["--max-bad", "inf%"], "'inf%' is neither a number of images nor a percentage"),
        (["--encode-type", "gif"], "--encode-type is one of jpg, jpeg, png"),
        (["--backend", "bsddb"], "'bsddb' is not one of 'lmdb', 'leveldb'"),
    ],
)
def test_options_that_do_not_fit(folder, options, sentence):
    result = run(folder, *options)
    assert result.exit_code == 2
    assert sentence in result.output


def test_interrupted_while_it_is_verified_it_is_finished(tmp_path, images, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    (tmp_path / "classes" / "cat").mkdir(parents=True)
    make_list(tmp_path / "classes" / "cat", images)
    monkeypatch.setattr("netcli.cli.convert_images.verify", interrupt)
    result = convert(tmp_path / "classes", tmp_path / "db", "--verify")
    assert (result.exit_code, "is not finished" in result.output) == (1, False)
    assert (tmp_path / "db.labels.txt").read_text() == "cat\n"
    assert len(records(tmp_path / "db")) == 5


@pytest.mark.parametrize("option", ["--report", "--labels"])
def test_a_file_that_could_not_be_written_at_the_end_is_told_before(folder, option):
    with pytest.raises(SnapshotError, match="there is no folder"):
        run(folder, option, folder / "none" / "file.txt")
    assert sorted(os.listdir(folder)) == ["list.txt", "photos"]
    (folder / "photos" / "4.png").write_bytes(b"no image")
    place = folder / "new" / "folder"  # which is made for the database
    convert(f"{folder}/photos/", folder / "list.txt", place / "db", "--max-bad", 1, "--report", place / "bad.txt")
    assert len((place / "bad.txt").read_text().splitlines()) == 1


def test_the_order_does_not_depend_on_which_image_is_decoded_first(folder, monkeypatch):
    from netcli.sources import conversion

    make = conversion.outcomes_of

    def slow(sources, recipe):
        time.sleep(0.02 if sources[0].label < 12 else 0)
        return make(sources, recipe)

    monkeypatch.setattr(conversion, "outcomes_of", slow)
    monkeypatch.setattr(conversion, "CHUNK", 1)
    monkeypatch.setattr(conversion, "TRIED", 1)
    monkeypatch.setattr(conversion, "SHORT", 0)
    run(folder, "--workers", 3)
    assert [key for key, _ in records(folder / "db")] == [b"%08d_%d.png" % (i, i) for i in range(5)]


def test_a_fault_is_one_sentence_and_status_2(folder):
    done = subprocess.run(
        [sys.executable, "-m", "netcli", "convert-images", str(folder), str(folder / "no.txt"), str(folder / "db")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"netcli: {folder}/no.txt can't be read: No such file or directory\n"


def start(folder, *options):
    """The command as a process of its own."""
    command = [sys.executable, "-m", "netcli", "convert-images", f"{folder}/photos/", str(folder / "list.txt")]
    return subprocess.Popen(
        [*command, str(folder / "db"), *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def unfinished(folder):
    """Bytes of what there is of the database."""
    file = folder / "db.partial" / "data.mdb"
    return file.stat().st_size if file.exists() else 1 << 15  # that of an empty one, at most


def after_a_commit(folder, process, before=1 << 15):
    """Wait until more records are in the unfinished database, or all."""
    while unfinished(folder) <= before and process.poll() is None:
        time.sleep(0.002)


@pytest.fixture
def many(folder):
    """A list of 9,000 images, some of which can't be read."""
    (folder / "photos" / "bad.png").write_bytes(b"no image")
    lines = [f"{'bad' if i % 1700 == 5 else i % 5}.png {i}\n" for i in range(9000)]
    (folder / "list.txt").write_text("".join(lines))
    return folder


def test_killed_or_interrupted_it_goes_on_to_the_same_bytes(many):
    run(many, "--max-bad", "1%", "--workers", "1")
    whole = (many / "db" / "data.mdb").read_bytes()
    shutil.rmtree(many / "db")
    for number, blow in enumerate((signal.SIGKILL, signal.SIGINT, signal.SIGKILL)):
        before = unfinished(many)
        process = start(many, "--max-bad", "1%", "--workers", str(1 + number))
        after_a_commit(many, process, before)
        process.send_signal(blow)
        out, err = process.communicate()
        if process.returncode == 0:  # it was faster
            break
        if blow == signal.SIGINT:
            assert process.returncode == 130
            assert f"{many}/db is not finished; the same command goes on where it was\n" in err
    if not (many / "db").exists():
        process = start(many, "--max-bad", "1%", "--report", str(many / "bad.txt"))
        out, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        assert out.startswith(f"{many}/db: 8994 records; 6 of 9000 images (")
        assert len((many / "bad.txt").read_text().splitlines()) == 6
    assert (many / "db" / "data.mdb").read_bytes() == whole
    assert not (many / "db.partial").exists()


@pytest.mark.slow
def test_killed_ten_times_at_random_moments_it_goes_on_to_the_same_bytes(many):
    """At any moment of a run, also while it begins, resumes, commits, or puts the whole in place."""
    lines = [f"{'bad' if i % 17000 == 5 else i % 5}.png {i}\n" for i in range(60_000)]
    (many / "list.txt").write_text("".join(lines))
    options = ["--skip-unreadable", "--workers", "2"]
    start_of_run = time.monotonic()
    _, err = start(many, *options).communicate()
    assert err == ""
    longest = time.monotonic() - start_of_run
    whole = (many / "db" / "data.mdb").read_bytes()
    shutil.rmtree(many / "db")
    random = np.random.default_rng()
    kills, moments = 0, []
    while kills < 10:
        process = start(many, *options)
        moments.append(random.uniform(0, longest))
        try:
            process.communicate(timeout=moments[-1])
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            kills += 1
        if (many / "db").exists():  # finished before the blow, or by it: the next is begun from nothing
            assert (many / "db" / "data.mdb").read_bytes() == whole, moments
            shutil.rmtree(many / "db")
            shutil.rmtree(many / "db.partial", ignore_errors=True)
    process = start(many, *options)
    _, err = process.communicate()
    assert (process.returncode, err) == (0, ""), moments
    assert (many / "db" / "data.mdb").read_bytes() == whole, moments
    assert not (many / "db.partial").exists()


def test_another_job_begins_anew(many):
    process = start(many, "--skip-unreadable", "--size", "3")
    after_a_commit(many, process)
    process.kill()
    process.communicate()
    process = start(many, "--skip-unreadable", "--size", "3", "--gray")
    after_a_commit(many, process)
    process.kill()
    process.communicate()
    run(many, "--skip-unreadable", "--size", "3", "--gray", "--interpolation", "area", "--force")
    made = records(many / "db")
    assert len(made) == 8994
    grey = decode_image((many / "photos" / "0.png").read_bytes(), False)
    np.testing.assert_array_equal(read_datum(made[0][1])[0], resize(grey, 3, 3, interpolation="area"))


@pytest.fixture(params=["one", "threads", "processes"])
def way(request, monkeypatch):
    """Images made by one thread, by several, or by processes, however long they take."""
    from netcli.sources import conversion

    monkeypatch.setattr(conversion, "SHORT", float("inf") if request.param == "one" else 0)
    monkeypatch.setattr(conversion, "SMALL", 0 if request.param == "threads" else float("inf"))
    return request.param


def test_the_same_bytes_by_any_number_of_workers(many, way):
    made = []
    for workers in (1, 2, 5):
        run(many, "--skip-unreadable", "--force", "--workers", workers, "--verify")
        made.append((many / "db" / "data.mdb").read_bytes())
    assert made[0] == made[1] == made[2]


@pytest.mark.parametrize("kind", ["folder", "zip", "tar"])
def test_unreadable_images_are_told_of_in_the_same_words(many, way, kind):
    root = many / "photos"
    (many / "list.txt").write_text((many / "list.txt").read_text() + "none.png 1\n")
    if kind != "folder":
        root = shutil.make_archive(str(many / "archive"), kind, root)
    convert(root, many / "list.txt", many / "db", "--skip-unreadable", "--workers", 2, "--report", many / "bad.txt")
    prefix = f"{root}/" if kind == "folder" else ""
    *broken, missing = (many / "bad.txt").read_text().splitlines()
    assert broken == [
        f"{many}/list.txt:{1700 * i + 6}: {prefix}bad.png: not an image file of a known kind" for i in range(6)
    ]
    assert missing == f"{many}/list.txt:9001: " + (
        f"{prefix}none.png can't be read: No such file or directory" if kind == "folder" else f"{root} has no none.png"
    )


def test_more_bad_images_than_may_be(many):
    with pytest.raises(DataError, match=r"6 of 9000 images \(.* and 3 more\) are unreadable, and .*db was not made"):
        run(many, "--max-bad", 5)
    assert not (many / "db").exists()
    assert "6 of 9000 images" in run(many, "--max-bad", "0.1%").output
    (many / "list.txt").write_text("bad.png 1\n" * 5000)
    with pytest.raises(DataError, match=r"101 of \d+ images"):  # it does not go on for hours
        run(many, "--force")


# -- where images are from


def classes(folder, images):
    for i, name in enumerate(["cat", "dog", "cat", "eel/young", "dog"]):
        (folder / "set" / name).mkdir(parents=True, exist_ok=True)
        shutil.copy(folder / "photos" / f"{i}.png", folder / "set" / name / f"{i}.png")
    (folder / "set" / "readme.txt").write_text("no image")
    return folder / "set"


KEYS = [b"00000000_cat/0.png", b"00000001_cat/2.png", b"00000002_dog/1.png", b"00000003_dog/4.png"]
KEYS.append(b"00000004_eel/young/3.png")


@pytest.mark.parametrize("kind", ["folder", "zip", "tar", "gztar"])
def test_a_folder_for_each_class(folder, images, kind):
    root = classes(folder, images)
    if kind != "folder":
        root = shutil.make_archive(str(folder / "archive"), kind, root)
    result = convert(root, folder / "db")
    assert result.output == f"{folder}/db: 5 records of 3 classes\n"
    assert (folder / "db.labels.txt").read_text() == "cat\ndog\neel/young\n"
    made = records(folder / "db")
    assert [key for key, _ in made] == KEYS
    for (_, value), label, number in zip(made, (0, 0, 1, 1, 2), (0, 2, 1, 4, 3), strict=True):
        image, found = read_datum(value)
        assert found == label
        np.testing.assert_array_equal(image, images[number])


def test_a_list_of_an_archive_s_members(folder, images):
    archive = shutil.make_archive(str(folder / "archive"), "zip", folder / "photos")
    (folder / "list.txt").write_text("3.png 7\nnone.png 1\n")
    output = convert(archive, folder / "list.txt", folder / "db", "--skip-unreadable").output
    assert f"({folder}/list.txt:2: {archive} has no none.png)" in output
    np.testing.assert_array_equal(read_datum(records(folder / "db")[0][1])[0], images[3])


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "photos", "has no folders with images, one for each class"),
        (lambda folder: folder / "none", "none is no folder"),
        (lambda folder: _written(folder / "a.zip", b"PK nothing"), "a.zip can't be read as a zip archive"),
        (lambda folder: _written(folder / "a.tar", b"nothing"), "a.tar can't be read as a tar archive"),
        (lambda folder: _loose(folder), "images in no class, such as 1.png"),
    ],
)
def test_what_is_no_set_of_classes(folder, make, sentence):
    with pytest.raises(DataError, match=sentence):
        convert(make(folder), folder / "db")


def _written(path, content):
    path.write_bytes(content)
    return path


def _loose(folder):
    (folder / "photos" / "a").mkdir()
    shutil.move(folder / "photos" / "0.png", folder / "photos" / "a")
    return folder / "photos"


# -- sizes and forms


@pytest.mark.parametrize(
    ("options", "shape"),
    [
        (["--short-side", 8], (3, 8, 12)),
        (["--size", 5], (3, 5, 5)),
        (["--size", "5x9"], (3, 5, 9)),
        (["--size", "8x8", "--fit", "crop"], (3, 8, 8)),
        (["--size", "9x3", "--fit", "pad"], (3, 9, 3)),
    ],
)
def test_sizes(folder, images, options, shape):
    run(folder, *options)
    made = read_datum(records(folder / "db")[1][1])[0]
    assert made.shape == shape
    if "crop" in options:
        np.testing.assert_array_equal(made, resize(images[1], 8, 12)[:, :, 2:10])
    if "pad" in options:
        np.testing.assert_array_equal(made[:, 3:5], resize(images[1], 2, 3))
        assert made[:, :3].max() == made[:, 5:].max() == 0


@pytest.mark.parametrize("interpolation", ["nearest", "area", "cubic"])
def test_interpolations(folder, images, interpolation):
    for options, size in ((["--size", "2x3"], (2, 3)), (["--short-side", 8], (8, 12)), (["--size", 9], (9, 9))):
        run(folder, *options, "--interpolation", interpolation, "--force")
        made = read_datum(records(folder / "db")[1][1])[0]
        np.testing.assert_array_equal(made, resize(images[1], *size, interpolation=interpolation))
        assert (made != resize(images[1], *size)).any()


@settings(deadline=None, max_examples=60)
@given(*[st.integers(1, 50)] * 4, st.sampled_from(FITS))
def test_any_fit_gives_the_size_wanted(height, width, wanted_height, wanted_width, fit):
    image = np.zeros((1, height, width), np.uint8)
    assert fitted(image, Recipe(size=(wanted_height, wanted_width), fit=fit)).shape == (1, wanted_height, wanted_width)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turned_as_the_exif_data_say(folder, orientation):
    from PIL import Image, ImageOps

    pixels = Image.fromarray(np.random.default_rng(0).integers(0, 256, (4, 6, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels.save(folder / "photos" / "0.png", exif=exif)
    run(folder, "--orient")
    with Image.open(folder / "photos" / "0.png") as file:
        want = np.asarray(ImageOps.exif_transpose(file)).transpose(2, 0, 1)[::-1]
    np.testing.assert_array_equal(read_datum(records(folder / "db")[0][1])[0], want)


def test_the_quality_of_what_is_encoded_anew(folder):
    sizes = []
    for quality in (20, 90):
        run(folder, "--force", "--encode-type", "jpg", "--quality", quality, "--size", "64")
        sizes.append(len(schema.Datum.FromString(records(folder / "db")[0][1]).data))
    assert sizes[0] < sizes[1]


def test_several_numbers_for_each_image_go_to_a_database_of_their_own(folder):
    """A second Data layer reads them: (K, 1, 1), in the same order."""
    (folder / "list.txt").write_text("".join(f"{i}.png {i}.5 -{i} 1e2\n" for i in range(5)))
    (folder / "photos" / "2.png").unlink()
    run(folder, "--vectors", 3, "--shuffle", "--seed", 4, "--skip-unreadable")
    made, numbers = records(folder / "db"), records(folder / "db_labels")
    assert [key for key, _ in made] == [key for key, _ in numbers]
    assert len(made) == 4
    for (key, _), (_, value) in zip(made, numbers, strict=True):
        i = int(key[9:10])
        vector, _ = read_datum(value)
        assert vector.shape == (3, 1, 1)
        np.testing.assert_array_equal(vector.ravel(), np.float32([i + 0.5, -i, 100]))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [("0.png 1", "1 of 1 line"), ("0.png 1 x", "'path' and 2 numbers"), ("0.png 1 nan", "list.txt")],
)
def test_lines_without_so_many_numbers(folder, line, sentence):
    (folder / "list.txt").write_text(f"{line}\n")
    with pytest.raises(DataError, match=sentence):
        run(folder, "--vectors", 2)
