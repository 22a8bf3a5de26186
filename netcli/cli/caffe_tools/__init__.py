"""Caffe's programs and scripts under their own names, over the functions of netcli's commands."""
