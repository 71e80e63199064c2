// Group normalisation; a block does one record of one lane. Sums over pixels are taken channel by channel in four
// turns, pixel p in turn p mod 4, then (0 + 1) + (2 + 3); sums over the channels of a group in their order.
#include "base.cuh"

constexpr u32 TURNS = 4;
constexpr u32 MOST_GROUPS = 16;
// Channels that are worked on together at most; more go in several rounds. A block has TURNS threads for each.
constexpr u32 ROUND = 64;
constexpr u32 NORM_THREADS = ROUND * TURNS;

struct NormOf {
  u32 pixels, channels, pitch, groups, kept_pitch;
};

// Sums over pixels of two values of every channel of a round, in turns; `values(pixel, channel, a, b)` adds to them.
template <class F>
__device__ __forceinline__ void sums_over_pixels(u32 pixels, u32 channel, bool is, float (*turns)[TURNS][ROUND],
                                                 const F& values) {
  const u32 round = blockDim.x / TURNS, turn = threadIdx.x / round, column = threadIdx.x % round;
  float a = 0.0f, b = 0.0f;
  if (is) {
    for (u32 pixel = turn; pixel < pixels; pixel += TURNS) {
      values(pixel, channel, a, b);
    }
  }
  turns[0][turn][column] = a;
  turns[1][turn][column] = b;
  __syncthreads();
}

__device__ __forceinline__ float turned(const float (*turns)[ROUND], u32 column) {
  return (turns[0][column] + turns[1][column]) + (turns[2][column] + turns[3][column]);
}

// output = act((input - mean) / sqrt(variance + 1e-5) gamma + beta + skip); keeps mean and root by group. `sums` is
// room for two numbers a channel of every block.
extern "C" __global__ void __launch_bounds__(NORM_THREADS)
    group_norm_forward(NormOf of, u32 relus, const float* gamma, const float* beta, u64 parameter_lane,
                       const float* input, u64 input_lane, const float* skip, u64 skip_lane, float* kept,
                       u64 kept_lane, float* output, u64 output_lane, float* sums, u64 sums_lane) {
  __shared__ float turns[2][TURNS][ROUND];
  __shared__ float means[MOST_GROUPS], roots[MOST_GROUPS];
  const u32 round = blockDim.x / TURNS;
  const u64 lane = blockIdx.z, record = blockIdx.x;
  const u64 size = static_cast<u64>(of.pixels) * of.pitch;
  const float* x = input + lane * input_lane + record * size;
  float* plain = sums + lane * sums_lane + record * 2 * of.pitch;
  float* squares = plain + of.pitch;
  // About the first pixel, so that squares lose nothing.
  for (u32 first = 0; first < of.channels; first += round) {
    const u32 channel = first + threadIdx.x % round;
    const bool is = channel < of.channels;
    const float pivot = is ? x[channel] : 0.0f;
    sums_over_pixels(of.pixels, channel, is, turns, [&](u32 pixel, u32 channel, float& a, float& b) {
      const float off = x[static_cast<u64>(pixel) * of.pitch + channel] - pivot;
      a += off;
      b = fmaf(off, off, b);
    });
    if (threadIdx.x < round && is) {
      plain[channel] = turned(turns[0], threadIdx.x);
      squares[channel] = turned(turns[1], threadIdx.x);
    }
    __syncthreads();
  }
  const u32 wide = of.channels / of.groups;
  const float count = static_cast<float>(of.pixels * wide), pixels = static_cast<float>(of.pixels);
  if (threadIdx.x < of.groups) {
    const u32 start = threadIdx.x * wide;
    float whole = 0.0f;
    for (u32 channel = start; channel < start + wide; ++channel) {
      whole += fmaf(x[channel], pixels, plain[channel]);
    }
    const float mean = whole / count;
    float spread = 0.0f;
    for (u32 channel = start; channel < start + wide; ++channel) {
      const float off = mean - x[channel];
      spread += fmaf(off, fmaf(off, pixels, -2.0f * plain[channel]), squares[channel]);
    }
    const float variance = spread / count;
    const float root = 1.0f / sqrtf((variance < 0.0f ? 0.0f : variance) + 1e-5f);
    means[threadIdx.x] = mean;
    roots[threadIdx.x] = root;
    float* to = kept + lane * kept_lane + record * of.kept_pitch;
    to[threadIdx.x] = mean;
    to[of.groups + threadIdx.x] = root;
  }
  __syncthreads();
  const float* skips = skip ? skip + lane * skip_lane + record * size : nullptr;
  float* y = output + lane * output_lane + record * size;
  for (u32 first = 0; first < of.pitch; first += round) {
    const u32 channel = first + threadIdx.x % round;
    if (channel >= of.pitch) {
      continue;
    }
    float scale = 0.0f, shift = 0.0f;
    if (channel < of.channels) {
      const u32 group = channel / wide;
      scale = roots[group] * gamma[lane * parameter_lane + channel];
      shift = fmaf(-means[group], scale, beta[lane * parameter_lane + channel]);
    }
    for (u32 pixel = threadIdx.x / round; pixel < of.pixels; pixel += TURNS) {
      const u64 at = static_cast<u64>(pixel) * of.pitch + channel;
      float value = fmaf(x[at], scale, shift);
      if (skips) {
        value = value + skips[at];
      }
      y[at] = relus ? relu(value) : value;
    }
  }
}

