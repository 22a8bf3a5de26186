// The windows of a convolution as rows of matrices, one matrix for each group: (groups, positions, cells, channels of a
// group).  A thread has an item, or four channels side by side.
//
// first, positions   which positions the matrices have

#include "grid.cuh"
#include "packs.cuh"
#include "cells.cuh"

template <int V>
__device__ __forceinline__ void copy_windows(const real* x, real* windows, const int* sizes, int axes, index_t first,
                                             index_t positions, index_t cells, index_t groups, index_t channels) {
  index_t packs = channels / V;
  ITEMS(i, groups * positions * cells * packs) {
    index_t row = i / packs, at = row / cells, group = at / positions;
    index_t pixel = seen(first + at - group * positions, row - at * cells, sizes, axes);
    Pack<real, V> items = {};
    if (pixel >= 0) items = load<V>(x + (pixel * groups + group) * channels + (i - row * packs) * V);
    store<V>(windows + i * V, items);
  }
}

extern "C" __global__ void unroll(const real* x, real* windows, const int* sizes, int axes, index_t first,
                                  index_t positions, index_t cells, index_t groups, index_t channels) {
  if (channels % 4 == 0) copy_windows<4>(x, windows, sizes, axes, first, positions, cells, groups, channels);
  else copy_windows<1>(x, windows, sizes, axes, first, positions, cells, groups, channels);
}

template <int V>
__device__ __forceinline__ void gather_windows(const real* windows, real* dx, const int* sizes, int axes, index_t first,
                                               index_t positions, index_t cells, index_t groups, index_t channels,
                                               index_t first_pixel, index_t pixels, int add) {
  index_t packs = groups * channels / V;
  ITEMS(i, pixels * packs) {
    index_t pixel = first_pixel + i / packs, channel = i % packs * V, group = channel / channels;
    const real* of_group = windows + group * positions * cells * channels + channel - group * channels;
    real* to = dx + pixel * groups * channels + channel;
    Pack<real, V> sum = {};
    if (add) sum = load<V>(to);
    for (index_t cell = 0; cell < cells; ++cell) {
      index_t at = seeing(pixel, cell, sizes, axes) - first;
      if (at < 0 || at >= positions) continue;
      Pack<real, V> items = load<V>(of_group + (at * cells + cell) * channels);
      for (int v = 0; v < V; ++v) sum.at[v] += items.at[v];
    }
    store<V>(to, sum);
  }
}

// The gradient of some pixels of x, from those of the windows that see them; add: more of it.
extern "C" __global__ void fold(const real* windows, real* dx, const int* sizes, int axes, index_t first,
                                index_t positions, index_t cells, index_t groups, index_t channels,
                                index_t first_pixel, index_t pixels, int add) {
  if (channels % 4 == 0)
    gather_windows<4>(windows, dx, sizes, axes, first, positions, cells, groups, channels, first_pixel, pixels, add);
  else
    gather_windows<1>(windows, dx, sizes, axes, first, positions, cells, groups, channels, first_pixel, pixels, add);
}

// (outer, inner, items) to (inner, outer, items): results of groups side by side, or one matrix for each group.
extern "C" __global__ void regroup(const real* x, real* y, index_t outer, index_t inner, index_t items) {
  ITEMS(i, outer * inner * items) {
    index_t row = i / items, at = row / outer;
    y[i] = x[((row - at * outer) * inner + at) * items + i - row * items];
  }
}
