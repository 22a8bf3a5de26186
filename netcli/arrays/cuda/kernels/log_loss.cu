// The logarithmic loss of probabilities p with the classes `inner` items apart: item (outer, class, inner).  `index`
// has the class of each (outer, inner), below 0 where it takes no part.  The sum takes two steps, in double.

#include "grid.cuh"
#include "reduce.cuh"

extern "C" __global__ void losses(const real* p, const long long* index, double* partial, double smallest,
                                  index_t classes, index_t inner, index_t items, index_t parts) {
  __shared__ double room[WARP];
  index_t run = (items + parts - 1) / parts;
  ROWS(part, parts) {
    double sum = 0;
    index_t last = min((part + 1) * run, items);
    for (index_t item = part * run + (index_t)threadIdx.x; item < last; item += (index_t)blockDim.x) {
      long long which = index[item];
      if (which < 0 || which >= classes) continue;  // no memory but p's is read, whatever labels say
      index_t outer = item / inner;
      double now = p[(outer * classes + (index_t)which) * inner + (item - outer * inner)];
      sum -= log(now < smallest ? smallest : now);
    }
    sum = block_sum(sum, room);
    if (threadIdx.x == 0) partial[part] = sum;
  }
}

// One block.
extern "C" __global__ void total(const double* partial, real* loss, index_t parts) {
  __shared__ double room[WARP];
  double sum = 0;
  for (index_t part = threadIdx.x; part < parts; part += (index_t)blockDim.x) sum += partial[part];
  sum = block_sum(sum, room);
  if (threadIdx.x == 0) *loss = (real)sum;
}

extern "C" __global__ void log_loss_gradient(const real* p, const long long* index, real* dx, const real* scale,
                                             index_t classes, index_t inner, index_t count) {
  real factor = *scale;
  ITEMS(i, count) {
    index_t above = i / inner, outer = above / classes;
    long long which = index[outer * inner + (i - above * inner)];
    real at = p[i] * factor;
    dx[i] = which < 0 ? (real)0 : above - outer * classes == which ? at - factor : at;
  }
}