// The input's gradient, root (gamma d - mean(gamma d) - n mean(gamma d n)) with the normalised input n, if it is
// wanted; and for the parameters' gradients the record's sums of d and of d (x - mean), by channel.
extern "C" __global__ void __launch_bounds__(NORM_THREADS)
    group_norm_backward(NormOf of, u32 add, u32 through, const float* gamma, u64 parameter_lane, const float* input,
                        u64 input_lane, const float* kept, u64 kept_lane, const float* d_output, u64 d_output_lane,
                        float* d_input, u64 d_input_lane, float* sums, u64 sums_lane) {
  __shared__ float turns[2][TURNS][ROUND];
  __shared__ float slopes[MOST_GROUPS], summands[MOST_GROUPS];
  const u32 round = blockDim.x / TURNS;
  const u64 lane = blockIdx.z, record = blockIdx.x;
  const u64 size = static_cast<u64>(of.pixels) * of.pitch;
  const float* x = input + lane * input_lane + record * size;
  const float* d = d_output + lane * d_output_lane + record * size;
  const float* means = kept + lane * kept_lane + record * of.kept_pitch;
  const float* roots = means + of.groups;
  float* plain = sums + lane * sums_lane + record * 2 * of.pitch;
  float* centred = plain + of.pitch;
  const u32 wide = of.channels / of.groups;
  for (u32 first = 0; first < of.channels; first += round) {
    const u32 channel = first + threadIdx.x % round;
    const bool is = channel < of.channels;
    const float mean = is ? means[channel / wide] : 0.0f;
    sums_over_pixels(of.pixels, channel, is, turns, [&](u32 pixel, u32 channel, float& a, float& b) {
      const u64 at = static_cast<u64>(pixel) * of.pitch + channel;
      a += d[at];
      b = fmaf(d[at], x[at] - mean, b);
    });
    if (threadIdx.x < round && is) {
      plain[channel] = turned(turns[0], threadIdx.x);
      centred[channel] = turned(turns[1], threadIdx.x);
    }
    __syncthreads();
  }
  if (!d_input) {
    return;
  }
  const float* factors = gamma + lane * parameter_lane;
  if (threadIdx.x < of.groups) {
    const u32 start = threadIdx.x * wide;
    const float count = static_cast<float>(of.pixels * wide), root = roots[threadIdx.x];
    float m1 = 0.0f, m2 = 0.0f;
    for (u32 channel = start; channel < start + wide; ++channel) {
      m1 += plain[channel] * factors[channel];
      m2 += centred[channel] * factors[channel];
    }
    m1 = m1 / count;
    // The root of the variance once in n, once in its derivative.
    m2 = m2 / count * root * root;
    slopes[threadIdx.x] = -(root * m2);
    summands[threadIdx.x] = root * fmaf(means[threadIdx.x], m2, -m1);
  }
  __syncthreads();
  float* to = d_input + lane * d_input_lane + record * size;
  for (u32 first = 0; first < of.pitch; first += round) {
    const u32 channel = first + threadIdx.x % round;
    if (channel >= of.pitch) {
      continue;
    }
    float a = 0.0f, b = 0.0f, c = 0.0f;
    if (channel < of.channels) {
      const u32 group = channel / wide;
      a = roots[group] * factors[channel];
      b = slopes[group];
      c = summands[group];
    }
    for (u32 pixel = threadIdx.x / round; pixel < of.pixels; pixel += TURNS) {
      const u64 at = static_cast<u64>(pixel) * of.pitch + channel;
      const float old = add ? to[at] : 0.0f;
      const float value = old + fmaf(d[at], a, fmaf(x[at], b, c));
      to[at] = !through || x[at] > 0.0f ? value : 0.0f;
    }
  }
}

// The gradients of gamma and beta: records in order. One thread a channel.
extern "C" __global__ void group_norm_parameters(NormOf of, u32 records, u32 add, const float* kept, u64 kept_lane,
                                                 const float* sums, u64 sums_lane, float* d_gamma, float* d_beta,
                                                 u64 parameter_lane) {
  const u64 lane = blockIdx.z;
  const u32 channel = blockIdx.x * blockDim.x + threadIdx.x;
  if (channel >= of.pitch) {
    return;
  }
  const u64 at = lane * parameter_lane + channel;
  float gamma = add ? d_gamma[at] : 0.0f, beta = add ? d_beta[at] : 0.0f;
  if (channel < of.channels) {
    const float* plain = sums + lane * sums_lane + channel;
    const float* root = kept + lane * kept_lane + of.groups + channel / (of.channels / of.groups);
#pragma unroll 8
    for (u32 record = 0; record < records; ++record) {
      const u64 row = static_cast<u64>(record) * 2 * of.pitch;
      gamma = fmaf(plain[row + of.pitch], root[static_cast<u64>(record) * of.kept_pitch], gamma);
      beta += plain[row];
    }
  }
  d_gamma[at] = gamma;
  d_beta[at] = beta;
}
