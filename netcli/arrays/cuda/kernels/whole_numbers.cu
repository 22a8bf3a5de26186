// Floats that are whole numbers, as indices, and the first that is none.

#include "grid.cuh"
#include "reduce.cuh"

#define NOWHERE 1e18  // behind every place

// index = the value, or 0 where it is wrong or equals `ignore`, which `ignores` says there is; ignored: whether it does.
// firsts[p] = the first wrong one's place in part p, each of `size` items but the last.
extern "C" __global__ void whole_numbers(const real* values, long long* index, unsigned char* ignored, double* firsts,
                                         double limit, double ignore, int ignores, index_t size, index_t number,
                                         index_t count) {
  __shared__ double room[WARP];
  ROWS(part, number) {
    double first = NOWHERE;
    index_t begin = part * size, end = count - begin < size ? count : begin + size;
    for (index_t i = begin + (index_t)threadIdx.x; i < end; i += (index_t)blockDim.x) {
      double value = (double)values[i];
      bool fits = value >= 0 && value < limit && value == floor(value), out = ignores && value == ignore;
      index[i] = fits && !out ? (long long)value : 0;
      if (ignores) ignored[i] = out;
      if (!fits && !out && (double)i < first) first = (double)i;
    }
    first = -block_max(-first, room);
    if (threadIdx.x == 0) firsts[part] = first;
  }
}

// For one block: wrong = (1, place, value) of the first wrong one, unless there has been one before.
extern "C" __global__ void note_wrong(const real* values, const double* firsts, double* wrong, index_t number) {
  __shared__ double room[WARP];
  ROWS(row, 1) {
    double first = NOWHERE;
    for (index_t i = (index_t)threadIdx.x; i < number; i += (index_t)blockDim.x)
      if (firsts[i] < first) first = firsts[i];
    first = -block_max(-first, room);
    if (threadIdx.x == 0 && first < NOWHERE && wrong[0] == 0) {
      wrong[0] = 1;
      wrong[1] = first;
      wrong[2] = (double)values[(index_t)first];
    }
  }
}
