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
};

// One number of a window: its tap and channel; none where there is no such number.
struct Tap {
  bool is;
  u32 channel;
  int y, x;
};

__device__ __forceinline__ Tap tap_of(const Windows& of, u32 number) {
  u32 channel, kx;
  const u32 ky = of.of_taps.split(of.of_pixel.split(number, channel), kx);
  return {number < of.size(), channel, static_cast<int>(ky), static_cast<int>(kx)};
}

// The first pixel of a window, which may lie outside of the image; none where there is no such window.
struct Corner {
  const float* image;
  int y, x;
};

__device__ __forceinline__ Corner corner_of(const Windows& of, const float* from, u32 window) {
  if (window >= of.outputs()) {
    return {nullptr, 0, 0};
  }
  u32 rest, x;
  const u32 record = of.of_output.split(window, rest);
  const u32 y = of.of_line.split(rest, x);
  return {from + static_cast<u64>(record) * of.record,
          static_cast<int>(y * of.stride_y) - static_cast<int>(of.padding_y),
          static_cast<int>(x * of.stride_x) - static_cast<int>(of.padding_x)};
}

// The number of a window, if there is one and it is not a zero around the image.
__device__ __forceinline__ const float* number_at(const Windows& of, const Corner& corner, const Tap& tap) {
  const u32 y = static_cast<u32>(corner.y + tap.y), x = static_cast<u32>(corner.x + tap.x);
  const bool inside = corner.image && tap.is && y < of.height && x < of.width;
  return inside ? corner.image + (y * of.width + x) * of.pixel + tap.channel : nullptr;
}

// A quad lies within one pixel.
__device__ __forceinline__ float4 quad_of(const Windows& of, const Corner& corner, const Tap& tap) {
  const float* at = number_at(of, corner, tap);
  return at ? quad_at(at) : zeros();
}

__device__ __forceinline__ float one_of(const Windows& of, const Corner& corner, const Tap& tap) {
  const float* at = number_at(of, corner, tap);
  return at ? *at : 0.0f;
}

// Four neighbouring numbers of a window whose pixels follow each other: they may lie in several of them.
struct Taps {
  Tap each[4];
};

__device__ __forceinline__ float4 quad_of(const Windows& of, const Corner& corner, const Taps& taps) {
  return make_float4(one_of(of, corner, taps.each[0]), one_of(of, corner, taps.each[1]),
                     one_of(of, corner, taps.each[2]), one_of(of, corner, taps.each[3]));
}

// A quad of windows' numbers whose pixels are padded, `Tap`, or follow each other, `Taps`.
template <class Numbers> __device__ __forceinline__ Numbers numbers_of(const Windows& of, u32 number);

template <> __device__ __forceinline__ Tap numbers_of<Tap>(const Windows& of, u32 number) {
  return tap_of(of, number);
}

template <> __device__ __forceinline__ Taps numbers_of<Taps>(const Windows& of, u32 number) {
  return {{tap_of(of, number), tap_of(of, number + 1), tap_of(of, number + 2), tap_of(of, number + 3)}};
}

// Windows by rows: the inner index is that of a window's numbers, (ky, kx, channel).
template <class Numbers> struct ByWindow {
  static constexpr bool ALONG_DEPTH = true;
  typedef Corner Place;
  typedef Numbers Inner;
  Windows of;
  const float* from;

  __device__ __forceinline__ Place place(u32 window) const {
    return corner_of(of, from, window);
  }

  __device__ __forceinline__ Inner inner(u32 number) const {
    return numbers_of<Numbers>(of, number);
  }

  __device__ __forceinline__ float4 at(const Place& corner, const Inner& numbers) const {
    return quad_of(of, corner, numbers);
  }
};

// Windows by columns: the inner index is that of the windows, (record, y, x).
template <class Numbers> struct ByTap {
  static constexpr bool ALONG_DEPTH = false;
  typedef Numbers Place;
  typedef Corner Inner;
  Windows of;
  const float* from;

  __device__ __forceinline__ Place place(u32 number) const {
    return numbers_of<Numbers>(of, number);
  }

  __device__ __forceinline__ Inner inner(u32 window) const {
    return corner_of(of, from, window);
  }

  __device__ __forceinline__ float4 at(const Place& numbers, const Inner& corner) const {
    return quad_of(of, corner, numbers);
  }
};

