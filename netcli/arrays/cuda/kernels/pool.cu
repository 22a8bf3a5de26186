// Pooling of channels-last images.  A thread has an item of the result, or the same of four channels side by side.
// Gradients are gathered: each item of x looks at the windows that it is in, in their order.
//
// Of a maximum is kept which cell it was: in a byte its number in the window, else its place h * width + w in the
// image; all bits are set where there is none.

#include "grid.cuh"
#include "packs.cuh"
#include "windows.cuh"

// One over the area of a window, clipped to the image with its padding on the far sides.
__device__ __forceinline__ real share_of(index_t row, index_t column, const Sizes& s) {
  index_t top = row * s.stride_h - s.pad_h, left = column * s.stride_w - s.pad_w;
  index_t area = (min(top + s.kernel_h, s.height + s.pad_h) - top) * (min(left + s.kernel_w, s.width + s.pad_w) - left);
  return area > 0 ? (real)1 / (real)area : (real)0;
}

template <class T, int V>
__device__ __forceinline__ void find_maxima(const real* x, real* y, T* kept, const Sizes& s, real lowest,
                                            index_t count) {
  index_t pitch = pitch_of<T>(s);
  ITEMS(i, count / V) {
    Pixel at = pixel_of<V>(i, s.rows, s.columns, s.channels);
    Window window = window_of(at.line, at.column, s);
    index_t origin = origin_of<T>(window.top, window.left, s);
    Pack<real, V> best;
    Pack<T, V> which;
    for (int v = 0; v < V; ++v) best.at[v] = lowest, which.at[v] = (T)-1;
    for (index_t h = window.first_h; h < window.last_h; ++h) {
      const real* line = x + (at.image * s.height + h) * s.width * s.channels + at.channel;
      for (index_t w = window.first_w; w < window.last_w; ++w) {
        Pack<real, V> now = load<V>(line + w * s.channels);
        T cell = (T)(h * pitch + w - origin);
        for (int v = 0; v < V; ++v)
          if (now.at[v] > best.at[v]) best.at[v] = now.at[v], which.at[v] = cell;
      }
    }
    store<V>(y + i * V, best);
    if (kept) store<V>(kept + i * V, which);
  }
}

template <class T, int V>
__device__ __forceinline__ void gather_cells(const real* dy, real* dx, const T* kept, const Sizes& s, index_t count) {
  index_t pitch = pitch_of<T>(s);
  ITEMS(i, count / V) {
    Pixel at = pixel_of<V>(i, s.height, s.width, s.channels);
    Windows windows = windows_of(at.line, at.column, s);
    Pack<real, V> sum = {};
    for (index_t row = windows.first_row; row < windows.last_row; ++row)
      for (index_t column = windows.first_column; column < windows.last_column; ++column) {
        index_t from = ((at.image * s.rows + row) * s.columns + column) * s.channels + at.channel;
        index_t origin = origin_of<T>(row * s.stride_h - s.pad_h, column * s.stride_w - s.pad_w, s);
        T cell = (T)(at.line * pitch + at.column - origin);
        Pack<T, V> which = load<V>(kept + from);
        Pack<real, V> g = load<V>(dy + from);
        for (int v = 0; v < V; ++v)
          if (which.at[v] == cell) sum.at[v] += g.at[v];
      }
    store<V>(dx + i * V, sum);
  }
}

template <int V> __device__ __forceinline__ void find_averages(const real* x, real* y, const Sizes& s, index_t count) {
  ITEMS(i, count / V) {
    Pixel at = pixel_of<V>(i, s.rows, s.columns, s.channels);
    Window window = window_of(at.line, at.column, s);
    real share = share_of(at.line, at.column, s);
    Pack<real, V> sum = {};
    for (index_t h = window.first_h; h < window.last_h; ++h) {
      const real* line = x + (at.image * s.height + h) * s.width * s.channels + at.channel;
      Pack<real, V> of_line = {};  // a long running sum would lose digits
      for (index_t w = window.first_w; w < window.last_w; ++w) {
        Pack<real, V> now = load<V>(line + w * s.channels);
        for (int v = 0; v < V; ++v) of_line.at[v] += now.at[v];
      }
      for (int v = 0; v < V; ++v) sum.at[v] += of_line.at[v];
    }
    for (int v = 0; v < V; ++v) sum.at[v] *= share;
    store<V>(y + i * V, sum);
  }
}

template <int V>
__device__ __forceinline__ void gather_averages(const real* dy, real* dx, const Sizes& s, index_t count) {
  ITEMS(i, count / V) {
    Pixel at = pixel_of<V>(i, s.height, s.width, s.channels);
    Windows windows = windows_of(at.line, at.column, s);
    Pack<real, V> sum = {};
    for (index_t row = windows.first_row; row < windows.last_row; ++row)
      for (index_t column = windows.first_column; column < windows.last_column; ++column) {
        real share = share_of(row, column, s);
        Pack<real, V> g =
            load<V>(dy + ((at.image * s.rows + row) * s.columns + column) * s.channels + at.channel);
        for (int v = 0; v < V; ++v) sum.at[v] += g.at[v] * share;
      }
    store<V>(dx + i * V, sum);
  }
}

// count: items of y forward, of x backward; kept: of y's items, or nothing.

extern "C" __global__ void maximum(const real* x, real* y, unsigned char* kept, real lowest, index_t count,
                                   index_t height, index_t width, index_t channels, index_t rows, index_t columns,
                                   int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  if (channels % 4 == 0) find_maxima<unsigned char, 4>(x, y, kept, s, lowest, count);
  else find_maxima<unsigned char, 1>(x, y, kept, s, lowest, count);
}

extern "C" __global__ void maximum_and_place(const real* x, real* y, index_t* kept, real lowest, index_t count,
                                             index_t height, index_t width, index_t channels, index_t rows,
                                             index_t columns, int kernel_h, int kernel_w, int stride_h, int stride_w,
                                             int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  if (channels % 4 == 0) find_maxima<index_t, 4>(x, y, kept, s, lowest, count);
  else find_maxima<index_t, 1>(x, y, kept, s, lowest, count);
}

// To the cells that were taken, by a maximum or a draw.
extern "C" __global__ void to_cell(const real* dy, real* dx, const unsigned char* kept, index_t count,
                                      index_t height, index_t width, index_t channels, index_t rows, index_t columns,
                                      int kernel_h, int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  if (channels % 4 == 0) gather_cells<unsigned char, 4>(dy, dx, kept, s, count);
  else gather_cells<unsigned char, 1>(dy, dx, kept, s, count);
}

extern "C" __global__ void to_place(const real* dy, real* dx, const index_t* kept, index_t count, index_t height,
                                    index_t width, index_t channels, index_t rows, index_t columns, int kernel_h,
                                    int kernel_w, int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  if (channels % 4 == 0) gather_cells<index_t, 4>(dy, dx, kept, s, count);
  else gather_cells<index_t, 1>(dy, dx, kept, s, count);
}

extern "C" __global__ void average(const real* x, real* y, index_t count, index_t height, index_t width,
                                   index_t channels, index_t rows, index_t columns, int kernel_h, int kernel_w,
                                   int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  if (channels % 4 == 0) find_averages<4>(x, y, s, count);
  else find_averages<1>(x, y, s, count);
}

extern "C" __global__ void to_average(const real* dy, real* dx, index_t count, index_t height, index_t width,
                                      index_t channels, index_t rows, index_t columns, int kernel_h, int kernel_w,
                                      int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  if (channels % 4 == 0) gather_averages<4>(dy, dx, s, count);
  else gather_averages<1>(dy, dx, s, count);
}
