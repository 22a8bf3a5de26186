// Matrices one behind the other, (batch, rows, columns) to (batch, columns, rows): activations from one order of memory
// to the other, filters likewise.  A tile is read along its rows and written along its columns.

#include "grid.cuh"

#define SIDE 32

extern "C" __global__ void transpose(const real* x, real* y, int add, index_t batch, index_t rows, index_t columns) {
  __shared__ real tile[SIDE][SIDE + 1];  // the one more lets a column lie in as many banks as a row
  index_t down = (rows + SIDE - 1) / SIDE, across = (columns + SIDE - 1) / SIDE;
  ROWS(at, batch * down * across) {
    index_t strip = at / across, matrix = strip / down;
    index_t row = (strip - matrix * down) * SIDE, column = (at - strip * across) * SIDE;
    const real* from = x + (matrix * rows + row) * columns + column;
    real* to = y + (matrix * columns + column) * rows + row;
    int height = (int)min((index_t)SIDE, rows - row), width = (int)min((index_t)SIDE, columns - column);
    for (int i = threadIdx.x; i < SIDE * SIDE; i += blockDim.x) {
      int r = i / SIDE, c = i % SIDE;
      if (r < height && c < width) tile[r][c] = from[r * columns + c];
    }
    __syncthreads();
    for (int i = threadIdx.x; i < SIDE * SIDE; i += blockDim.x) {
      int c = i / SIDE, r = i % SIDE;
      if (r < height && c < width) {
        index_t there = c * rows + r;
        to[there] = add ? to[there] + tile[r][c] : tile[r][c];
      }
    }
    __syncthreads();
  }
}
