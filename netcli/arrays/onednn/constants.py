"""Numbers of oneDNN 3.2's C interface: its headers' enumerations, as far as they are used here.

The headers are those of the wheel onednn-devel-cpu-gomp 2023.2.0 (dnnl_types.h, dnnl_common_types.h).
"""

from __future__ import annotations

VERSION = (3, 2)  # the interface these numbers and `signatures.py` belong to
MAX_NDIMS = 12

STATUS = {
    0: "success",
    1: "out of memory",
    2: "invalid arguments",
    3: "unimplemented",
    4: "last implementation reached",
    5: "runtime error",
    6: "not required",
    9: "invalid shape",
    10: "invalid data type",
}

# engine, stream, memory
CPU = 1
STREAM_IN_ORDER = 1
UNDEFINED = 0
BF16 = 2
F32 = 3
FORMAT_ANY = 1
SCRATCHPAD_USER = 1

# what a primitive is for
FORWARD_TRAINING = 64
FORWARD_INFERENCE = 96
BACKWARD = 128  # of data and parameters
BACKWARD_DATA = 160

# algorithms
CONVOLUTION_DIRECT = 0x1
POOLING_MAX = 0x1FF
POOLING_AVG_INCLUDE_PADDING = 0x2FF
POOLING_AVG_EXCLUDE_PADDING = 0x3FF
LRN_ACROSS_CHANNELS = 0xAFF
LRN_WITHIN_CHANNEL = 0xBFF
SOFTMAX_ACCURATE = 0x30000
ELTWISE_RELU = 32
ELTWISE_TANH = 33
ELTWISE_LOGISTIC = 41
ELTWISE_TANH_USE_DST = 257  # backward from y instead of x
ELTWISE_LOGISTIC_USE_DST = 260
BINARY_ADD = 0x1FFF0
BINARY_MUL = 0x1FFF1
BINARY_GT = 0x1FFF7

OF_CHANNELS = 1 << 1  # a mask: one number for each place along axis 1

# flags of batch normalisation
USE_GLOBAL_STATS = 0x1
USE_SCALE = 0x2
USE_SHIFT = 0x4
FUSE_NORM_RELU = 0x8

# queries of a primitive descriptor
QUERY_IMPLEMENTATION = 8
QUERY_ARGUMENT = 255  # the memory descriptor of argument `index` of an execution

# arguments of an execution
ARG_SRC = 1
ARG_DST = 17
ARG_WEIGHTS = 33
ARG_BIAS = 41
ARG_MEAN = 49
ARG_VARIANCE = 50
ARG_SCALE = 51
ARG_SHIFT = 52
ARG_WORKSPACE = 64
ARG_SCRATCHPAD = 80
ARG_DIFF_SRC = 129
ARG_DIFF_DST = 145
ARG_DIFF_WEIGHTS = 161
ARG_DIFF_BIAS = 169
ARG_DIFF_SCALE = 255
ARG_DIFF_SHIFT = 256
ARG_SRC_1 = 2
ARG_AFTER = 0x8000  # * (i + 1) | the argument: of what is done to a result, the thing number i
ARG_TIMES = ARG_AFTER | ARG_SRC_1  # the other factor, where the first thing is a multiplication
ARG_MULTIPLE_SRC = 1024  # + i: input i of a sum

# instruction sets, as `effective_cpu_isa` answers
ISA = {
    0x0: "none",
    0x1: "SSE4.1",
    0x3: "AVX",
    0x7: "AVX2",
    0xF: "AVX2-VNNI",
    0x1F: "AVX2-VNNI-2",
    0x27: "AVX-512",
    0x67: "AVX-512 VNNI",
    0xE7: "AVX-512 BF16",
    0x1EF: "AVX-512 FP16",
    0xFEF: "AMX",
    0x1FEF: "AMX FP16",
}
