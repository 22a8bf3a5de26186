// Normalisation by the mean and variance of each channel.
//
// An item is the number k of a channel c.  Channels lie side by side, at k * channels + c, with `inner` 1; or apart, in
// runs of `inner` items.  Statistics and the sums of gradients take two steps: first `parts` parts of the items of each
// channel, by blocks that are `width` threads wide and go down the items, a thread having one channel or four; then a
// warp for each channel, over its parts.

#include "grid.cuh"
#include "packs.cuh"
#include "reduce.cuh"

#define THREADS 256
#define RUN 64  // items that are summed in their own type

template <bool APART> __device__ __forceinline__ index_t place(index_t k, index_t c, index_t channels, index_t inner) {
  if (!APART) return k * channels + c;
  index_t row = k / inner;
  return (row * channels + c) * inner + (k - row * inner);
}

// The mean of some items and the sum of the squares of their deviations from it.
struct Moments {
  double count, mean, squares;
};

// Of two sets together: Chan, Golub & LeVeque, "Updating formulae and a pairwise algorithm for computing sample
// variances", 1979.
__device__ __forceinline__ Moments together(Moments a, Moments b) {
  if (b.count == 0) return a;
  if (a.count == 0) return b;
  double count = a.count + b.count, apart = b.mean - a.mean, share = b.count / count;
  return {count, a.mean + apart * share, a.squares + b.squares + apart * apart * a.count * share};
}

struct Sums {
  double first, second;
};

__device__ __forceinline__ Sums together(Sums a, Sums b) { return {a.first + b.first, a.second + b.second}; }

// Of the threads of a block that stand below each other, in those of the first line.
template <class T> __device__ __forceinline__ T down(T own, T* room, int width) {
  __syncthreads();  // whoever still reads the room from before
  room[threadIdx.x] = own;
  for (int step = blockDim.x / 2; step >= width; step /= 2) {
    __syncthreads();
    if (threadIdx.x < step) room[threadIdx.x] = together(room[threadIdx.x], room[threadIdx.x + step]);
  }
  return room[threadIdx.x];
}

// The part of a block: its items, one of which a thread begins with, and the thread's first channel.
struct Part {
  index_t channel, number, next, last;
  int depth;
};

template <int V>
__device__ __forceinline__ Part part_of(index_t unit, index_t items, index_t parts, int width) {
  index_t tile = unit / parts, part = unit - tile * parts, run = (items + parts - 1) / parts, first = part * run;
  int across = (int)threadIdx.x % width, line = (int)threadIdx.x / width;
  return {(tile * width + across) * V, part, first + line, min(first + run, items), (int)blockDim.x / width};
}

// How many there are; those that stand side by side go over the channels.
template <int V> __device__ __forceinline__ index_t units_of(index_t channels, index_t parts, int width) {
  return (channels / V + width - 1) / width * parts;
}

template <int V, bool APART>
__device__ __forceinline__ void find_moments(const real* x, double* partial, index_t channels, index_t inner,
                                             index_t items, index_t parts, int width, Moments* room) {
  ROWS(unit, units_of<V>(channels, parts, width)) {
    Part part = part_of<V>(unit, items, parts, width);
    Pack<real, V> mean = {}, squares = {};
    int count = 0;
    if (part.channel < channels)
      for (index_t k = part.next; k < part.last; k += part.depth) {
        Pack<real, V> now = load<V>(x + place<APART>(k, part.channel, channels, inner));
        real share = (real)1 / (real)++count;
        for (int v = 0; v < V; ++v) {
          real apart = now.at[v] - mean.at[v];
          mean.at[v] += apart * share;
          squares.at[v] += apart * (now.at[v] - mean.at[v]);
        }
      }
    for (int v = 0; v < V; ++v) {
      Moments all = down(Moments{(double)count, mean.at[v], squares.at[v]}, room, width);
      if (threadIdx.x < width && part.channel < channels) {
        double* into = partial + 2 * ((part.channel + v) * parts + part.number);
        into[0] = all.mean, into[1] = all.squares;
      }
    }
  }
}

// y before the ReLU; one function, so that the gradient's slope is that of what forward gave.
__device__ __forceinline__ real normalised(real x, real mean, real gain, real offset) {
  return fma(x - mean, gain, offset);
}

__device__ __forceinline__ real behind_relu(real x, real dy, real mean, real gain, real offset) {
  return dy * (real)(normalised(x, mean, gain, offset) > 0);
}

