// Convolutions as products over the windows of an image, which are read where they lie: nothing is unrolled into
// memory. Lanes are blockIdx.z; `..._lane` is the floats from lane to lane. Images are channels-last, pixels whole
// vectors, but for the records as they are gathered, whose pixels follow each other (`dense`).
#include "product.cuh"

// A convolution's shape; see `ConvShape`. Zeros surround the image.
struct Windows {
  u32 records;
  u32 height, width, pixel, record;
  u32 stride_y, stride_x;
  u32 padding_y, padding_x;
  // Pixels of an output, pixels of its lines, numbers of an input pixel, taps of a line.
  Divisor of_output, of_line, of_pixel, of_taps;
  u32 taps, output_pitch;

  __device__ __forceinline__ u32 outputs() const {
    return records * of_output.by;
  }

  // Numbers of a window.
  __device__ __forceinline__ u32 size() const {
    return taps * of_pixel.by;
  }

  __device__ __forceinline__ const float* inside(const float* image, int y, int x) const {
    const bool is = static_cast<u32>(y) < height && static_cast<u32>(x) < width;
    return is ? image + (static_cast<u32>(y) * width + static_cast<u32>(x)) * pixel : nullptr;
  }
};

// Windows by rows: the inner index is that of a window's numbers, (ky, kx, channel).
struct ByWindow {
  static constexpr bool ALONG_DEPTH = true;
  struct Place {
    const float* image;
    int y, x;
  };
  Windows of;
  const float* from;

  __device__ __forceinline__ Place place(u32 window) const {
    if (window >= of.outputs()) {
      return {nullptr, 0, 0};
    }
    u32 rest, x;
    const u32 record = of.of_output.split(window, rest);
    const u32 y = of.of_line.split(rest, x);
    return {from + static_cast<u64>(record) * of.record, static_cast<int>(y * of.stride_y) - static_cast<int>(of.padding_y),
            static_cast<int>(x * of.stride_x) - static_cast<int>(of.padding_x)};
  }

  __device__ __forceinline__ const float* pixel_of(const Place& place, u32 k, u32& channel) const {
    u32 kx;
    const u32 ky = of.of_taps.split(of.of_pixel.split(k, channel), kx);
    return of.inside(place.image, place.y + static_cast<int>(ky), place.x + static_cast<int>(kx));
  }

  // A quad lies within one pixel.
  __device__ __forceinline__ float4 at(const Place& place, u32 k) const {
    if (!place.image || k >= of.size()) {
      return zeros();
    }
    u32 channel;
    const float* pixel = pixel_of(place, k, channel);
    return pixel ? quad_at(pixel + channel) : zeros();
  }
};

// The same where pixels follow each other, so that a quad may go over several and is not aligned.
struct ByDenseWindow : ByWindow {
  __device__ __forceinline__ float one(const Place& place, u32 k) const {
    if (!place.image || k >= of.size()) {
      return 0.0f;
    }
    u32 channel;
    const float* pixel = pixel_of(place, k, channel);
    return pixel ? pixel[channel] : 0.0f;
  }

  __device__ __forceinline__ float4 at(const Place& place, u32 k) const {
    return make_float4(one(place, k), one(place, k + 1), one(place, k + 2), one(place, k + 3));
  }
};

// Windows by columns: the inner index is that of the windows, (record, y, x).
struct ByTap {
  static constexpr bool ALONG_DEPTH = false;
  struct Place {
    bool is;
    u32 channel;
    int y, x;
  };
  Windows of;
  const float* from;

  __device__ __forceinline__ Place place(u32 number) const {
    if (number >= of.size()) {
      return {false, 0, 0, 0};
    }
    u32 channel, kx;
    const u32 ky = of.of_taps.split(of.of_pixel.split(number, channel), kx);
    return {true, channel, static_cast<int>(ky) - static_cast<int>(of.padding_y),
            static_cast<int>(kx) - static_cast<int>(of.padding_x)};
  }

  __device__ __forceinline__ const float* pixel_of(const Place& place, u32 window) const {
    if (!place.is || window >= of.outputs()) {
      return nullptr;
    }
    u32 rest, x;
    const u32 record = of.of_output.split(window, rest);
    const u32 y = of.of_line.split(rest, x);
    return of.inside(from + static_cast<u64>(record) * of.record, static_cast<int>(y * of.stride_y) + place.y,
                     static_cast<int>(x * of.stride_x) + place.x);
  }

  __device__ __forceinline__ float4 at(const Place& place, u32 window) const {
    const float* pixel = pixel_of(place, window);
    return pixel ? quad_at(pixel + place.channel) : zeros();
  }
};

// The same where pixels follow each other.
struct ByDenseTap : ByTap {
  typedef u32 Place;

  __device__ __forceinline__ Place place(u32 number) const {
    return number;
  }

  __device__ __forceinline__ float one(u32 number, u32 window) const {
    const ByTap::Place place = ByTap::place(number);
    const float* pixel = pixel_of(place, window);
    return pixel ? pixel[place.channel] : 0.0f;
  }

