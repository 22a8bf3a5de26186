// The sums of a matrix's columns, in double: first of parts, each of some rows, then of the parts.

#include "grid.cuh"
#include "bfloat16.cuh"
#include "reduce.cuh"

// parts[c, p] = the sum of column c over the rows of part p, `size` of them.  A block has the columns of a tile, WARP of
// them, side by side, and goes down the rows of a part with its warps.
// rounds: items are rounded to bfloat16 before
extern "C" __global__ void part_sums(const real* x, double* parts, int rounds, index_t rows, index_t columns,
                                     index_t size, index_t number) {
  __shared__ double room[1024];
  index_t tiles = (columns + WARP - 1) / WARP;
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  ROWS(at, number * tiles) {
    index_t part = at / tiles, column = (at - part * tiles) * WARP + lane, first = part * size;
    index_t end = rows - first < size ? rows : first + size;
    double sum = 0;
    if (column < columns)
      for (index_t row = first + warp; row < end; row += warps) {
        real value = x[row * columns + column];
        sum += (double)(rounds ? rounded(value) : value);
      }
    room[threadIdx.x] = sum;
    __syncthreads();
    if (warp == 0 && column < columns) {
      for (int other = 1; other < warps; ++other) sum += room[other * WARP + lane];
      parts[column * number + part] = sum;
    }
    __syncthreads();
  }
}

// y[c] = the sum of the parts of column c, by a warp; add: more of it.
extern "C" __global__ void column_sums(const double* parts, real* y, int add, index_t columns, index_t number) {
  ITEMS(i, columns * WARP) {
    index_t column = i / WARP;
    int lane = threadIdx.x % WARP;
    double sum = 0;
    for (index_t part = lane; part < number; part += WARP) sum += parts[column * number + part];
    sum = warp_sum(sum);
    if (lane == 0) y[column] = add ? y[column] + (real)sum : (real)sum;
  }
}
