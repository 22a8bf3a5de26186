import os

import numpy as np
import pytest
from click.testing import CliRunner

from databases import DataRun, make_lmdb, needs_leveldb
from netcli.arrays.ops import Ops
from netcli.cli.extract_features import command, extract
from netcli.errors import NetcliError
from netcli.layers.base import TEST
from netcli.net import Net
from netcli.prototxt import read_net, schema
from netcli.snapshots import read_weights
from netcli.sources.database import LEVELDB, LMDB, open_database
from training.project import RECORDS, Project

kinds = pytest.mark.parametrize("kind", [LMDB, pytest.param(LEVELDB, marks=needs_leveldb)])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A project with weights: batches of 3 from 22 records in TEST."""
    project = Project(tmp_path_factory.mktemp("features"))
    session = project.open()
    session.trainer().train()
    session.net.save(str(project.folder / "w.caffemodel"))
    session.close()
    return project


@pytest.fixture
def run(trained, netcli, tmp_path, monkeypatch):
    """The command on the project's net, in a new folder."""
    monkeypatch.chdir(tmp_path)

    def on(*arguments):
        return netcli(
            *("extract-features", trained.net, "--weights", trained.folder / "w.caffemodel"),
            "--engine",
            "plain",
            *arguments,
        )

    return on


def expected(project, blob, batches):
    """Items of a blob, by passes of a net that keeps them all."""
    net = Net(read_net(str(project.net)), TEST, ops=Ops("plain"), keep_blobs=True)
    net.load(read_weights(str(project.folder / "w.caffemodel")))
    found = []
    for _ in range(batches):
        net.forward()
        found.append(np.atleast_1d(net.blobs[blob].data).copy())
    net.close()
    return np.concatenate(found)


def stored(path):
    """Keys and Datums of a database."""
    with open_database(str(path)) as database:
        records = [database[i] for i in range(len(database))]
    return [key for key, _ in records], [schema.Datum.FromString(value) for _, value in records]


@kinds
def test_several_blobs_as_caffe_stores_them(trained, run, tmp_path, kind):
    status, out, err = run(
        *("--blob", "ip1=ip1_db", "--blob", "data=data_db", "--blob", "label=label_db", "--blob", "loss=loss_db"),
        *("--batches", 5, "--backend", kind),
    )
    assert (status, err) == (0, "")
    assert out.splitlines()[1:] == [
        "ip1_db: 15 records of 'ip1', 8 each",
        "data_db: 15 records of 'data', 1x5x5 each",
        "label_db: 15 records of 'label', one number each",
        "loss_db: 5 records of 'loss', one number each",
    ]
    for blob, shape in (("ip1", (8, 1, 1)), ("data", (1, 5, 5)), ("label", (1, 1, 1)), ("loss", (1, 1, 1))):
        wanted = expected(trained, blob, 5)
        keys, datums = stored(tmp_path / f"{blob}_db")
        assert keys == [b"%010d" % i for i in range(len(wanted))]
        for datum, values in zip(datums, wanted, strict=True):
            assert (datum.channels, datum.height, datum.width) == shape
            assert not datum.HasField("label")
            assert not datum.HasField("data")
            np.testing.assert_array_equal(np.array(datum.float_data, np.float32), values.ravel())
    with open_database("ip1_db", kind) as database:
        assert type(database).__name__.lower().startswith(kind)


def test_all_records_once_where_no_number_is_given(trained, run, tmp_path):
    status, out, _ = run("--blob", "ip2=db")
    assert (status, out.splitlines()[-1]) == (0, f"db: {RECORDS} records of 'ip2', 3 each")
    _, datums = stored(tmp_path / "db")
    np.testing.assert_array_equal([d.float_data for d in datums], expected(trained, "ip2", 8)[:RECORDS])