  __device__ __forceinline__ float4 at(u32 number, u32 window) const {
    return make_float4(one(number, window), one(number + 1, window), one(number + 2, window),
                       one(number + 3, window));
  }
};

// output = act(conv(input, W) + b + skip): windows times [taps][channels][outputs].
template <class T, class Left>
__device__ __forceinline__ void conv_forward(const Windows& windows, u32 relus, const float* input, u64 input_lane,
                                             const float* weight, const float* bias, u64 parameter_lane,
                                             const float* skip, u64 skip_lane, float* output, u64 output_lane) {
  const u64 lane = blockIdx.z;
  Left left;
  left.of = windows;
  left.from = input + lane * input_lane;
  const u32 pitch = windows.output_pitch, depth = windows.size();
  const AcrossDepth right = {weight + lane * parameter_lane, pitch, pitch, depth};
  const Outputs ends = {bias ? bias + lane * parameter_lane : nullptr, skip ? skip + lane * skip_lane : nullptr,
                        output + lane * output_lane, pitch, relus};
  product<T>(left, right, ends, NoSums(), windows.outputs(), pitch, depth);
}

// d_weight (+)= the sum over windows of input times d_output, d_bias (+)= that of d_output, where there is one.
template <class T, class Left>
__device__ __forceinline__ void conv_backward_weight(const Windows& windows, u32 add, const float* input,
                                                     u64 input_lane, const float* d_output, u64 d_output_lane,
                                                     float* d_weight, float* d_bias, u64 parameter_lane) {
  const u64 lane = blockIdx.z;
  Left left;
  left.of = windows;
  left.from = input + lane * input_lane;
  const u32 pitch = windows.output_pitch, depth = windows.outputs();
  const AcrossDepth right = {d_output + lane * d_output_lane, pitch, pitch, depth};
  const Gradients ends = {d_weight + lane * parameter_lane, pitch, add};
  const ColumnSums sums = {d_bias ? d_bias + lane * parameter_lane : nullptr, add != 0};
  product<T>(left, right, ends, sums, windows.size(), pitch, depth);
}

// The pixels of the input's gradient that leave the same remainders by the strides: a convolution of stride 1 by
// their own taps, turned. Along one axis, input pixel start + stride j gets from output pixel output + j - t over tap
// tap + stride t.
struct Phase {
  u32 records;
  u32 width, input_pitch, input_record;
  u32 output_height, output_width, output_record;
  u32 stride_y, stride_x;
  u32 start_y, start_x;
  u32 output_y, output_x;
  u32 tap_y, tap_x;
  u32 taps_y, kernel_x;
  // Pixels of the phase, of its lines, numbers of an output pixel, taps of a line.
  Divisor of_phase, of_line, of_output, of_taps;

  __device__ __forceinline__ u32 rows() const {
    return records * of_phase.by;
  }

  __device__ __forceinline__ u32 depth() const {
    return taps_y * of_taps.by * of_output.by;
  }
};

// Gradients of the output under the taps of an input pixel, from the last tap to the first; zeros around them.
struct UnderTaps {
  static constexpr bool ALONG_DEPTH = true;
  struct Place {
    const float* image;
    int y, x;
  };
  Phase of;
  const float* from;

  __device__ __forceinline__ Place place(u32 row) const {
    if (row >= of.rows()) {
      return {nullptr, 0, 0};
    }
    u32 rest, x;
    const u32 record = of.of_phase.split(row, rest);
    const u32 y = of.of_line.split(rest, x);
    return {from + static_cast<u64>(record) * of.output_record,
            static_cast<int>(of.output_y + y) - static_cast<int>(of.taps_y - 1),
            static_cast<int>(of.output_x + x) - static_cast<int>(of.of_taps.by - 1)};
  }

  __device__ __forceinline__ float4 at(const Place& place, u32 k) const {
    if (!place.image || k >= of.depth()) {
      return zeros();
    }
    u32 channel, kx;
    const u32 ky = of.of_taps.split(of.of_output.split(k, channel), kx);
    const u32 y = static_cast<u32>(place.y + static_cast<int>(ky)), x = static_cast<u32>(place.x + static_cast<int>(kx));
    const bool inside = y < of.output_height && x < of.output_width;
    return inside ? quad_at(place.image + (y * of.output_width + x) * of.of_output.by + channel) : zeros();
  }
};

// The kernel, turned: from the last tap to the first, output channels of an input channel.
struct Turned {
  static constexpr bool ALONG_DEPTH = true;
  typedef const float* Place;
  Phase of;
  const float* from;

  __device__ __forceinline__ Place place(u32 channel) const {
    return channel < of.input_pitch ? from + static_cast<u64>(channel) * of.of_output.by : nullptr;
  }

  __device__ __forceinline__ float4 at(Place weight, u32 k) const {
    if (!weight || k >= of.depth()) {
      return zeros();
    }
    u32 channel, kx;
    const u32 ky = of.of_taps.split(of.of_output.split(k, channel), kx);
    const u32 tap_y = of.tap_y + of.stride_y * (of.taps_y - 1 - ky);
    const u32 tap_x = of.tap_x + of.stride_x * (of.of_taps.by - 1 - kx);
    const u64 tap = static_cast<u64>(tap_y) * of.kernel_x + tap_x;
    return quad_at(weight + tap * of.input_pitch * of.of_output.by + channel);
  }
};

