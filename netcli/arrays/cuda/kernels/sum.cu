// Weighted sums of up to four arrays: x1 to x3 may be null.  y may be x0.

#include "grid.cuh"

// slope: of what is below zero, where `relu`; what is not a number stays so
extern "C" __global__ void sum(const real* x0, const real* x1, const real* x2, const real* x3, real* y, real c0,
                               real c1, real c2, real c3, int relu, real slope, index_t count) {
  ITEMS(i, count) {
    real at = c0 * x0[i];
    if (x1) at += c1 * x1[i];
    if (x2) at += c2 * x2[i];
    if (x3) at += c3 * x3[i];
    if (relu) at = at > 0 ? at : slope == 0 && at <= 0 ? (real)0 : slope * at;
    y[i] = at;
  }
}
