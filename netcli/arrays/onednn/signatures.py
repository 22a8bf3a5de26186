"""Argument and result types of the oneDNN functions used here, as in dnnl.h and dnnl_common.h of 3.2."""

from __future__ import annotations

import ctypes
from ctypes import POINTER, c_char_p, c_float, c_int, c_int32, c_int64, c_size_t, c_uint, c_void_p
from typing import Any

from netcli.arrays.onednn.constants import MAX_NDIMS

Dims = c_int64 * MAX_NDIMS


class ExecArg(ctypes.Structure):
    """dnnl_exec_arg_t: which argument of a primitive, and the memory it is."""

    _fields_ = (("arg", c_int), ("memory", c_void_p))


class Version(ctypes.Structure):
    """dnnl_version_t."""

    _fields_ = (
        ("major", c_int),
        ("minor", c_int),
        ("patch", c_int),
        ("hash", c_char_p),
        ("cpu_runtime", c_uint),
        ("gpu_runtime", c_uint),
    )


HANDLE = c_void_p  # engine, stream, memory, memory descriptor, primitive, primitive descriptor, attributes
NEW = POINTER(c_void_p)
WINDOW = (Dims, Dims, Dims, Dims)  # strides, dilations, padding before and behind

# name without "dnnl_" -> (result, arguments); a result of c_int is a status
SIGNATURES: dict[str, tuple[Any, tuple[Any, ...]]] = {
    "version": (POINTER(Version), ()),
    "get_effective_cpu_isa": (c_int, ()),
    "set_primitive_cache_capacity": (c_int, (c_int,)),
    "engine_create": (c_int, (NEW, c_int, c_size_t)),
    "stream_create": (c_int, (NEW, HANDLE, c_uint)),
    "memory_desc_create_with_tag": (c_int, (NEW, c_int, Dims, c_int, c_int)),
    "memory_desc_create_with_strides": (c_int, (NEW, c_int, Dims, c_int, Dims)),
    "memory_desc_clone": (c_int, (NEW, HANDLE)),
    "memory_desc_destroy": (c_int, (HANDLE,)),
    "memory_desc_equal": (c_int, (HANDLE, HANDLE)),
    "memory_desc_get_size": (c_size_t, (HANDLE,)),
    "memory_create": (c_int, (NEW, HANDLE, HANDLE, c_void_p)),
    "memory_destroy": (c_int, (HANDLE,)),
    "memory_set_data_handle": (c_int, (HANDLE, c_void_p)),
    "primitive_attr_create": (c_int, (NEW,)),
    "primitive_attr_destroy": (c_int, (HANDLE,)),
    "primitive_attr_set_scratchpad_mode": (c_int, (HANDLE, c_int)),
    "primitive_attr_set_post_ops": (c_int, (HANDLE, HANDLE)),
    "post_ops_create": (c_int, (NEW,)),
    "post_ops_destroy": (c_int, (HANDLE,)),
    "post_ops_append_sum": (c_int, (HANDLE, c_float, c_int32, c_int)),
    "post_ops_append_binary": (c_int, (HANDLE, c_int, HANDLE)),
    "post_ops_append_prelu": (c_int, (HANDLE, c_int)),
    "post_ops_append_eltwise": (c_int, (HANDLE, c_int, c_float, c_float)),
    "primitive_desc_clone": (c_int, (NEW, HANDLE)),
    "primitive_desc_next_impl": (c_int, (HANDLE,)),
    "primitive_desc_destroy": (c_int, (HANDLE,)),
    "primitive_desc_query": (c_int, (HANDLE, c_int, c_int, c_void_p)),
    "primitive_desc_query_md": (c_void_p, (HANDLE, c_int, c_int)),
    "primitive_create": (c_int, (NEW, HANDLE)),
    "primitive_destroy": (c_int, (HANDLE,)),
    "primitive_execute": (c_int, (HANDLE, HANDLE, c_int, c_void_p)),
    # Primitive descriptors.  After the engine come: [purpose,] [algorithm,] memory descriptors, parameters,
    # [the forward descriptor as a hint,] attributes.
    "reorder_primitive_desc_create": (c_int, (NEW, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE)),
    "binary_primitive_desc_create": (c_int, (NEW, HANDLE, c_int, HANDLE, HANDLE, HANDLE, HANDLE)),
    "sum_primitive_desc_create": (c_int, (NEW, HANDLE, HANDLE, c_int, POINTER(c_float), NEW, HANDLE)),
    "convolution_forward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, c_int, HANDLE, HANDLE, HANDLE, HANDLE, *WINDOW, HANDLE),
    ),
    "convolution_backward_data_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, HANDLE, *WINDOW, HANDLE, HANDLE),
    ),
    "convolution_backward_weights_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, HANDLE, HANDLE, *WINDOW, HANDLE, HANDLE),
    ),
    "inner_product_forward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE),
    ),
    "matmul_primitive_desc_create": (c_int, (NEW, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE)),
    "inner_product_backward_data_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE),
    ),
    "inner_product_backward_weights_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE, HANDLE),
    ),
    "pooling_forward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, c_int, HANDLE, HANDLE, Dims, *WINDOW, HANDLE),
    ),
    "pooling_backward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, Dims, *WINDOW, HANDLE, HANDLE),
    ),
    "lrn_forward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, c_int, HANDLE, HANDLE, c_int64, c_float, c_float, c_float, HANDLE),
    ),
    "lrn_backward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, HANDLE, c_int64, c_float, c_float, c_float, HANDLE, HANDLE),
    ),
    "batch_normalization_forward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, c_float, c_uint, HANDLE),
    ),
    "batch_normalization_backward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, HANDLE, c_float, c_uint, HANDLE, HANDLE),
    ),
    "softmax_forward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, c_int, HANDLE, HANDLE, c_int, HANDLE),
    ),
    "softmax_backward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, HANDLE, c_int, HANDLE, HANDLE),
    ),
    "eltwise_forward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, c_int, HANDLE, HANDLE, c_float, c_float, HANDLE),
    ),
    "eltwise_backward_primitive_desc_create": (
        c_int,
        (NEW, HANDLE, c_int, HANDLE, HANDLE, HANDLE, c_float, c_float, HANDLE, HANDLE),
    ),
}
