// The windows of channels-last images, and the cells that they have.

struct Sizes {
  index_t height, width, channels, rows, columns;  // of x, and of y
  int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w;
};

// A pixel of `line` x `column` in images of some size, and its first channel.
struct Pixel {
  index_t image, line, column, channel;
};

template <int V> __device__ __forceinline__ Pixel pixel_of(index_t i, index_t height, index_t width, index_t channels) {
  index_t packs = channels / V, pixel = i / packs, line = pixel / width, image = line / height;
  return {image, line - image * height, pixel - line * width, (i - pixel * packs) * V};
}

// The cells of a window that are in the image.
struct Window {
  index_t top, left, first_h, last_h, first_w, last_w;
};

__device__ __forceinline__ Window window_of(index_t row, index_t column, const Sizes& s) {
  index_t top = row * s.stride_h - s.pad_h, left = column * s.stride_w - s.pad_w;
  return {top,  left, max(top, (index_t)0), min(top + s.kernel_h, s.height),
          max(left, (index_t)0), min(left + s.kernel_w, s.width)};
}

// The windows that a cell is in.
struct Windows {
  index_t first_row, last_row, first_column, last_column;
};

__device__ __forceinline__ Windows windows_of(index_t h, index_t w, const Sizes& s) {
  h += s.pad_h, w += s.pad_w;
  return {h < s.kernel_h ? 0 : (h - s.kernel_h) / s.stride_h + 1, min(h / s.stride_h + 1, s.rows),
          w < s.kernel_w ? 0 : (w - s.kernel_w) / s.stride_w + 1, min(w / s.stride_w + 1, s.columns)};
}

// Where the cells of the window at (top, left) count from: cell (h, w) is h * pitch + w - origin.
template <class T> __device__ __forceinline__ index_t pitch_of(const Sizes& s) {
  return sizeof(T) == 1 ? s.kernel_w : s.width;
}
template <class T> __device__ __forceinline__ index_t origin_of(index_t top, index_t left, const Sizes& s) {
  return sizeof(T) == 1 ? top * s.kernel_w + left : 0;
}