// output = act(conv(input, W) + b + skip): windows times [taps][channels][outputs].
template <class T, class Left>
__device__ __forceinline__ void conv_forward(const Windows& windows, u32 relus, const float* input, u64 input_lane,
                                             const float* weight, const float* bias, u64 parameter_lane,
                                             const float* skip, u64 skip_lane, float* output, u64 output_lane) {
  const u64 lane = blockIdx.z;
  const Left left = {windows, input + lane * input_lane};
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
  const Left left = {windows, input + lane * input_lane};
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
  typedef Corner Place;
  typedef Tap Inner;
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

  __device__ __forceinline__ Inner inner(u32 k) const {
    u32 channel, kx;
    const u32 ky = of.of_taps.split(of.of_output.split(k, channel), kx);
    return {k < of.depth(), channel, static_cast<int>(ky), static_cast<int>(kx)};
  }

  __device__ __forceinline__ float4 at(const Place& corner, const Inner& tap) const {
    const u32 y = static_cast<u32>(corner.y + tap.y), x = static_cast<u32>(corner.x + tap.x);
    const bool inside = corner.image && tap.is && y < of.output_height && x < of.output_width;
    return inside ? quad_at(corner.image + (y * of.output_width + x) * of.of_output.by + tap.channel) : zeros();
  }
};

// The kernel, turned: from the last tap to the first, output channels of an input channel.
struct Turned {
  static constexpr bool ALONG_DEPTH = true;
  typedef const float* Place;
  // Where the tap's weights start, and whether there is such a number.
  struct Inner {
    bool is;
    u64 offset;
  };
  Phase of;
  const float* from;

  __device__ __forceinline__ Place place(u32 channel) const {
    return channel < of.input_pitch ? from + static_cast<u64>(channel) * of.of_output.by : nullptr;
  }

  __device__ __forceinline__ Inner inner(u32 k) const {
    u32 channel, kx;
    const u32 ky = of.of_taps.split(of.of_output.split(k, channel), kx);
    const u32 tap_y = of.tap_y + of.stride_y * (of.taps_y - 1 - ky);
    const u32 tap_x = of.tap_x + of.stride_x * (of.of_taps.by - 1 - kx);
    const u64 tap = static_cast<u64>(tap_y) * of.kernel_x + tap_x;
    return {k < of.depth(), tap * of.input_pitch * of.of_output.by + channel};
  }

  __device__ __forceinline__ float4 at(Place weight, const Inner& inner) const {
    return weight && inner.is ? quad_at(weight + inner.offset) : zeros();
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
CONV_FORWARD(conv_forward_wide, Wide, ByWindow<Tap>)
CONV_FORWARD(conv_forward_half, Half, ByWindow<Tap>)
CONV_FORWARD(conv_forward_thin, Thin, ByWindow<Tap>)
CONV_FORWARD(conv_forward_dense_wide, Wide, ByWindow<Taps>)
CONV_FORWARD(conv_forward_dense_half, Half, ByWindow<Taps>)
CONV_FORWARD(conv_forward_dense_thin, Thin, ByWindow<Taps>)

#define CONV_BACKWARD_WEIGHT(NAME, TILE, LEFT)                                                                       \
  extern "C" __global__ void __launch_bounds__(TILE::THREADS)                                                        \
      NAME(Windows windows, u32 add, const float* input, u64 input_lane, const float* d_output, u64 d_output_lane,   \
           float* d_weight, float* d_bias, u64 parameter_lane) {                                                     \
    conv_backward_weight<TILE, LEFT>(windows, add, input, input_lane, d_output, d_output_lane, d_weight, d_bias,     \
                                     parameter_lane);                                                                \
  }
CONV_BACKWARD_WEIGHT(conv_backward_weight_wide, Wide, ByTap<Tap>)
CONV_BACKWARD_WEIGHT(conv_backward_weight_half, LowHalf, ByTap<Tap>)
CONV_BACKWARD_WEIGHT(conv_backward_weight_thin, LowThin, ByTap<Tap>)
CONV_BACKWARD_WEIGHT(conv_backward_weight_dense_wide, Wide, ByTap<Taps>)
CONV_BACKWARD_WEIGHT(conv_backward_weight_dense_half, LowHalf, ByTap<Taps>)
CONV_BACKWARD_WEIGHT(conv_backward_weight_dense_thin, LowThin, ByTap<Taps>)

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
