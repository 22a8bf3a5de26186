// Where the windows of a convolution lie, for any number of axes, channels-last.
//
// sizes  for each axis, the outermost first: of the image, of the result, of the window, stride, padding, dilation
// pixel, position   an item of all images, or of all results, counted image by image without their channels
// cell   of a window

#define AXIS 6

// What a cell of the window at a position sees: a pixel, or below 0 the padding.
__device__ __forceinline__ index_t seen(index_t position, index_t cell, const int* __restrict__ sizes, int axes) {
  index_t pixel = 0, step = 1;
  bool inside = true;
  for (int axis = axes - 1; axis >= 0; --axis) {
    const int* of = sizes + AXIS * axis;
    index_t outer = position / of[1], beyond = cell / of[2];
    int at = (int)(position - outer * of[1]) * of[3] - of[4] + (int)(cell - beyond * of[2]) * of[5];
    inside = inside && at >= 0 && at < of[0];
    pixel += at * step, step *= of[0], position = outer, cell = beyond;
  }
  return inside ? position * step + pixel : -1;
}

// The position whose window sees a pixel by a cell; below 0 where there is none.
__device__ __forceinline__ index_t seeing(index_t pixel, index_t cell, const int* __restrict__ sizes, int axes) {
  index_t position = 0, step = 1;
  bool inside = true;
  for (int axis = axes - 1; axis >= 0; --axis) {
    const int* of = sizes + AXIS * axis;
    index_t outer = pixel / of[0], beyond = cell / of[2];
    int first = (int)(pixel - outer * of[0]) + of[4] - (int)(cell - beyond * of[2]) * of[5], at = first / of[3];
    inside = inside && first >= 0 && at * of[3] == first && at < of[1];
    position += at * step, step *= of[1], pixel = outer, cell = beyond;
  }
  return inside ? pixel * step + position : -1;
}
