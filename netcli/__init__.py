"""netcli: Caffe's nets, trained on the machines of today."""

__version__ = "0.1.0"
