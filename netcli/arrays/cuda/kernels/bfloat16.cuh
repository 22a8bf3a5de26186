// The nearest bfloat16 number, the upper half of a float32; of two equally near the even one.

__device__ __forceinline__ unsigned short upper_half(float x) {
  unsigned bits = __float_as_uint(x);
  // Of what is not a number the fraction might be all in the lower half: it stays no number.
  return (unsigned short)(isnan(x) ? bits >> 16 | 0x40u : (bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

__device__ __forceinline__ float rounded(float x) { return __uint_as_float((unsigned)upper_half(x) << 16); }
__device__ __forceinline__ double rounded(double x) { return x; }
