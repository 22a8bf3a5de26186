import json
import re

import numpy as np
import pytest

from databases import make_images, make_list, make_lmdb
from netcli.sources.database import LMDB, create_database
from netcli.sources.datum import write_datum

NET = """
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  data_param { source: "train" batch_size: 4 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  data_param { source: "test" batch_size: 2 backend: LMDB } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" include { phase: TEST } }
"""


@pytest.fixture
def folder(tmp_path):
    """A training set with a class too many, one without images and an image twice; one image is in the test set too."""
    images, others = make_images(12), make_images(4, seed=1)
    images[7] = images[2]
    others[3] = images[5]
    make_lmdb(tmp_path / "train", images, [0, 0, 0, 0, 0, 0, 1, 1, 1, 3, 3, 4])
    make_lmdb(tmp_path / "test", others, [0, 1, 2, 3])
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(
        'net: "net.prototxt" base_lr: 1 lr_policy: "fixed" max_iter: 1 test_iter: 1 test_interval: 1\n'
    )
    return tmp_path


@pytest.mark.parametrize("file", ["net.prototxt", "solver.prototxt"])
def test_a_look_as_json(folder, netcli, file):
    status, out, err = netcli("data", folder / file, "--json")
    assert (status, err) == (0, "")
    found = json.loads(out)
    train, test = found["sets"]
    assert (train["name"], train["records"], train["looked_at"]) == ("TRAIN 'data'", 12, 12)
    assert train["sizes"] == [{"shape": [3, 6, 5], "images": 12}]
    images = make_images(12)
    images[7] = images[2]
    np.testing.assert_allclose(train["colours"][0]["mean"], images.mean((0, 2, 3)))
    np.testing.assert_allclose(train["colours"][0]["std"], images.std((0, 2, 3)))
    assert train["labels"] == {"0": 6, "1": 3, "3": 2, "4": 1}
    assert (train["classes"], train["out_of_range"], train["empty"], train["imbalance"]) == (4, {"4": 1}, [2], 6)
    assert (test["name"], test["out_of_range"], test["empty"], test["broken"]) == ("TEST 'data'", {}, [], [])
    same = found["duplicates"]["same"]
    ends = [(first["record"], second["record"]) for first, second in same["pairs"]]
    first, second = f"{folder}/train: record ", f"{folder}/test: record "
    assert ends == [
        (f"{first}2 ('00000002')", f"{first}7 ('00000007')"),
        (f"{first}5 ('00000005')", f"{second}3 ('00000003')"),
    ]
    assert [each["label"] for each in same["pairs"][0]] == [0, 1]
    assert (same["count"], same["other_labels"]) == (2, 2)
    assert found["duplicates"]["near"] == {"count": 0, "other_labels": 0, "pairs": []}


def test_a_look_for_a_person(folder, netcli):
    out = netcli("data", folder / "net.prototxt")[1]
    assert "TRAIN 'data': 12 images\n  sizes    3x6x5 (12)\n" in out
    assert "  labels   4 different, 0..4 of 4 classes ('ip', read by 'loss')\n" in out
    assert "1 images of label 4 to 6 of label 0, 6 times as many" in out
    assert "  wrong    labels the net has no output for: 4 (1)\n" in out
    assert "  empty    no image of label 2\n" in out
    assert "  twice    1 image is the same as an earlier one, 1 of these with different labels\n" in out
    assert "in TRAIN 'data' and in TEST 'data':\n  1 image is the same as an earlier one" in out
    assert re.search(r"label  TRAIN 'data'  TEST 'data'\n0 +6 +1\n1 +3 +1\n2 +0 +1\n", out)


def test_one_phase_a_sample_and_no_duplicates(folder, netcli):
    found = json.loads(
        netcli("data", folder / "net.prototxt", "--phase", "TRAIN", "--sample", 3, "--no-duplicates", "--json")[1]
    )
    (train,) = found["sets"]
    assert (train["records"], train["looked_at"], train["labels"]) == (12, 3, {"0": 2, "4": 1})
    assert found["duplicates"] is None


