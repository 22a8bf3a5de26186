// Sums and maxima over the threads of a block, the same in every thread, in a fixed order: the same bits each time.

#define WARP 32

template <class T> __device__ __forceinline__ T warp_sum(T value) {
  for (int step = WARP / 2; step > 0; step /= 2) value += __shfl_xor_sync(0xffffffffu, value, step);
  return value;
}

template <class T> __device__ __forceinline__ T warp_max(T value) {
  for (int step = WARP / 2; step > 0; step /= 2) {
    T other = __shfl_xor_sync(0xffffffffu, value, step);
    value = other > value ? other : value;
  }
  return value;
}

// `room` is shared memory for WARP items; blocks are whole warps, of at most WARP of them.
template <class T> __device__ __forceinline__ T block_sum(T value, T* room) {
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  value = warp_sum(value);
  __syncthreads();  // whoever still reads the room from before
  if (lane == 0) room[warp] = value;
  __syncthreads();
  T sum = lane < warps ? room[lane] : (T)0;
  return warp_sum(sum);
}

template <class T> __device__ __forceinline__ T block_max(T value, T* room) {
  int lane = threadIdx.x % WARP, warp = threadIdx.x / WARP, warps = blockDim.x / WARP;
  value = warp_max(value);
  __syncthreads();
  if (lane == 0) room[warp] = value;
  __syncthreads();
  return warp_max(room[lane < warps ? lane : 0]);
}
