// The statistics of batches, summed up as they come.

#include "grid.cuh"

// Each sum times `fraction` plus what comes: a mean, a variance times `unbiased`, 1.
extern "C" __global__ void moving_statistics(const real* mean, const real* var, real* mean_sum, real* var_sum, real* s,
                                             real fraction, real unbiased, index_t channels) {
  ITEMS(c, channels) {
    mean_sum[c] = mean_sum[c] * fraction + mean[c];
    var_sum[c] = var_sum[c] * fraction + var[c] * unbiased;
    if (c == 0) s[0] = s[0] * fraction + 1;
  }
}