def test_broken_images_are_named_the_first_too(folder, netcli):
    image = make_images(1)[0]
    with create_database(str(folder / "train"), LMDB, overwrite=True) as writer:
        writer.put(b"0", b"\xff")
        writer.put(b"1", write_datum(image, 1))
        writer.put(b"2", write_datum(image, 0)[:-50])
    status, out, err = netcli("data", folder / "net.prototxt", "--json")
    train = json.loads(out)["sets"][0]
    assert status == 0
    assert [fault.partition(")")[0] for fault in train["broken"]] == [
        f"{folder}/train: record {i} ('{i}'" for i in (0, 2)
    ]
    assert (train["looked_at"], train["labels"], train["classes"]) == (3, {"1": 1}, None)
    assert "warning: labels are not held against the net's classes, for it can't be built: " in err


def test_a_list_of_images_in_both_phases_is_looked_at_once(tmp_path, netcli):
    make_list(tmp_path, make_images(5))
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "images" type: "ImageData" top: "data" top: "label"\n'
        '  image_data_param { source: "list.txt" batch_size: 2 shuffle: true } }\n'
        'layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip" inner_product_param { num_output: 5 } }\n'
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }\n'
    )
    (found,) = json.loads(netcli("data", tmp_path / "net.prototxt", "--json")[1])["sets"]
    assert (found["name"], found["records"], found["classes"]) == ("TRAIN, TEST 'images'", 5, 5)
    assert found["labels"] == {str(i): 1 for i in range(5)}


@pytest.mark.parametrize("words", [("--threads", 1), ("--threads", 2, "--phase", "TEST"), ()])
def test_the_time_of_the_pipeline_alone(folder, netcli, words):
    status, out, _ = netcli("data", folder / "net.prototxt", "--time", 0.05, "--json", *words)
    found = json.loads(out)
    size = 2 if "TEST" in words else 4
    assert status == 0
    assert found["phase"] == ("TEST" if "TEST" in words else "TRAIN")
    assert found["layers"] == ["data"]
    assert found["images"] % size == 0
    assert found["seconds"] >= 0.05
    assert found["images_per_second"] == pytest.approx(found["images"] / found["seconds"], rel=1e-3)
    assert 0 < found["least"] <= found["median"] <= found["most"]


def test_the_time_in_words(folder, netcli):
    out = netcli("data", folder / "solver.prototxt", "--time", 0.02)[1]
    assert re.fullmatch(
        r"[\d,.]+ images/s by 'data' in TRAIN: [\d,]+ in 0\.\d\d s; [\d,.]+ to [\d,.]+, "
        r"median [\d,.]+, over \d+ parts? of that time\n",
        out,
    )


@pytest.mark.parametrize(
    ("text", "words", "message"),
    [
        ('layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }', (), "has no Data or ImageData"),
        (
            'layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 } } }',
            ("--time", 1),
            "has no data layer",
        ),
        (NET, (), "net.prototxt:3: layer 'data' (Data): there is no database train"),
        (NET, ("--time", 1), "net.prototxt:3: layer 'data' (Data): there is no database train"),
        (NET, ("--time", 1, "--sample", 3), "--time goes with neither"),
        (NET.replace('"Data"', '"Dta"'), (), "there is no layer type 'Dta'"),
    ],
)
def test_what_can_not_be_looked_at(tmp_path, netcli, text, words, message):
    (tmp_path / "net.prototxt").write_text(text)
    status, _, err = netcli("data", tmp_path / "net.prototxt", *words)
    assert status == 2
    assert message in err


def test_layers_without_images_are_told_of(folder, netcli):
    given = "memory_data_param { batch_size: 1 channels: 1 height: 1 width: 1 }"
    more = f'layer {{ name: "given" type: "MemoryData" top: "x" top: "y" {given} }}\n'
    (folder / "net.prototxt").write_text(NET + more)
    status, _, err = netcli("data", folder / "net.prototxt", "--phase", "TRAIN")
    assert status == 0
    assert err == "warning: layer 'given' (MemoryData) has no images to look at one by one\n"


def test_images_of_few_forms_are_told_to_be_alike(folder, netcli):
    forms = np.zeros((9, 1, 18, 18), np.uint8)
    forms[:, :, 4:14, 6:12] = 255
    forms[np.arange(9), 0, 0, 2 * np.arange(9)] = 90  # each by a pixel
    make_lmdb(folder / "forms", forms, [0] * 9)
    (folder / "net.prototxt").write_text(NET.replace('"train"', '"forms"'))
    out = netcli("data", folder / "net.prototxt", "--phase", "TRAIN")[1]
    assert "  twice    36 pairs are nearly the same\n           so many that images here are of few forms;" in out
    assert "no two images are the same" in netcli("data", folder / "net.prototxt", "--phase", "TRAIN", "--near", 1)[1]
