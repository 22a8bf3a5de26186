// CUDA's words for a C++ compiler, and a scheduler of the threads of a block.
//
// Blocks run one after another.  The threads of one are fibres that run until they wait, for the block or for their
// warp; when none can go on, those are let go whose whole block or whole warp waits at the same kind of place.  A block
// in which threads wait for others that never come hangs a card; here it ends the program with a sentence.
//
// A card promises no order of blocks, nor of threads between two waits.  So each launch draws one: warp after warp, each
// as far ahead of the others as it comes, from the first or from the last on, or threads of all warps by turns.  What
// needs an order gives wrong results in another.

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
static unsigned launches;

enum Order { FORWARDS, BACKWARDS, BY_TURNS };

static Order order() { return Order((launches >> 16) % 3); }

// which of `count` comes at place i of this launch's order
static unsigned turn(unsigned i, unsigned count) {
  if (order() == BACKWARDS) return count - 1 - i;
  unsigned warps = count / 32;
  return order() == BY_TURNS && i < warps * 32 ? i % warps * 32 + i / warps : i;
}

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

static void run(unsigned thread) {
  if (fibres[thread].state != READY) return;
  running = thread;
  threadIdx = {thread, 0, 0};
  swapcontext(&scheduler, &fibres[thread].context);
}

// lets threads first..last - 1 go on where all wait at one kind of place
static bool release(unsigned first, unsigned last, State at) {
  if (!all(first, last, at)) return false;
  for (unsigned i = first; i < last; ++i)
    if (fibres[i].state == at) fibres[i].state = READY;
  return true;
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
  unsigned warps = (threads + 31) / 32;
  do {
    if (order() == BY_TURNS) {
      bool goes_on = true;
      while (goes_on) {
        for (unsigned i = 0; i < threads; ++i) run(turn(i, threads));
        goes_on = false;
        for (unsigned w = 0; w < warps; ++w) goes_on |= release(32 * w, min(32 * w + 32, threads), AT_WARP);
      }
    } else {
      for (unsigned i = 0; i < warps; ++i) {
        unsigned first = 32 * turn(i, warps), count = min(32u, threads - first);
        do
          for (unsigned lane = 0; lane < count; ++lane) run(first + turn(lane, count));
        while (release(first, first + count, AT_WARP));
      }
    }
  } while (release(0, threads, AT_BLOCK));
  for (unsigned i = 0; i < threads; ++i)
    if (fibres[i].state != DONE) {
      fprintf(stderr, "emulated card: threads of a block wait for others that never come\n");
      abort();
    }
}

// waits: whether the kernel has threads that wait for each other; without, they run to their ends in turn
static void launch(void (*kernel)(void**), bool waits, unsigned blocks, unsigned threads, void** with) {
  body = kernel;
  arguments = with;
  gridDim = {blocks, 1, 1};
  blockDim = {threads, 1, 1};
  for (unsigned b = 0; b < blocks; ++b) {
    blockIdx = {turn(b, blocks), 0, 0};
    if (waits) run_block(threads);
    else
      for (unsigned t = 0; t < threads; ++t) {
        threadIdx = {turn(t, threads), 0, 0};
        kernel(with);
      }
  }
  launches = launches * 1664525 + 1013904223;  // an order drawn anew, the same in each run
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
