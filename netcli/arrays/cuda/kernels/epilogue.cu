// What is done to the results of products, channels-last, where they are: (y + b) * s + t + z, and then a ReLU.
// A thread has an item, or those of four channels side by side.  Pointers may be null, s and t both.

#include "grid.cuh"
#include "packs.cuh"

template <int V>
__device__ __forceinline__ void finish(real* y, const real* b, const real* s, const real* t, const real* z,
                                       const real* a, real slope, int rectifies, index_t channels, index_t count) {
  ITEMS(i, count / V) {
    index_t at = i * V, channel = at % channels;
    Pack<real, V> result = load<V>(y + at);
    if (b) {
      Pack<real, V> bias = load<V>(b + channel);
      for (int v = 0; v < V; ++v) result.at[v] += bias.at[v];
    }
    if (s) {
      Pack<real, V> factor = load<V>(s + channel), summand = load<V>(t + channel);
      for (int v = 0; v < V; ++v) result.at[v] = result.at[v] * factor.at[v] + summand.at[v];
    }
    if (z) {
      Pack<real, V> other = load<V>(z + at);
      for (int v = 0; v < V; ++v) result.at[v] += other.at[v];
    }
    if (a) {
      Pack<real, V> slopes = load<V>(a + channel);
      for (int v = 0; v < V; ++v)
        if (!(result.at[v] > 0)) result.at[v] *= slopes.at[v];
    } else if (rectifies) {
      for (int v = 0; v < V; ++v) {
        real value = result.at[v];
        result.at[v] = value > 0 ? value : slope == 0 && value <= 0 ? (real)0 : slope * value;
      }
    }
    store<V>(y + at, result);
  }
}

extern "C" __global__ void epilogue(real* y, const real* b, const real* s, const real* t, const real* z, const real* a,
                                    real slope, int rectifies, index_t channels, index_t count) {
  if (channels % 4 == 0) finish<4>(y, b, s, t, z, a, slope, rectifies, channels, count);
  else finish<1>(y, b, s, t, z, a, slope, rectifies, channels, count);
}
