// Pooling by one cell of each window, drawn in proportion to its value, and by the mean of such draws.  Which cell it
// was is kept as that of a maximum is, so that the gradients of draws are in pool.cu.

#include "grid.cuh"
#include "packs.cuh"
#include "philox.cuh"
#include "windows.cuh"

// 1 - u of the draw for an item, counted in Caffe's order; u in [0, 1).
__device__ __forceinline__ real share_of(index_t number, unsigned long long major, const unsigned long long* keys) {
  Words words = philox((unsigned long long)number / 4, major, keys);
  unsigned long long low = number & 1 ? words.at[1] : words.at[0], high = number & 1 ? words.at[3] : words.at[2];
  return (real)(1 - (double)((number & 2 ? high : low) >> 11) * 0x1p-53);
}

// kept: which cell, as pool.cu says
template <class T>
__device__ __forceinline__ void draw_cells(const real* x, real* y, T* kept, const unsigned long long* keys,
                                           unsigned long long major, const Sizes& s, index_t count) {
  index_t pitch = pitch_of<T>(s);
  ITEMS(i, count) {
    Pixel at = pixel_of<1>(i, s.rows, s.columns, s.channels);
    Window window = window_of(at.line, at.column, s);
    const real* image = x + at.image * s.height * s.width * s.channels + at.channel;
    real total = 0;
    for (index_t h = window.first_h; h < window.last_h; ++h)
      for (index_t w = window.first_w; w < window.last_w; ++w) total += image[(h * s.width + w) * s.channels];
    index_t number = ((at.image * s.channels + at.channel) * s.rows + at.line) * s.columns + at.column;
    real least = total * share_of(number, major, keys), running = 0, taken = 0;
    T which = (T)-1;
    bool found = false;  // whoever finds none keeps the last
    index_t origin = origin_of<T>(window.top, window.left, s);
    for (index_t h = window.first_h; h < window.last_h && !found; ++h)
      for (index_t w = window.first_w; w < window.last_w && !found; ++w) {
        taken = image[(h * s.width + w) * s.channels];
        which = (T)(h * pitch + w - origin);
        running += taken;
        found = running >= least;
      }
    y[i] = taken;
    kept[i] = which;
  }
}

extern "C" __global__ void draw(const real* x, real* y, unsigned char* kept, const unsigned long long* keys,
                                const unsigned long long* major, index_t count, index_t height, index_t width,
                                index_t channels, index_t rows, index_t columns, int kernel_h, int kernel_w,
                                int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  draw_cells(x, y, kept, keys, *major, s, count);
}

extern "C" __global__ void draw_place(const real* x, real* y, index_t* kept, const unsigned long long* keys,
                                      const unsigned long long* major, index_t count, index_t height, index_t width,
                                      index_t channels, index_t rows, index_t columns, int kernel_h, int kernel_w,
                                      int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  draw_cells(x, y, kept, keys, *major, s, count);
}

// y = sum(x ** 2) / sum(x), or 0 where the sum is not above 0; the sums stay in `totals`.
extern "C" __global__ void mean(const real* x, real* y, real* totals, index_t count, index_t height, index_t width,
                                index_t channels, index_t rows, index_t columns, int kernel_h, int kernel_w,
                                int stride_h, int stride_w, int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  ITEMS(i, count) {
    Pixel at = pixel_of<1>(i, s.rows, s.columns, s.channels);
    Window window = window_of(at.line, at.column, s);
    const real* image = x + at.image * s.height * s.width * s.channels + at.channel;
    real total = 0, squares = 0;
    for (index_t h = window.first_h; h < window.last_h; ++h)
      for (index_t w = window.first_w; w < window.last_w; ++w) {
        real now = image[(h * s.width + w) * s.channels];
        total += now;
        squares += now * now;
      }
    totals[i] = total;
    y[i] = total > 0 ? squares / total : (real)0;
  }
}

// dx = sum(dy * (2 x - y) / total) over the windows that x is in.
extern "C" __global__ void mean_gradient(const real* x, const real* y, const real* dy, real* dx, const real* totals,
                                         index_t count, index_t height, index_t width, index_t channels, index_t rows,
                                         index_t columns, int kernel_h, int kernel_w, int stride_h, int stride_w,
                                         int pad_h, int pad_w) {
  Sizes s = {height, width, channels, rows, columns, kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w};
  ITEMS(i, count) {
    Pixel at = pixel_of<1>(i, s.height, s.width, s.channels);
    Windows windows = windows_of(at.line, at.column, s);
    real sum = 0;
    for (index_t row = windows.first_row; row < windows.last_row; ++row)
      for (index_t column = windows.first_column; column < windows.last_column; ++column) {
        index_t from = ((at.image * s.rows + row) * s.columns + column) * s.channels + at.channel;
        real total = totals[from];
        if (total > 0) sum += dy[from] / total * (2 * x[i] - y[from]);
      }
    dx[i] = sum;
  }
}