def test_a_data_layer_reads_what_was_stored(trained, run, tmp_path):
    run("--blob", "ip1=db")
    with DataRun(f"type: 'Data' data_param {{ source: '{tmp_path}/db' batch_size: {RECORDS} backend: LMDB }}") as data:
        features, labels = data.forward()
    np.testing.assert_array_equal(features[..., 0, 0], expected(trained, "ip1", 8)[:RECORDS])
    assert not labels.any()


def test_a_blob_that_a_layer_changes_in_place_is_stored_as_the_last_left_it(trained, run, tmp_path):
    run("--blob", "ip1=db", "--batches", 1)
    _, datums = stored(tmp_path / "db")
    assert min(min(datum.float_data) for datum in datums) == 0  # after ReLU


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--blob", "ip3=db"], "{net}: the net has no blob 'ip3'; did you mean 'ip2'?"),
        (["--blob", "ip1=there"], "there exists already; delete it, or replace it by --force"),
        (["--blob", "ip1=db", "--blob", "ip2=./db"], "two blobs can't go to one database, ./db"),
        (
            ["--blob", "loss=db"],
            "blob 'loss' () does not hold an item for each of the 3 records of a batch; say how many batches by",
        ),
        (["--blob", "ip1=db", "--blob", "ip2=file/db"], "file/db can't be made: Not a directory"),
    ],
)
def test_faults_leave_nothing(trained, run, tmp_path, arguments, sentence):
    (tmp_path / "there").mkdir()
    (tmp_path / "file").touch()
    status, out, err = run(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"netcli: {sentence.format(net=trained.net)}")
    assert err.count("\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["file", "there"]
    assert os.listdir(tmp_path / "there") == []


def test_blobs_that_are_not_name_and_database(run):
    for text in ("ip1", "=db", "ip1="):
        status, _, err = run("--blob", text)
        assert status == 2
        assert f"'{text}' is not like fc7=features_lmdb" in err


def test_databases_are_replaced_by_force(run, tmp_path):
    run("--blob", "ip1=db", "--batches", 2)
    assert run("--blob", "ip2=db", "--batches", 1)[0] == 2
    assert len(stored(tmp_path / "db")[0]) == 6
    assert run("--blob", "ip2=db", "--batches", 1, "--force")[0] == 0
    assert len(stored(tmp_path / "db")[0]) == 3


def test_a_fault_in_the_middle_leaves_nothing(trained, tmp_path, monkeypatch):
    images = np.zeros((5, 1, 6, 6), np.uint8)
    path = make_lmdb(tmp_path / "db", [*images, np.zeros((1, 3, 3), np.uint8)])
    net = tmp_path / "net.prototxt"
    net.write_text(trained.net.read_text().replace(str(trained.folder / "db"), path))
    features = [("ip1", str(tmp_path / "a")), ("ip2", str(tmp_path / "b"))]
    with pytest.raises(NetcliError, match="crop_size 5 is larger than the image, 1x3x3"):
        extract(str(net), [str(trained.folder / "w.caffemodel")], features, 2, LMDB)
    assert sorted(os.listdir(tmp_path)) == ["db", "net.prototxt"]


def test_a_net_without_a_source_wants_a_number(trained, tmp_path):
    net = tmp_path / "net.prototxt"
    net.write_text(
        'layer { name: "d" type: "DummyData" top: "d" dummy_data_param { shape { dim: [2, 1, 1, 1, 3] } } }\n'
        'layer { name: "f" type: "Flatten" bottom: "d" top: "f" }\n'
    )
    options = [str(net), "--weights", str(trained.folder / "w.caffemodel")]

    def fault(*arguments):
        result = CliRunner().invoke(command, [*options, *arguments])
        return str(result.exception)

    assert fault("--blob", f"f={tmp_path}/db") == (
        "the net has no source with an end; say how many batches by --batches"
    )
    assert fault("--blob", f"d={tmp_path}/db", "--batches", "1") == (
        "blob 'd' (2, 1, 1, 1, 3) has 5 axes; a database holds items of channels, height and width"
    )
    assert os.listdir(tmp_path) == ["net.prototxt"]
