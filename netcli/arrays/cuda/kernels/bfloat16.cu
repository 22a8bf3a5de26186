// Arrays in bfloat16.

#include "grid.cuh"
#include "bfloat16.cuh"

extern "C" __global__ void to_bfloat16(const float* x, unsigned short* y, index_t count) {
  ITEMS(i, count) y[i] = upper_half(x[i]);
}
