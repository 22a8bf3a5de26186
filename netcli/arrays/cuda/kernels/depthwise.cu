// Convolution with one channel to a group, channels-last: filter f sees channel f / each.
//
// w       (cells, filters), so that neighbouring threads read neighbours
// rounds  operands are rounded to bfloat16 before they are multiplied

#include "grid.cuh"
#include "bfloat16.cuh"
#include "reduce.cuh"
#include "cells.cuh"

__device__ __forceinline__ real times(real a, real b, int rounds) { return rounds ? rounded(a) * rounded(b) : a * b; }

extern "C" __global__ void depthwise(const real* x, const real* w, real* y, const int* sizes, int axes, int rounds,
                                     index_t positions, index_t cells, index_t filters, index_t each) {
  ITEMS(i, positions * filters) {
    index_t position = i / filters, filter = i - position * filters, channel = filter / each, channels = filters / each;
    real sum = 0;
    for (index_t cell = 0; cell < cells; ++cell) {
      index_t pixel = seen(position, cell, sizes, axes);
      if (pixel >= 0) sum += times(x[pixel * channels + channel], w[cell * filters + filter], rounds);
    }
    y[i] = sum;
  }
}

extern "C" __global__ void depthwise_data(const real* dy, const real* w, real* dx, const int* sizes, int axes,
                                          int rounds, index_t pixels, index_t cells, index_t filters, index_t each) {
  index_t channels = filters / each;
  ITEMS(i, pixels * channels) {
    index_t pixel = i / channels, filter = (i - pixel * channels) * each;
    real sum = 0;
    for (index_t cell = 0; cell < cells; ++cell) {
      index_t position = seeing(pixel, cell, sizes, axes);
      if (position < 0) continue;
      for (index_t f = filter; f < filter + each; ++f)
        sum += times(dy[position * filters + f], w[cell * filters + f], rounds);
    }
    dx[i] = sum;
  }
}

// parts[f, cell, p] = the gradient of a filter's cell by the positions of part p, `size` of them; summed by
// column_sums.cu.  A block has a cell of WARP filters side by side, and goes down the positions with its warps.
extern "C" __global__ void depthwise_weights(const real* x, const real* dy, double* parts, const int* sizes, int axes,
                                             int rounds, index_t positions, index_t cells, index_t filters,
                                             index_t each, index_t size, index_t number) {
  __shared__ double room[1024];
  index_t tiles = (filters + WARP - 1) / WARP, channels = filters / each;
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  ROWS(at, number * tiles * cells) {
    index_t rest = at / cells, cell = at - rest * cells, part = rest / tiles;
    index_t filter = (rest - part * tiles) * WARP + lane, first = part * size;
    index_t end = positions - first < size ? positions : first + size;
    double sum = 0;
    if (filter < filters)
      for (index_t position = first + warp; position < end; position += warps) {
        index_t pixel = seen(position, cell, sizes, axes);
        if (pixel >= 0) sum += times(x[pixel * channels + filter / each], dy[position * filters + filter], rounds);
      }
    room[threadIdx.x] = sum;
    __syncthreads();
    if (warp == 0 && filter < filters) {
      for (int other = 1; other < warps; ++other) sum += room[other * WARP + lane];
      parts[(filter * cells + cell) * number + part] = sum;
    }
    __syncthreads();
  }
}