template <int V, bool APART>
__device__ __forceinline__ void find_sums(const real* x, const real* dy, const real* mean, const real* inverse,
                                          const real* gain, const real* offset, double* partial, bool relu,
                                          index_t channels, index_t inner, index_t items, index_t parts, int width,
                                          Sums* room) {
  ROWS(unit, units_of<V>(channels, parts, width)) {
    Part part = part_of<V>(unit, items, parts, width);
    double first[V] = {}, second[V] = {};
    if (part.channel < channels) {
      Pack<real, V> m = load<V>(mean + part.channel), scale = load<V>(inverse + part.channel);
      Pack<real, V> g = load<V>(gain + part.channel), o = load<V>(offset + part.channel);
      for (index_t k = part.next; k < part.last;) {
        Pack<real, V> a = {}, b = {};
        for (int turn = 0; turn < RUN && k < part.last; ++turn, k += part.depth) {
          index_t at = place<APART>(k, part.channel, channels, inner);
          Pack<real, V> source = load<V>(x + at), d = load<V>(dy + at);
          for (int v = 0; v < V; ++v) {
            if (relu) d.at[v] = behind_relu(source.at[v], d.at[v], m.at[v], g.at[v], o.at[v]);
            a.at[v] += d.at[v];
            b.at[v] += d.at[v] * ((source.at[v] - m.at[v]) * scale.at[v]);
          }
        }
        for (int v = 0; v < V; ++v) first[v] += a.at[v], second[v] += b.at[v];
      }
    }
    for (int v = 0; v < V; ++v) {
      Sums all = down(Sums{first[v], second[v]}, room, width);
      if (threadIdx.x < width && part.channel < channels) {
        double* into = partial + 2 * ((part.channel + v) * parts + part.number);
        into[0] = all.first, into[1] = all.second;
      }
    }
  }
}

// A warp for each channel: `c` is one for all threads of a warp.
#define WARPS(c, count)                                                                                    \
  for (index_t c = ((index_t)blockIdx.x * blockDim.x + threadIdx.x) / WARP; c < (count); \
       c += (index_t)blockDim.x * gridDim.x / WARP)

__device__ __forceinline__ void find_factors(index_t c, real var, const real* s, const real* b, real* inverse,
                                             real* gain, real* offset, double eps) {
  double scale = 1 / sqrt((double)var + eps);
  inverse[c] = (real)scale;
  gain[c] = (real)(s ? scale * s[c] : scale);
  offset[c] = b ? b[c] : (real)0;
}

extern "C" __global__ void moments(const real* x, double* partial, index_t channels, index_t inner, index_t items,
                                   index_t parts, int width) {
  __shared__ Moments room[THREADS];
  if (inner > 1) find_moments<1, true>(x, partial, channels, inner, items, parts, width, room);
  else if (channels % 4 == 0) find_moments<4, false>(x, partial, channels, inner, items, parts, width, room);
  else find_moments<1, false>(x, partial, channels, inner, items, parts, width, room);
}

// The statistics, and what x is multiplied by: 1 / sqrt(var + eps), and `gain` with s in it.
extern "C" __global__ void statistics(const double* partial, real* mean, real* var, const real* s, const real* b,
                                      real* inverse, real* gain, real* offset, double eps, index_t channels,
                                      index_t items, index_t parts) {
  int lane = threadIdx.x % WARP;
  index_t run = (items + parts - 1) / parts;
  WARPS(c, channels) {
    Moments all = {0, 0, 0};
    for (index_t part = lane; part < parts; part += WARP) {
      index_t count = min(run, items - part * run);
      const double* from = partial + 2 * (c * parts + part);
      all = together(all, Moments{count > 0 ? (double)count : 0., from[0], from[1]});
    }
    for (int step = WARP / 2; step > 0; step /= 2) {
      Moments other = {__shfl_xor_sync(0xffffffffu, all.count, step), __shfl_xor_sync(0xffffffffu, all.mean, step),
                       __shfl_xor_sync(0xffffffffu, all.squares, step)};
      all = together(all, other);
    }
    if (lane == 0) {
      real variance = (real)(all.squares / all.count);
      mean[c] = all.count > 0 ? (real)all.mean : variance;  // of nothing both are no numbers
      var[c] = variance;
      find_factors(c, variance, s, b, inverse, gain, offset, eps);
    }
  }
}

extern "C" __global__ void factors(const real* var, const real* s, const real* b, real* inverse, real* gain,
                                   real* offset, double eps, index_t channels) {
  ITEMS(c, channels) find_factors(c, var[c], s, b, inverse, gain, offset, eps);
}

// The first channel of V items from i on.
template <int V, bool APART> __device__ __forceinline__ index_t channel_of(index_t i, index_t channels, index_t inner) {
  return APART ? i / inner % channels : i % (channels / V) * V;
}

