// Rows added to others by their numbers, those of one number in their order.

#include "grid.cuh"
#include "reduce.cuh"

#define CHUNK 1024  // the threads of a block at most

// into[index[n]] += rows[n], of `width` items each, which `parts` blocks share, `size` items to each.  The first row of
// each number does the work of all.
extern "C" __global__ void add_rows(real* into, const long long* index, const real* rows, index_t width, index_t size,
                                    index_t parts, index_t count) {
  __shared__ int room[WARP];
  __shared__ int matches[CHUNK];
  ROWS(row, count * parts) {
    index_t n = row / parts, begin = (row - n * parts) * size, end = width - begin < size ? width : begin + size;
    long long at = index[n];
    int earlier = 0;
    for (index_t m = (index_t)threadIdx.x; m < n; m += (index_t)blockDim.x) earlier |= index[m] == at;
    if (block_max(earlier, room)) continue;
    real* sums = into + (index_t)at * width;
    for (index_t base = n; base < count; base += (index_t)blockDim.x) {
      index_t m = base + (index_t)threadIdx.x;
      int match = m < count && index[m] == at;
      if (!block_max(match, room)) continue;
      matches[threadIdx.x] = match;  // nobody reads those from before: block_max has waited for all
      __syncthreads();
      for (int i = 0; i < (int)blockDim.x; ++i)
        if (matches[i])
          for (index_t c = begin + (index_t)threadIdx.x; c < end; c += (index_t)blockDim.x)
            sums[c] += rows[(base + i) * width + c];
    }
  }
}
