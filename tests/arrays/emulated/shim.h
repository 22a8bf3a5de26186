// CUDA's words for a C++ compiler, and a scheduler of the threads of a block.
//
// Blocks run one after another.  The threads of one are fibres that run until they wait, for the block or for their
// warp; when none can go on, those are let go whose whole block or whole warp waits at the same kind of place.  A block
// in which threads wait for others that never come hangs a card; here it ends the program with a sentence.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ucontext.h>
#include <vector>

#define __global__
#define __device__ static inline
#define __forceinline__
#define __restrict__ __restrict
#define __shared__ static
#define __constant__ static const
#define __launch_bounds__(...)

struct Index { unsigned x, y, z; };
static Index threadIdx, blockIdx, blockDim, gridDim;

using std::max;
using std::min;

namespace emulated {

enum State { READY, AT_BLOCK, AT_WARP, DONE };

struct Fibre {
  ucontext_t context;
  char* stack;
  State state;
};

static std::vector<Fibre> fibres;
static ucontext_t scheduler;
static unsigned running;
static void (*body)(void**);
static void** arguments;
static double exchange[1024];  // what the threads of a warp give each other
static const size_t STACK = 64 * 1024;

static void enter() {
  body(arguments);
  fibres[running].state = DONE;
  swapcontext(&fibres[running].context, &scheduler);
}

static void wait(State at) {
  fibres[running].state = at;
  swapcontext(&fibres[running].context, &scheduler);
}

static bool all(unsigned first, unsigned last, State at) {
  bool one = false;
  for (unsigned i = first; i < last; ++i) {
    if (fibres[i].state == at) one = true;
    else if (fibres[i].state != DONE) return false;
  }
  return one;
}

static void run_block(unsigned threads) {
  while (fibres.size() < threads) fibres.push_back({{}, (char*)malloc(STACK), DONE});
  for (unsigned i = 0; i < threads; ++i) {
    getcontext(&fibres[i].context);
    fibres[i].context.uc_stack.ss_sp = fibres[i].stack;
    fibres[i].context.uc_stack.ss_size = STACK;
    fibres[i].context.uc_link = &scheduler;
    makecontext(&fibres[i].context, enter, 0);
    fibres[i].state = READY;
  }
  for (;;) {
    for (running = 0; running < threads; ++running)
      if (fibres[running].state == READY) {
        threadIdx = {running, 0, 0};
        swapcontext(&scheduler, &fibres[running].context);
      }
    bool released = false, done = true;
    for (unsigned first = 0; first < threads; first += 32) {
      unsigned last = min(first + 32, threads);
      if (all(first, last, AT_WARP)) {
        for (unsigned i = first; i < last; ++i)
          if (fibres[i].state == AT_WARP) fibres[i].state = READY;
        released = true;
      }
    }
    if (!released && all(0, threads, AT_BLOCK)) {
      for (unsigned i = 0; i < threads; ++i)
        if (fibres[i].state == AT_BLOCK) fibres[i].state = READY;
      released = true;
    }
    for (unsigned i = 0; i < threads; ++i) done = done && fibres[i].state == DONE;
    if (done) return;
    if (!released) {
      fprintf(stderr, "emulated card: threads of a block wait for others that never come\n");
      abort();
    }
  }
}

// waits: whether the kernel has threads that wait for each other; without, they run to their ends in turn
static void launch(void (*kernel)(void**), bool waits, unsigned blocks, unsigned threads, void** with) {
  body = kernel;
  arguments = with;
  gridDim = {blocks, 1, 1};
  blockDim = {threads, 1, 1};
  for (unsigned b = 0; b < blocks; ++b) {
    blockIdx = {b, 0, 0};
    if (waits) run_block(threads);
    else
      for (unsigned t = 0; t < threads; ++t) {
        threadIdx = {t, 0, 0};
        kernel(with);
      }
  }
}

template <class T> static T given(T value, unsigned from) {
  unsigned me = running, first = me / 32 * 32;
  memcpy(&exchange[me], &value, sizeof value);
  wait(AT_WARP);
  T result;
  memcpy(&result, &exchange[first + from % 32], sizeof result);
  wait(AT_WARP);
  return result;
}

}  // namespace emulated

static inline void __syncthreads() { emulated::wait(emulated::AT_BLOCK); }
static inline void __syncwarp(unsigned = 0xffffffffu) { emulated::wait(emulated::AT_WARP); }

template <class T> static inline T __shfl_sync(unsigned, T value, int from) { return emulated::given(value, from); }
template <class T> static inline T __shfl_xor_sync(unsigned, T value, int step) {
  return emulated::given(value, emulated::running % 32 ^ step);
}
template <class T> static inline T __shfl_down_sync(unsigned, T value, int step) {
  unsigned lane = emulated::running % 32;
  return emulated::given(value, lane + step < 32 ? lane + step : lane);
}

template <class T> static inline T atomicAdd(T* at, T value) {
  T before = *at;
  *at += value;
  return before;
}
template <class T> static inline T atomicMax(T* at, T value) {
  T before = *at;
  *at = max(before, value);
  return before;
}
static inline int atomicExch(int* at, int value) {
  int before = *at;
  *at = value;
  return before;
}

static inline float __int_as_float(int bits) { float value; memcpy(&value, &bits, 4); return value; }
static inline int __float_as_int(float value) { int bits; memcpy(&bits, &value, 4); return bits; }
static inline unsigned __float_as_uint(float value) { unsigned bits; memcpy(&bits, &value, 4); return bits; }
static inline float __uint_as_float(unsigned bits) { float value; memcpy(&value, &bits, 4); return value; }
static inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return (unsigned long long)(((unsigned __int128)a * b) >> 64);
}
using std::isnan;
