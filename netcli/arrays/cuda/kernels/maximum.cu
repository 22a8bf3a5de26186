// The largest of several arrays, and which it was; four at a time, of which x2 and x3, dx0 to dx3 may be null.
//
// The numbers of the arrays are kept in `few`, or, where a byte has too few values, in `many`; the other is null.  What
// is not a number is the largest.

#include "grid.cuh"

// Array `number` beside the largest so far: of equals the second counts before the first, and both before later ones.
__device__ __forceinline__ void next(real x, int number, real& largest, int& winner) {
  bool is_larger = number == 1 ? x >= largest : x > largest;
  if (is_larger) winner = number;
  if (is_larger || x != x) largest = x;
}

// number: x1's; x0 is array 0 before array 1, and what was the largest so far before any other
extern "C" __global__ void maximum(const real* x0, const real* x1, const real* x2, const real* x3, real* y,
                                   unsigned char* few, int* many, int number, index_t count) {
  ITEMS(i, count) {
    real largest = x0[i];
    int winner = number == 1 ? 0 : few ? few[i] : many[i];
    next(x1[i], number, largest, winner);
    if (x2) next(x2[i], number + 1, largest, winner);
    if (x3) next(x3[i], number + 2, largest, winner);
    y[i] = largest;
    if (few) few[i] = (unsigned char)winner;
    else many[i] = winner;
  }
}

// dx = dy * 1 where its x was the largest, dy * 0 elsewhere; number: dx0's
extern "C" __global__ void maximum_gradient(const real* dy, real* dx0, real* dx1, real* dx2, real* dx3,
                                            const unsigned char* few, const int* many, int number, index_t count) {
  ITEMS(i, count) {
    real given = dy[i], not_it = given * 0;
    int winner = (few ? few[i] : many[i]) - number;
    if (dx0) dx0[i] = winner == 0 ? given : not_it;
    if (dx1) dx1[i] = winner == 1 ? given : not_it;
    if (dx2) dx2[i] = winner == 2 ? given : not_it;
    if (dx3) dx3[i] = winner == 3 ? given : not_it;
  }
}
