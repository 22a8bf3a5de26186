// Elementwise non-linearities; y may be x, dx may be dy.  What is not a number stays so.

#include "grid.cuh"

extern "C" __global__ void relu(const real* x, real* y, real alpha, index_t count) {
  ITEMS(i, count) {
    real at = x[i];
    y[i] = at > 0 ? at : alpha == 0 && at <= 0 ? (real)0 : alpha * at;
  }
}

extern "C" __global__ void relu_gradient(const real* x, const real* dy, real* dx, real alpha, index_t count) {
  ITEMS(i, count) dx[i] = x[i] > 0 ? dy[i] : alpha * dy[i];
}

extern "C" __global__ void elu(const real* x, real* y, real alpha, index_t count) {
  ITEMS(i, count) {
    real at = x[i];
    y[i] = at > 0 ? at : alpha * expm1(at);
  }
}

extern "C" __global__ void elu_gradient(const real* x, const real* y, const real* dy, real* dx, real alpha,
                                        index_t count) {
  ITEMS(i, count) dx[i] = x[i] > 0 ? dy[i] : dy[i] * (y[i] + alpha);
}

extern "C" __global__ void sigmoid(const real* x, real* y, index_t count) {
  ITEMS(i, count) y[i] = (real)0.5 * tanh((real)0.5 * x[i]) + (real)0.5;
}

extern "C" __global__ void sigmoid_gradient(const real* y, const real* dy, real* dx, index_t count) {
  ITEMS(i, count) dx[i] = dy[i] * y[i] * (1 - y[i]);
}

extern "C" __global__ void tanh_of(const real* x, real* y, index_t count) {
  ITEMS(i, count) y[i] = tanh(x[i]);
}

extern "C" __global__ void tanh_gradient(const real* y, const real* dy, real* dx, index_t count) {
  ITEMS(i, count) dx[i] = dy[i] * (1 - y[i] * y[i]);
}
