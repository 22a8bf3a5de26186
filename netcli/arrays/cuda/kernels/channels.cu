// Numbers that lie along some axes of x: factors and offsets, slopes below zero, and sums over the other axes.
//
// What the kernels are told of the axes is from `Along` in ../along.py: sizes from the innermost axis outwards, and the
// steps along each.

#include "grid.cuh"
#include "reduce.cuh"

// Where item i finds its number.
__device__ __forceinline__ index_t place(index_t i, index_t n0, index_t n1, index_t n2, index_t s0, index_t s1,
                                         index_t s2, index_t s3) {
  index_t rest = i / n0, at = (i - rest * n0) * s0;
  if (n1 > 1) {
    i = rest;
    rest = i / n1;
    at += (i - rest * n1) * s1;
  }
  if (n2 > 1) {
    i = rest;
    rest = i / n2;
    at += (i - rest * n2) * s2;
  }
  return at + rest * s3;
}

// y = x * s + b; s, b: null for 1 and 0
extern "C" __global__ void scale(const real* x, const real* s, const real* b, real* y, index_t n0, index_t n1,
                                 index_t n2, index_t s0, index_t s1, index_t s2, index_t s3, index_t count) {
  ITEMS(i, count) {
    index_t at = place(i, n0, n1, n2, s0, s1, s2, s3);
    real value = x[i];
    if (s) value *= s[at];
    if (b) value += b[at];
    y[i] = value;
  }
}

extern "C" __global__ void slopes(const real* x, const real* a, real* y, index_t n0, index_t n1, index_t n2,
                                  index_t s0, index_t s1, index_t s2, index_t s3, index_t count) {
  ITEMS(i, count) {
    real value = x[i];
    y[i] = value > 0 ? value : a[place(i, n0, n1, n2, s0, s1, s2, s3)] * value;
  }
}

extern "C" __global__ void slopes_gradient(const real* x, const real* a, const real* dy, real* dx, index_t n0,
                                           index_t n1, index_t n2, index_t s0, index_t s1, index_t s2, index_t s3,
                                           index_t count) {
  ITEMS(i, count) dx[i] = x[i] > 0 ? dy[i] : a[place(i, n0, n1, n2, s0, s1, s2, s3)] * dy[i];
}

struct Gradients {
  double s, b;
};

// One item's part in the gradients: dx is written, and what it adds to the sums of s and of b.
__device__ __forceinline__ void add(Gradients& sum, const real* x, real number, const real* dy, real* dx, index_t at,
                                    bool slopes) {
  real given = dy[at], value = x ? x[at] : (real)0;
  if (slopes) sum.s += value > 0 ? 0.0 : (double)value * given;
  else if (x) sum.s += (double)value * given;
  sum.b += given;
  if (dx) dx[at] = slopes && value > 0 ? given : number * given;
}

// The gradients of s (or of slopes) and b, in parts, in one pass that gives dx, too: sums[part][k], and behind all of
// them those of b, k counting the kept items in the order of memory.  x, s and dx may be null.  Item r of those summed
// into k belongs to part r % parts (of a block: the next `threads` of them), so that neighbours read neighbours.
//
// k0, k1, x0-x2, s0-s2   the kept axes: sizes, and steps in x and in s
// r0, y0, y1             the axes summed over: size, and steps in x

#define FIRST(k) place(k, k0, k1, 1, x0, x1, 0, x2)
#define NUMBER(k) (s ? s[place(k, k0, k1, 1, s0, s1, 0, s2)] : (real)1)
#define SUMMED(r, at)                              \
  index_t outer = r0 == summed ? 0 : r / r0;       \
  index_t at = first + (r - outer * r0) * y0 + outer * y1;

// The innermost axis is kept: a thread makes the sums of a k.
extern "C" __global__ void sums_by_columns(const real* x, const real* s, const real* dy, real* dx, double* sums,
                                           int slopes, index_t parts, index_t kept, index_t summed, index_t k0,
                                           index_t k1, index_t x0, index_t x1, index_t x2, index_t s0, index_t s1,
                                           index_t s2, index_t r0, index_t y0, index_t y1) {
  ITEMS(i, parts * kept) {
    index_t part = i / kept, k = i - part * kept, first = FIRST(k);
    real number = NUMBER(k);
    Gradients sum = {0, 0};
    for (index_t r = part; r < summed; r += parts) {
      SUMMED(r, at)
      add(sum, x, number, dy, dx, at, slopes);
    }
    sums[i] = sum.s;
    sums[parts * kept + i] = sum.b;
  }
}

// The innermost axis is summed over: a block makes the sums of a k.
extern "C" __global__ void sums_by_rows(const real* x, const real* s, const real* dy, real* dx, double* sums,
                                        int slopes, index_t parts, index_t kept, index_t summed, index_t k0,
                                        index_t k1, index_t x0, index_t x1, index_t x2, index_t s0, index_t s1,
                                        index_t s2, index_t r0, index_t y0, index_t y1) {
  __shared__ double room[WARP];
  ROWS(i, parts * kept) {
    index_t part = i / kept, k = i - part * kept, first = FIRST(k);
    real number = NUMBER(k);
    Gradients sum = {0, 0};
    for (index_t r = part * blockDim.x + threadIdx.x; r < summed; r += parts * blockDim.x) {
      SUMMED(r, at)
      add(sum, x, number, dy, dx, at, slopes);
    }
    sum.s = block_sum(sum.s, room);
    sum.b = block_sum(sum.b, room);
    if (threadIdx.x == 0) {
      sums[i] = sum.s;
      sums[parts * kept + i] = sum.b;
    }
  }
}

// The parts of each k together, of few parts by a thread; ds, db may be null.
extern "C" __global__ void few_parts(const double* sums, real* ds, real* db, index_t parts, index_t kept, index_t k0,
                                     index_t k1, index_t s0, index_t s1, index_t s2) {
  ITEMS(k, kept) {
    index_t at = place(k, k0, k1, 1, s0, s1, 0, s2);
    double s = 0, b = 0;
    for (index_t part = 0; part < parts; ++part) {
      s += sums[part * kept + k];
      b += sums[(parts + part) * kept + k];
    }
    if (ds) ds[at] = (real)s;
    if (db) db[at] = (real)b;
  }
}

// And of many by a block.
extern "C" __global__ void many_parts(const double* sums, real* ds, real* db, index_t parts, index_t kept, index_t k0,
                                      index_t k1, index_t s0, index_t s1, index_t s2) {
  __shared__ double room[WARP];
  ROWS(k, kept) {
    index_t at = place(k, k0, k1, 1, s0, s1, 0, s2);
    double s = 0, b = 0;
    for (index_t part = threadIdx.x; part < parts; part += blockDim.x) {
      s += sums[part * kept + k];
      b += sums[(parts + part) * kept + k];
    }
    s = block_sum(s, room);
    b = block_sum(b, room);
    if (threadIdx.x == 0) {
      if (ds) ds[at] = (real)s;
      if (db) db[at] = (real)b;
    }
  }
}
