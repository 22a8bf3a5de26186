// What every kernel begins with: its types, and the loop over items.
//
// `real` is the type of items, `index_t` that of their numbers.  Kernels are one-dimensional: with any number of blocks
// and threads a loop of ITEMS goes over all items once, so that the launch is free to choose.

typedef REAL real;
typedef INDEX index_t;

#define ITEMS(i, count)                                                                  \
  for (index_t i = (index_t)blockIdx.x * (index_t)blockDim.x + (index_t)threadIdx.x; i < (count); \
       i += (index_t)blockDim.x * (index_t)gridDim.x)

// The same for what a whole block does together: `row` is one for all threads of a block.
#define ROWS(row, count) for (index_t row = (index_t)blockIdx.x; row < (count); row += (index_t)gridDim.x)
