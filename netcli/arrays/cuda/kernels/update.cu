// The solvers' rules, each in one pass over the weights w, the gradient dw, and the histories h and q.
//
// Of all: g = scale * dw + l2 * w + l1 * sign(w).  rate and scale lie in memory, since they change between replays.

#include "grid.cuh"

// A share of 0 asks nothing of w, which may be infinite.
__device__ __forceinline__ real step_of(real w, real dw, real scale, real l2, real l1) {
  real g = scale * dw;
  if (l2 != 0) g += l2 * w;
  if (l1 != 0) g += l1 * (w > 0 ? (real)1 : w < 0 ? (real)-1 : w);
  return g;
}

// u = h;  h = share * h + rate * g;  w = w - (fresh * h - old * u)
extern "C" __global__ void momentum(real* w, const real* dw, real* h, const double* rate, const double* scale, real l2,
                                    real l1, real share, real fresh, real old, index_t count) {
  real by = (real)*rate, times = (real)*scale;
  ITEMS(i, count) {
    real at = w[i], u = h[i];
    real v = share * u + by * step_of(at, dw[i], times, l2, l1);
    h[i] = v;
    w[i] = at - (fresh * v - old * u);
  }
}

// h = share * h + rest * g ** 2;  w = w - rate * g / (sqrt(h) + delta)
extern "C" __global__ void squares(real* w, const real* dw, real* h, const double* rate, const double* scale, real l2,
                                   real l1, real share, real rest, real delta, index_t count) {
  real by = (real)*rate, times = (real)*scale;
  ITEMS(i, count) {
    real at = w[i], g = step_of(at, dw[i], times, l2, l1);
    real v = share * h[i] + rest * (g * g);
    h[i] = v;
    w[i] = at - by * (g / (sqrt(v) + delta));
  }
}

// h = share * h + rest * g ** 2;  d = g * sqrt((q + delta) / (h + delta));  w = w - rate * d;
// then q = share * q + rest * d ** 2
extern "C" __global__ void adadelta(real* w, const real* dw, real* h, real* q, const double* rate, const double* scale,
                                    real l2, real l1, real share, real rest, real delta, index_t count) {
  real by = (real)*rate, times = (real)*scale;
  ITEMS(i, count) {
    real at = w[i], g = step_of(at, dw[i], times, l2, l1), before = q[i];
    real v = share * h[i] + rest * (g * g);
    real d = g * sqrt((before + delta) / (v + delta));
    h[i] = v;
    q[i] = share * before + rest * (d * d);
    w[i] = at - by * d;
  }
}

// h = share * h + rest * g;  q = share2 * q + rest2 * g ** 2;  w = w - rate * h / (sqrt(q) + delta)
extern "C" __global__ void adam(real* w, const real* dw, real* h, real* q, const double* rate, const double* scale,
                                real l2, real l1, real share, real rest, real share2, real rest2, real delta,
                                index_t count) {
  real by = (real)*rate, times = (real)*scale;
  ITEMS(i, count) {
    real at = w[i], g = step_of(at, dw[i], times, l2, l1);
    real m = share * h[i] + rest * g, v = share2 * q[i] + rest2 * (g * g);
    h[i] = m;
    q[i] = v;
    w[i] = at - by * (m / (sqrt(v) + delta));
  }
}
