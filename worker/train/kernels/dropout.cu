// Numbers left out at random. A thread draws one counter's words, which are those of four units 16 apart among the 64
// that 16 counters make. Lanes are blockIdx.z, records blockIdx.y.
#include "base.cuh"

struct DropoutOf {
  u32 records, units, channels, pixel, record, layer, place;
};

// `factor(unit, factor)` for the four units of every counter of a record; units are numbered without padding.
template <class F>
__device__ __forceinline__ void draw(const DropoutOf& of, u32 record, float rate, uint2 key, const F& factor) {
  const u32 counters = (of.units + 63) / 64 * 16;
  const float stays = 1.0f / (1.0f - rate);
  for (u32 counter = blockIdx.x * blockDim.x + threadIdx.x; counter < counters; counter += gridDim.x * blockDim.x) {
    const uint4 words = philox(counter, of.layer, of.place + record, 0, key.x, key.y);
    const u32 unit = counter / 16 * 64 + counter % 16;
    const u32 each[4] = {words.x, words.y, words.z, words.w};
#pragma unroll
    for (u32 i = 0; i < 4; ++i) {
      if (unit + 16 * i < of.units) {
        factor(unit + 16 * i, uniform(each[i]) >= rate ? stays : 0.0f);
      }
    }
  }
}

// Sets what is between pixels to zero.
__device__ __forceinline__ void clear_padding(const DropoutOf& of, float* to) {
  const u32 padding = of.pixel - of.channels;
  const u32 count = of.units / of.channels * padding;
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < count; i += gridDim.x * blockDim.x) {
    to[i / padding * of.pixel + of.channels + i % padding] = 0.0f;
  }
}

extern "C" __global__ void dropout_forward(DropoutOf of, Divisor of_channels, float rate, const uint2* keys,
                                           const float* input, u64 input_lane, float* output, u64 output_lane) {
  const u64 lane = blockIdx.z;
  for (u32 record = blockIdx.y; record < of.records; record += gridDim.y) {
    const u64 at = static_cast<u64>(record) * of.record;
    const float* x = input + lane * input_lane + at;
    float* y = output + lane * output_lane + at;
    draw(of, record, rate, keys[lane], [&](u32 unit, float factor) {
      u32 channel;
      const u32 place = of_channels.split(unit, channel) * of.pixel + channel;
      y[place] = x[place] * factor;
    });
    clear_padding(of, y);
  }
}

extern "C" __global__ void dropout_backward(DropoutOf of, Divisor of_channels, float rate, const uint2* keys, u32 add,
                                            u32 through, const float* input, u64 input_lane, const float* d_output,
                                            u64 d_output_lane, float* d_input, u64 d_input_lane) {
  const u64 lane = blockIdx.z;
  for (u32 record = blockIdx.y; record < of.records; record += gridDim.y) {
    const u64 at = static_cast<u64>(record) * of.record;
    const float* x = input + lane * input_lane + at;
    const float* d = d_output + lane * d_output_lane + at;
    float* to = d_input + lane * d_input_lane + at;
    draw(of, record, rate, keys[lane], [&](u32 unit, float factor) {
      u32 channel;
      const u32 place = of_channels.split(unit, channel) * of.pixel + channel;
      const float value = (add ? to[place] : 0.0f) + d[place] * factor;
      to[place] = !through || x[place] > 0.0f ? value : 0.0f;
    });
    clear_padding(of, to);
  }
}
