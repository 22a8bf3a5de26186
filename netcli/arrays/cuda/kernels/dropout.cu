// Dropout: an item is kept where its half-word is at least the threshold.  The draw is made again in the gradient, which
// costs less than to write and read what was drawn: `major` is left in `left` for it.

#include "grid.cuh"
#include "philox.cuh"
#define WARP 32

// Of the eight half-words of a block, the lower half of a word first: a bit for each that is at least the threshold.
__device__ __forceinline__ unsigned kept(index_t block, unsigned long long major,
                                         const unsigned long long* __restrict__ keys, unsigned long long threshold) {
  Words words = philox(block, major, keys);
  unsigned bits = 0;
  for (int i = 0; i < 4; ++i) {
    bits |= (unsigned)((words.at[i] & 0xffffffffull) >= threshold) << (2 * i);
    bits |= (unsigned)((words.at[i] >> 32) >= threshold) << (2 * i + 1);
  }
  return bits;
}

__device__ __forceinline__ void leave(const unsigned long long* major, unsigned long long* left) {
  if (left && blockIdx.x == 0 && threadIdx.x == 0) *left = *major;
}

// For memory in Caffe's order.  A thread draws eight items; then its warp goes over the 256 items of all its threads,
// neighbours beside each other.  Blocks are whole warps.
extern "C" __global__ void dropout(const real* x, real* y, const unsigned long long* keys,
                                   const unsigned long long* major, unsigned long long* left,
                                   unsigned long long threshold, real factor, index_t count) {
  unsigned long long now = *major;
  leave(major, left);
  index_t blocks = (count + 7) / 8, whole = (blocks + WARP - 1) / WARP * WARP;
  int lane = threadIdx.x % WARP;
  ITEMS(block, whole) {
    unsigned bits = kept(block, now, keys, threshold);
    index_t first = (block - lane) * 8;
    for (int turn = 0; turn < 8; ++turn) {
      unsigned eight = __shfl_sync(0xffffffffu, bits, turn * (WARP / 8) + lane / 8);
      index_t i = first + turn * WARP + lane;
      if (i < count) y[i] = x[i] * (eight >> (lane % 8) & 1 ? factor : (real)0);
    }
  }
}

// For images in channels-last memory.  A thread has eight pixels of a channel, which follow each other in Caffe's order
// and lie in one or two blocks; neighbours have neighbouring channels.
extern "C" __global__ void dropout_images(const real* x, real* y, const unsigned long long* keys,
                                          const unsigned long long* major, unsigned long long* left,
                                          unsigned long long threshold, real factor, index_t images, index_t channels,
                                          index_t pixels) {
  unsigned long long now = *major;
  leave(major, left);
  index_t runs = (pixels + 7) / 8;
  ITEMS(i, images * runs * channels) {
    index_t image = i / (runs * channels), rest = i - image * runs * channels;
    index_t run = rest / channels, channel = rest - run * channels;
    int some = (int)(pixels - run * 8 < 8 ? pixels - run * 8 : 8);
    index_t drawn = (image * channels + channel) * pixels + run * 8;  // the first one's number in Caffe's order
    int skipped = (int)(drawn % 8);
    unsigned bits = kept(drawn / 8, now, keys, threshold);
    if (skipped + some > 8) bits |= kept(drawn / 8 + 1, now, keys, threshold) << 8;
    bits >>= skipped;
    index_t at = (image * pixels + run * 8) * channels + channel;
    for (int pixel = 0; pixel < some; ++pixel, at += channels)
      y[at] = x[at] * (bits >> pixel & 1 ? factor : (real)0);
  }
}