struct PhasePixels {
  Phase of;
  const float* input;
  float* to;
  u32 add;
  u32 through;

  __device__ __forceinline__ u64 offset(u32 row, u32 column) const {
    u32 rest, x;
    const u32 record = of.of_phase.split(row, rest);
    const u32 y = of.of_line.split(rest, x);
    const u32 pixel = (of.start_y + of.stride_y * y) * of.width + of.start_x + of.stride_x * x;
    return static_cast<u64>(record) * of.input_record + pixel * of.input_pitch + column;
  }

  __device__ __forceinline__ float4 start(u32 row, u32 column) const {
    return add ? quad_at(to + offset(row, column)) : zeros();
  }

  __device__ __forceinline__ void finish(u32 row, u32 column, float4 sums) const {
    const u64 at = offset(row, column);
    put_quad(to + at, through ? taken_back(sums, input + at) : sums);
  }
};

// d_input = act'(input) ((d_input) + conv^T(d_output, W)), one phase of it.
template <class T>
__device__ __forceinline__ void conv_backward_data(const Phase& phase, u32 add, u32 through, const float* d_output,
                                                   u64 d_output_lane, const float* weight, u64 parameter_lane,
                                                   const float* input, u64 input_lane, float* d_input,
                                                   u64 d_input_lane) {
  const u64 lane = blockIdx.z;
  const UnderTaps left = {phase, d_output + lane * d_output_lane};
  const Turned right = {phase, weight + lane * parameter_lane};
  const PhasePixels ends = {phase, input + lane * input_lane, d_input + lane * d_input_lane, add, through};
  product<T>(left, right, ends, NoSums(), phase.rows(), phase.input_pitch, phase.depth());
}

// Four blocks at once leave each thread the registers of its places and sums; asked for more, the compiler spills.
#define CONV_FORWARD(NAME, TILE, LEFT)                                                                               \
  extern "C" __global__ void __launch_bounds__(TILE::THREADS, 4)                                                     \
      NAME(Windows windows, u32 relus, const float* input, u64 input_lane, const float* weight, const float* bias,   \
           u64 parameter_lane, const float* skip, u64 skip_lane, float* output, u64 output_lane) {                   \
    conv_forward<TILE, LEFT>(windows, relus, input, input_lane, weight, bias, parameter_lane, skip, skip_lane,       \
                             output, output_lane);                                                                   \
  }
CONV_FORWARD(conv_forward_wide, Wide, ByWindow)
CONV_FORWARD(conv_forward_half, Half, ByWindow)
CONV_FORWARD(conv_forward_thin, Thin, ByWindow)
CONV_FORWARD(conv_forward_dense_wide, Wide, ByDenseWindow)
CONV_FORWARD(conv_forward_dense_half, Half, ByDenseWindow)
CONV_FORWARD(conv_forward_dense_thin, Thin, ByDenseWindow)

#define CONV_BACKWARD_WEIGHT(NAME, TILE, LEFT)                                                                       \
  extern "C" __global__ void __launch_bounds__(TILE::THREADS)                                                        \
      NAME(Windows windows, u32 add, const float* input, u64 input_lane, const float* d_output, u64 d_output_lane,   \
           float* d_weight, float* d_bias, u64 parameter_lane) {                                                     \
    conv_backward_weight<TILE, LEFT>(windows, add, input, input_lane, d_output, d_output_lane, d_weight, d_bias,     \
                                     parameter_lane);                                                                \
  }
CONV_BACKWARD_WEIGHT(conv_backward_weight_wide, Wide, ByTap)
CONV_BACKWARD_WEIGHT(conv_backward_weight_half, LowHalf, ByTap)
CONV_BACKWARD_WEIGHT(conv_backward_weight_thin, LowThin, ByTap)
CONV_BACKWARD_WEIGHT(conv_backward_weight_dense_wide, Wide, ByDenseTap)
CONV_BACKWARD_WEIGHT(conv_backward_weight_dense_half, LowHalf, ByDenseTap)
CONV_BACKWARD_WEIGHT(conv_backward_weight_dense_thin, LowThin, ByDenseTap)

#define CONV_BACKWARD_DATA(NAME, TILE)                                                                               \
  extern "C" __global__ void __launch_bounds__(TILE::THREADS)                                                        \
      NAME(Phase phase, u32 add, u32 through, const float* d_output, u64 d_output_lane, const float* weight,         \
           u64 parameter_lane, const float* input, u64 input_lane, float* d_input, u64 d_input_lane) {               \
    conv_backward_data<TILE>(phase, add, through, d_output, d_output_lane, weight, parameter_lane, input,            \
                             input_lane, d_input, d_input_lane);                                                     \
  }
CONV_BACKWARD_DATA(conv_backward_data_wide, Wide)
CONV_BACKWARD_DATA(conv_backward_data_half, Half)
CONV_BACKWARD_DATA(conv_backward_data_thin, Thin)
