// Pooling over pixels. Lanes are blockIdx.z.
#include "base.cuh"

struct Image {
  u32 records, height, width, pitch;
};

// The larger number; NaN if either is.
__device__ __forceinline__ float most(float a, float b) {
  return a >= b || a != a ? a : b;
}

// The maximum of every 2 x 2 pixels; a thread does one number of the output.
extern "C" __global__ void max_pool_forward(Image of, Divisor of_pixel, Divisor of_line, Divisor of_output,
                                            const float* input, u64 input_lane, float* output, u64 output_lane) {
  const u64 lane = blockIdx.z;
  const u32 line = of.width * of.pitch;
  const u64 size = static_cast<u64>(of.height) * line;
  const u32 count = of.records * of_output.by * of.pitch;
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    u32 channel, rest, x;
    const u32 record = of_output.split(of_pixel.split(i, channel), rest);
    const u32 y = of_line.split(rest, x);
    const float* from = input + lane * input_lane + record * size + 2 * y * line + 2 * x * of.pitch + channel;
    output[lane * output_lane + i] = most(most(from[0], from[of.pitch]), most(from[line], from[line + of.pitch]));
  }
}

// Gives each gradient to the first of its 2 x 2 pixels that is the maximum. A thread does one window, and the pixels
// beyond the last windows are windows of their own that have no gradient.
extern "C" __global__ void max_pool_backward(Image of, Divisor of_pixel, Divisor of_line, Divisor of_windows, u32 add,
                                             u32 through, const float* input, u64 input_lane, const float* d_output,
                                             u64 d_output_lane, float* d_input, u64 d_input_lane) {
  const u64 lane = blockIdx.z;
  const u32 line = of.width * of.pitch, height = of.height / 2, width = of.width / 2;
  const u64 size = static_cast<u64>(of.height) * line;
  const u32 count = of.records * of_windows.by * of.pitch;
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    u32 channel, rest, x;
    const u32 record = of_windows.split(of_pixel.split(i, channel), rest);
    const u32 y = of_line.split(rest, x);
    const u64 at = record * size + 2 * y * line + 2 * x * of.pitch + channel;
    float* to = d_input + lane * d_input_lane + at;
    if (y >= height || x >= width) {
      for (u32 dy = 0; dy < 2 && 2 * y + dy < of.height && !add; ++dy) {
        for (u32 dx = 0; dx < 2 && 2 * x + dx < of.width; ++dx) {
          to[dy * line + dx * of.pitch] = 0.0f;
        }
      }
      continue;
    }
    const float* from = input + lane * input_lane + at;
    const float a = from[0], b = from[of.pitch], c = from[line], e = from[line + of.pitch];
    const float best = most(most(a, b), most(c, e));
    const u64 output = ((static_cast<u64>(record) * height + y) * width + x) * of.pitch + channel;
    const float slope = d_output[lane * d_output_lane + output];
    const float d = through && best <= 0.0f ? 0.0f : slope;
    const bool first = a == best, second = !first && b == best, third = !first && !second && c == best;
    const bool fourth = !first && !second && !third;
    to[0] = (add ? to[0] : 0.0f) + (first ? d : 0.0f);
    to[of.pitch] = (add ? to[of.pitch] : 0.0f) + (second ? d : 0.0f);
    to[line] = (add ? to[line] : 0.0f) + (third ? d : 0.0f);
    to[line + of.pitch] = (add ? to[line + of.pitch] : 0.0f) + (fourth ? d : 0.0f);
  }
}

// The mean over all pixels, added in order; a thread does one number of the output.
extern "C" __global__ void mean_pool_forward(u32 records, u32 pixels, u32 pitch, Divisor of_pixel, const float* input,
                                             u64 input_lane, float* output, u64 output_lane) {
  const u64 lane = blockIdx.z;
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < records * pitch; i += gridDim.x * blockDim.x) {
    u32 channel;
    const u32 record = of_pixel.split(i, channel);
    const float* from = input + lane * input_lane + static_cast<u64>(record) * pixels * pitch + channel;
    float sum = 0.0f;
#pragma unroll 8
    for (u32 pixel = 0; pixel < pixels; ++pixel) {
      sum += from[static_cast<u64>(pixel) * pitch];
    }
    output[lane * output_lane + i] = sum / static_cast<float>(pixels);
  }
}

// Gives every pixel its share of the gradient; blockIdx.y is the record.
extern "C" __global__ void mean_pool_backward(u32 records, u32 pixels, u32 pitch, Divisor of_pixel, float share,
                                              u32 add, u32 through, const float* input, u64 input_lane,
                                              const float* d_output, u64 d_output_lane, float* d_input,
                                              u64 d_input_lane) {
  const u64 lane = blockIdx.z;
  const u32 size = pixels * pitch;
  for (u32 record = blockIdx.y; record < records; record += gridDim.y) {
    const float* x = input + lane * input_lane + static_cast<u64>(record) * size;
    const float* d = d_output + lane * d_output_lane + static_cast<u64>(record) * pitch;
    float* to = d_input + lane * d_input_lane + static_cast<u64>(record) * size;
    for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < size; i += gridDim.x * blockDim.x) {
      u32 channel;
      of_pixel.split(i, channel);
      const float value = fmaf(d[channel], share, add ? to[i] : 0.0f);
      to[i] = !through || x[i] > 0.0f ? value : 0.0f;
    }
  }
}