template <int V, bool APART>
__device__ __forceinline__ void normalise_items(const real* x, real* y, const real* mean, const real* gain,
                                                const real* offset, bool relu, index_t channels, index_t inner,
                                                index_t count) {
  ITEMS(i, count / V) {
    index_t c = channel_of<V, APART>(i, channels, inner);
    Pack<real, V> now = load<V>(x + i * V), m = load<V>(mean + c), g = load<V>(gain + c), o = load<V>(offset + c);
    for (int v = 0; v < V; ++v) {
      real at = normalised(now.at[v], m.at[v], g.at[v], o.at[v]);
      now.at[v] = relu && at <= 0 ? (real)0 : at;
    }
    store<V>(y + i * V, now);
  }
}

extern "C" __global__ void normalise(const real* x, real* y, const real* mean, const real* gain, const real* offset,
                                     int relu, index_t channels, index_t inner, index_t count) {
  if (inner > 1) normalise_items<1, true>(x, y, mean, gain, offset, relu, channels, inner, count);
  else if (channels % 4 == 0) normalise_items<4, false>(x, y, mean, gain, offset, relu, channels, inner, count);
  else normalise_items<1, false>(x, y, mean, gain, offset, relu, channels, inner, count);
}

// For each channel and part the sums of dy, behind the ReLU, and of dy * xhat.
extern "C" __global__ void sums(const real* x, const real* dy, const real* mean, const real* inverse, const real* gain,
                                const real* offset, double* partial, int relu, index_t channels, index_t inner,
                                index_t items, index_t parts, int width) {
#define GIVEN (x, dy, mean, inverse, gain, offset, partial, relu, channels, inner, items, parts, width, room)
  __shared__ Sums room[THREADS];
  if (inner > 1) find_sums<1, true> GIVEN;
  else if (channels % 4 == 0) find_sums<4, false> GIVEN;
  else find_sums<1, false> GIVEN;
#undef GIVEN
}

// The gradients of b and s, and the means over the items.
extern "C" __global__ void channel_sums(const double* partial, real* ds, real* db, real* mean_dy, real* mean_dy_xhat,
                                        index_t channels, index_t items, index_t parts) {
  int lane = threadIdx.x % WARP;
  WARPS(c, channels) {
    double first = 0, second = 0;
    for (index_t part = lane; part < parts; part += WARP) {
      const double* from = partial + 2 * (c * parts + part);
      first += from[0], second += from[1];
    }
    first = warp_sum(first), second = warp_sum(second);
    if (lane == 0) {
      if (ds) ds[c] = (real)second;
      if (db) db[c] = (real)first;
      mean_dy[c] = (real)(first / items);
      mean_dy_xhat[c] = (real)(second / items);
    }
  }
}

template <int V, bool APART>
__device__ __forceinline__ void gradient_items(const real* x, const real* dy, real* dx, const real* mean,
                                               const real* inverse, const real* gain, const real* offset,
                                               const real* mean_dy, const real* mean_dy_xhat, bool relu,
                                               index_t channels, index_t inner, index_t count) {
  ITEMS(i, count / V) {
    index_t c = channel_of<V, APART>(i, channels, inner);
    Pack<real, V> d = load<V>(dy + i * V), g = load<V>(gain + c);
    if (relu || mean_dy) {
      Pack<real, V> source = load<V>(x + i * V), m = load<V>(mean + c);
      if (relu) {
        Pack<real, V> o = load<V>(offset + c);
        for (int v = 0; v < V; ++v) d.at[v] = behind_relu(source.at[v], d.at[v], m.at[v], g.at[v], o.at[v]);
      }
      if (mean_dy) {
        Pack<real, V> a = load<V>(mean_dy + c), b = load<V>(mean_dy_xhat + c), scale = load<V>(inverse + c);
        for (int v = 0; v < V; ++v)
          d.at[v] -= (source.at[v] - m.at[v]) * scale.at[v] * b.at[v] + a.at[v];
      }
    }
    for (int v = 0; v < V; ++v) d.at[v] *= g.at[v];
    store<V>(dx + i * V, d);
  }
}

// mean_dy, mean_dy_xhat: nothing where the statistics were given.
extern "C" __global__ void gradient(const real* x, const real* dy, real* dx, const real* mean, const real* inverse,
                                    const real* gain, const real* offset, const real* mean_dy,
                                    const real* mean_dy_xhat, int relu, index_t channels, index_t inner,
                                    index_t count) {
#define GIVEN (x, dy, dx, mean, inverse, gain, offset, mean_dy, mean_dy_xhat, relu, channels, inner, count)
  if (inner > 1) gradient_items<1, true> GIVEN;
  else if (channels % 4 == 0) gradient_items<4, false> GIVEN;
  else gradient_items<1, false> GIVEN;
#undef GIVEN
}
