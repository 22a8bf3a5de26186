// Softmax along classes that lie `inner` items apart: item (outer, class, inner).  Where they lie side by side a warp
// has a row of them, or a block a long one; else, and where they are few, a thread goes over them.  Each thread reads
// back only what it wrote, so that y may be x.  A row in which something is no number has nothing else.

#include "grid.cuh"
#include "reduce.cuh"

// Who has a row.
struct Warp {
  __device__ int lane() { return threadIdx.x % WARP; }
  __device__ int size() { return WARP; }
  __device__ index_t first() {
    return ((index_t)blockIdx.x * (index_t)blockDim.x + (index_t)threadIdx.x) / WARP;
  }
  __device__ index_t step() { return (index_t)blockDim.x * (index_t)gridDim.x / WARP; }
  __device__ real sum(real value, real*) { return warp_sum(value); }
  __device__ real maximum(real value, real*) { return warp_max(value); }
};

struct Block {
  __device__ int lane() { return threadIdx.x; }
  __device__ int size() { return blockDim.x; }
  __device__ index_t first() { return blockIdx.x; }
  __device__ index_t step() { return gridDim.x; }
  __device__ real sum(real value, real* room) { return block_sum(value, room); }
  __device__ real maximum(real value, real* room) { return block_max(value, room); }
};

template <class Group>
__device__ __forceinline__ void rows_of(const real* x, real* y, index_t classes, index_t rows, real* room) {
  Group group;
  for (index_t row = group.first(); row < rows; row += group.step()) {
    const real* from = x + row * classes;
    real* to = y + row * classes;
    // Who has no item has another's.
    real most = from[group.lane() < classes ? group.lane() : 0];
    for (index_t i = group.lane(); i < classes; i += group.size()) most = from[i] > most ? from[i] : most;
    most = group.maximum(most, room);
    real sum = 0;
    for (index_t i = group.lane(); i < classes; i += group.size()) {
      real now = exp(from[i] - most);
      to[i] = now;
      sum += now;
    }
    sum = group.sum(sum, room);
    for (index_t i = group.lane(); i < classes; i += group.size()) to[i] /= sum;
  }
}

template <class Group>
__device__ __forceinline__ void gradient_of_rows(const real* y, const real* dy, real* dx, index_t classes, index_t rows,
                                                 real* room) {
  Group group;
  for (index_t row = group.first(); row < rows; row += group.step()) {
    index_t at = row * classes;
    real sum = 0;
    for (index_t i = group.lane(); i < classes; i += group.size()) sum += dy[at + i] * y[at + i];
    sum = group.sum(sum, room);
    for (index_t i = group.lane(); i < classes; i += group.size()) dx[at + i] = (dy[at + i] - sum) * y[at + i];
  }
}

extern "C" __global__ void softmax_warps(const real* x, real* y, index_t classes, index_t rows) {
  rows_of<Warp>(x, y, classes, rows, 0);
}

extern "C" __global__ void softmax_blocks(const real* x, real* y, index_t classes, index_t rows) {
  __shared__ real room[WARP];
  rows_of<Block>(x, y, classes, rows, room);
}

extern "C" __global__ void softmax_threads(const real* x, real* y, index_t classes, index_t inner, index_t items) {
  ITEMS(item, items) {
    index_t outer = item / inner, at = (outer * classes) * inner + (item - outer * inner);
    real most = x[at];
    for (index_t i = 1; i < classes; ++i) most = x[at + i * inner] > most ? x[at + i * inner] : most;
    double sum = 0;
    for (index_t i = 0; i < classes; ++i) {
      real now = exp(x[at + i * inner] - most);
      y[at + i * inner] = now;
      sum += now;
    }
    for (index_t i = 0; i < classes; ++i) y[at + i * inner] /= (real)sum;
  }
}

extern "C" __global__ void gradient_warps(const real* y, const real* dy, real* dx, index_t classes, index_t rows) {
  gradient_of_rows<Warp>(y, dy, dx, classes, rows, 0);
}

extern "C" __global__ void gradient_blocks(const real* y, const real* dy, real* dx, index_t classes, index_t rows) {
  __shared__ real room[WARP];
  gradient_of_rows<Block>(y, dy, dx, classes, rows, room);
}

extern "C" __global__ void gradient_threads(const real* y, const real* dy, real* dx, index_t classes, index_t inner,
                                            index_t items) {
  ITEMS(item, items) {
    index_t outer = item / inner, at = (outer * classes) * inner + (item - outer * inner);
    double sum = 0;
    for (index_t i = 0; i < classes; ++i) sum += dy[at + i * inner] * y[at + i * inner];
    for (index_t i = 0; i < classes; ++i) dx[at + i * inner] = (dy[at + i * inner] - (real)sum) * y[at + i * inner];
  }
}
