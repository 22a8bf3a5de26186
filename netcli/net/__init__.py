"""Nets: rules, splits, sharing, graph, gradients, memory plan, Net."""

from netcli.net.net import Net
from netcli.net.sharing import Parameter

__all__ = ["Net", "Parameter"]
