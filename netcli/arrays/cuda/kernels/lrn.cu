// Local response normalisation of channels-last images, an item by a thread: s = k + scale * sum(x ** 2) of its
// neighbours, y = x * s ** -beta.  What neighbours read of each other's items comes from the cache.  1 / s is kept for
// the gradient, so that this divides nothing.

#include "grid.cuh"

// The neighbours of an item: at o * outer_step + n * inner_step from it, o and n from their first to their last.
struct Near {
  index_t outer_first, outer_last, outer_step, inner_first, inner_last, inner_step;
};

__device__ __forceinline__ Near near(index_t i, bool across, index_t reach, index_t height, index_t width,
                                     index_t channels) {
  index_t pixel = i / channels;
  if (across) {
    index_t channel = i - pixel * channels;
    return {0, 0, 0, -min(channel, reach), min(channels - 1 - channel, reach), 1};
  }
  index_t line = pixel / width, w = pixel - line * width, h = line % height;
  return {-min(h, reach), min(height - 1 - h, reach), width * channels,
          -min(w, reach), min(width - 1 - w, reach), channels};
}

// The sum over the neighbours of an item of what `item` makes of each, line by line.
template <class Item> __device__ __forceinline__ real sum_near(index_t i, const Near& at, Item item) {
  real sum = 0;
  for (index_t o = at.outer_first; o <= at.outer_last; ++o) {
    real of_line = 0;
    for (index_t n = at.inner_first; n <= at.inner_last; ++n) of_line += item(i + o * at.outer_step + n * at.inner_step);
    sum += of_line;
  }
  return sum;
}

// s ** -beta of 1 / s
__device__ __forceinline__ real power(real inverse, real beta) {
  if (beta != (real)0.75) return pow(inverse, beta);
  real root = sqrt(inverse);
  return root * sqrt(root);
}

// kept: of x's items, or nothing
extern "C" __global__ void lrn(const real* x, real* y, real* kept, real scale, real k, real beta, int across,
                               index_t reach, index_t height, index_t width, index_t channels, index_t count) {
  ITEMS(i, count) {
    Near at = near(i, across, reach, height, width, channels);
    real sum = sum_near(i, at, [=](index_t j) { return x[j] * x[j]; });
    real inverse = 1 / (k + scale * sum);
    if (kept) kept[i] = inverse;
    y[i] = x[i] * power(inverse, beta);
  }
}

// dx_i = dy_i * s_i ** -beta - 2 * scale * beta * x_i * sum(dy_j * x_j * s_j ** -beta / s_j) over the j that i is a neighbour of: its
// neighbours.
extern "C" __global__ void lrn_gradient(const real* x, const real* dy, real* dx, const real* kept, real scale,
                                        real beta, int across, index_t reach, index_t height, index_t width,
                                        index_t channels, index_t count) {
  real factor = 2 * scale * beta;
  ITEMS(i, count) {
    Near at = near(i, across, reach, height, width, channels);
    real sum = sum_near(i, at, [=](index_t j) { return dy[j] * x[j] * power(kept[j], beta) * kept[j]; });
    dx[i] = dy[i] * power(kept[i], beta) - factor * x[i] * sum;
  }
}
