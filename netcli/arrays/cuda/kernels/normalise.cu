// Images cut out, mirrored, less a mean, times a scale: y = (x - (mean + less)) * scale.

#include "grid.cuh"

// Items of x by what they are: bytes, float or double.
__device__ __forceinline__ real item(const void* x, int kind, index_t at) {
  if (kind == 0) return (real)((const unsigned char*)x)[at];
  return kind == 1 ? (real)((const float*)x)[at] : (real)((const double*)x)[at];
}

// A block takes a row of an image, and its threads the items of the row in the order of y's memory: all columns of one
// channel after the other in `planes`, else all channels of one column after the other.
//
// x_*, y_*  steps from an image, a row, a column, a channel to the next, in items
// mean      pixels of `mean_columns` to a row, or null
// less      one for each image and channel, with its steps; or null
// tops, lefts, mirrors   one for each image; or null, and top, left, mirrored are those of all
extern "C" __global__ void normalise(const void* x, real* y, const real* mean, const real* less, const int* tops,
                                     const int* lefts, const unsigned char* mirrors, int top, int left, int mirrored,
                                     real scale, int kind, int planes, index_t images, index_t rows, index_t columns,
                                     index_t channels, index_t x_image, index_t x_row, index_t x_column,
                                     index_t x_channel, index_t y_image, index_t y_row, index_t y_column,
                                     index_t y_channel, index_t less_image, index_t less_channel,
                                     index_t mean_columns) {
  int inner = (int)(planes ? columns : channels), items = (int)(columns * channels);
  ROWS(at, images * rows) {
    index_t image = at / rows, row = at - image * rows;
    index_t from_row = row + (tops ? tops[image] : top), first = lefts ? lefts[image] : left;
    bool turned = mirrors ? mirrors[image] : mirrored;
    for (int i = threadIdx.x; i < items; i += blockDim.x) {
      int outer = i / inner, rest = i - outer * inner;
      index_t column = planes ? rest : outer, channel = planes ? outer : rest;
      index_t from_column = first + (turned ? columns - 1 - column : column);
      real value = item(x, kind, image * x_image + from_row * x_row + from_column * x_column + channel * x_channel);
      if (mean || less) {
        real off = mean ? mean[(from_row * mean_columns + from_column) * channels + channel] : (real)0;
        if (less) {
          real own = less[image * less_image + channel * less_channel];
          off = mean ? off + own : own;
        }
        value -= off;
      }
      y[image * y_image + row * y_row + column * y_column + channel * y_channel] = value * scale;
    }
  }
}
