// Items that lie side by side, the channels of a pixel, read and written by one instruction where their address allows.

template <class T, int V> struct alignas(sizeof(T) * V) Pack { T at[V]; };

template <int V, class T> __device__ __forceinline__ bool is_whole(const T* at) {
  return (unsigned long long)at % sizeof(Pack<T, V>) == 0;
}

template <int V, class T> __device__ __forceinline__ Pack<T, V> load(const T* at) {
  if (is_whole<V>(at)) return *(const Pack<T, V>*)at;
  Pack<T, V> items;
  for (int v = 0; v < V; ++v) items.at[v] = at[v];
  return items;
}

template <int V, class T> __device__ __forceinline__ void store(T* at, Pack<T, V> items) {
  if (is_whole<V>(at)) *(Pack<T, V>*)at = items;
  else
    for (int v = 0; v < V; ++v) at[v] = items.at[v];
}
