// The length of arrays taken together, in double: sums of squares part by part, and then the root of the parts' sum.

#include "grid.cuh"
#include "reduce.cuh"

// parts[p] = the sum of x ** 2 over part p of x, each of `size` items but the last.
extern "C" __global__ void squares(const real* x, double* parts, index_t size, index_t number, index_t count) {
  __shared__ double room[WARP];
  ROWS(part, number) {
    double sum = 0;
    index_t first = part * size, end = count - first < size ? count : first + size;
    for (index_t i = first + (index_t)threadIdx.x; i < end; i += (index_t)blockDim.x) sum += (double)x[i] * (double)x[i];
    sum = block_sum(sum, room);
    if (threadIdx.x == 0) parts[part] = sum;
  }
}

// For one block.
extern "C" __global__ void root(const double* parts, double* norm, index_t number) {
  __shared__ double room[WARP];
  ROWS(row, 1) {
    double sum = 0;
    for (index_t i = (index_t)threadIdx.x; i < number; i += (index_t)blockDim.x) sum += parts[i];
    sum = block_sum(sum, room);
    if (threadIdx.x == 0) norm[0] = sqrt(sum);
  }
}
