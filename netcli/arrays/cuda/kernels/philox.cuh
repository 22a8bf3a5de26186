// The draws of netcli/arrays/random.py `words`: Philox4x64-10 (Salmon et al., "Parallel random numbers: as easy as
// 1, 2, 3", SC 2011), a function of the keys, the iteration and the number of a block alone.

struct Words {
  unsigned long long at[4];
};

// Block `number` of the stream: four words.  keys: those of the ten rounds, from `random.round_keys`; major: the
// iteration or epoch.
__device__ __forceinline__ Words philox(unsigned long long number, unsigned long long major,
                                        const unsigned long long* __restrict__ keys) {
  const unsigned long long first = 0xD2E7470EE14C6C93ull, second = 0xCA5A826395121157ull;
  // NumPy steps the counter before each block.
  unsigned long long a = number + 1, b = 0, c = major, d = 1;
  for (int round = 0; round < 10; ++round) {
    unsigned long long high = __umul64hi(a, first), low = a * first;
    unsigned long long high2 = __umul64hi(c, second), low2 = c * second;
    a = high2 ^ b ^ keys[2 * round];
    b = low2;
    c = high ^ d ^ keys[2 * round + 1];
    d = low;
  }
  return {{a, b, c, d}};
}
