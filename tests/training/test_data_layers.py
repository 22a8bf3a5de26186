import threading

import pytest

from databases import make_images, make_lmdb
from netcli.arrays.ops import Ops
from netcli.arrays.threads import data_threads
from netcli.errors import DataError
from netcli.layers.base import TEST, TRAIN
from netcli.prototxt import read_net
from netcli.training.choices import Choice
from netcli.training.data_layers import data_layers, pipeline_rate

NET = """
layer { name: "a" type: "Data" top: "a" top: "la" include { phase: TRAIN }
  data_param { source: "db" batch_size: 3 backend: LMDB cache: true } }
layer { name: "b" type: "Data" top: "b" include { phase: TEST }
  data_param { source: "db" batch_size: 2 backend: LMDB } }
layer { name: "c" type: "MemoryData" top: "c" top: "lc"
  memory_data_param { batch_size: 1 channels: 1 height: 1 width: 1 } }
layer { name: "in" type: "Input" top: "in" input_param { shape { dim: 1 } } }
"""


def layers_of(folder, phase):
    (folder / "net.prototxt").write_text(NET)
    path = str(folder / "net.prototxt")
    return data_layers(Choice(read_net(path), path, path, phase, None, ()))


def test_those_of_a_phase_that_bring_data_in(tmp_path):
    train, test = layers_of(tmp_path, TRAIN), layers_of(tmp_path, TEST)
    assert [(each.param.name, each.reads_images) for each in train] == [("a", True), ("c", False)]
    assert [each.param.name for each in test] == ["b", "c"]
    assert train[1].key == test[1].key
    assert train[0].key != test[0].key
    assert train[0].param.data_param.cache
    assert not train[0].uncached().param.data_param.cache
    assert train[0].uncached().param.data_param.batch_size == 3


def test_the_rate_counts_whole_batches_of_all_layers(tmp_path):
    make_lmdb(tmp_path / "db", make_images(7))
    layers = [layers_of(tmp_path, TRAIN)[0], layers_of(tmp_path, TEST)[0]]
    before = threading.active_count()
    rate = pipeline_rate(layers, 0.05, 2)
    assert rate.images % 5 == 0
    assert rate.seconds >= 0.05
    assert 1 <= len(rate.parts) <= 10
    assert min(rate.parts) <= rate.per_second * 1.0001
    assert max(rate.parts) >= rate.per_second * 0.9999
    assert threading.active_count() == before  # the layers are closed
    assert data_threads() is None


def test_faults_have_their_place(tmp_path):
    (layer, _) = layers_of(tmp_path, TEST)
    with pytest.raises(DataError, match=r"net.prototxt:5: layer 'b' \(Data\): there is no database db"):
        pipeline_rate([layer], 1, None)
    assert layer.make(Ops("plain")).type == "Data"
