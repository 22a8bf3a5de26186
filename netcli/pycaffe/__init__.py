"""pycaffe's interface, over netcli: `from netcli import pycaffe as caffe`; or `install_as_caffe()`, `import caffe`."""

from netcli.layers.base import TEST, TRAIN
from netcli.layers.python import PythonLayer as Layer
from netcli.pycaffe import io
from netcli.pycaffe.as_caffe import install_as_caffe
from netcli.pycaffe.blob import Blob
from netcli.pycaffe.classifier import Classifier
from netcli.pycaffe.detector import Detector
from netcli.pycaffe.log import init_log, log
from netcli.pycaffe.mode import (
    NCCL,
    has_nccl,
    layer_type_list,
    set_device,
    set_mode_cpu,
    set_mode_gpu,
    set_multiprocess,
    set_random_seed,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
)
from netcli.pycaffe.net import Net
from netcli.pycaffe.net_spec import NetSpec, layers, params, to_proto
from netcli.pycaffe.proto import caffe_pb2
from netcli.pycaffe.solver import (
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    NesterovSolver,
    RMSPropSolver,
    SGDSolver,
    Solver,
    get_solver,
)
from netcli.pycaffe.timer import Timer

__version__ = "1.0.0"  # of the Caffe whose interface this is

__all__ = [
    "NCCL",
    "TEST",
    "TRAIN",
    "AdaDeltaSolver",
    "AdaGradSolver",
    "AdamSolver",
    "Blob",
    "Classifier",
    "Detector",
    "Layer",
    "NesterovSolver",
    "Net",
    "NetSpec",
    "RMSPropSolver",
    "SGDSolver",
    "Solver",
    "Timer",
    "caffe_pb2",
    "get_solver",
    "has_nccl",
    "init_log",
    "install_as_caffe",
    "io",
    "layer_type_list",
    "layers",
    "log",
    "params",
    "set_device",
    "set_mode_cpu",
    "set_mode_gpu",
    "set_multiprocess",
    "set_random_seed",
    "set_solver_count",
    "set_solver_rank",
    "solver_count",
    "solver_rank",
    "to_proto",
]
