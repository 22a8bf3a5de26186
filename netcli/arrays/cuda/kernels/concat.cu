// Arrays joined along an axis: of y, whose rows are `whole` items long, those from `first` on, as many as a row of x has.

#include "grid.cuh"

extern "C" __global__ void join(const real* x, real* y, index_t width, index_t whole, index_t first, index_t count) {
  ITEMS(i, count) {
    index_t row = i / width;
    y[row * whole + first + (i - row * width)] = x[i];
  }
}

extern "C" __global__ void part(const real* y, real* x, index_t width, index_t whole, index_t first, index_t count) {
  ITEMS(i, count) {
    index_t row = i / width;
    x[i] = y[row * whole + first + (i - row * width)];
  }
}
