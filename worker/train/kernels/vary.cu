// Varies gathered records in place; a block does one record of one lane, as the host does: turned, mirrored and
// moved, contrast and brightness, scale, noise, channels left out. What is drawn depends on the lane's key and the
// record's place alone.
#include "base.cuh"

constexpr u32 VARY_THREADS = 256;
// Draws for single numbers of the record start here; before it, one counter per kind of variation.
constexpr u32 NUMBERS = 16;

struct VaryOf {
  u32 records, height, width, channels, pitch, place;
  // What is varied: whether an image (which moves up and down, too), mirrored, and how far it moves.
  u32 image, flip, shift;
};

__device__ __forceinline__ float signed_of(u32 word) {
  return 2.0f * uniform(word) - 1.0f;
}

// Two standard normal numbers (Box and Muller 1958). The angle is drawn in eighths of a turn, so that what is left of
// it needs no reduction: sine and cosine are Cephes' polynomials (S. L. Moshier, sinf.c) on an eighth.
__device__ __forceinline__ float2 normals(u32 first, u32 second) {
  const float radius = sqrtf(-2.0f * logarithm(1.0f - uniform(first)));
  const float angle = static_cast<float>(second >> 8 & 0x1fffffu) * (1.0f / 2097152.0f) * 0.78539816339744830962f;
  const float square = angle * angle;
  float s = -1.9515296e-4f;
  s = fmaf(s, square, 8.332161e-3f);
  s = fmaf(s, square, -1.6666655e-1f);
  const float sine = fmaf(s * square, angle, angle);
  float c = 2.4433157e-5f;
  c = fmaf(c, square, -1.3887316e-3f);
  c = fmaf(c, square, 4.1666646e-2f);
  const float cosine = fmaf(c * square, square, fmaf(square, -0.5f, 1.0f));
  // The plane's eighths: sine and cosine change places in every other one, and their signs from quarter to quarter.
  const bool swapped = second >> 29 & 1u;
  const float x = swapped ? sine : cosine, y = swapped ? cosine : sine;
  return make_float2(radius * (second >> 30 & 1u ? -x : x), radius * (second >> 31 ? -y : y));
}

// The two places around `at` and their shares; places outside have none.
__device__ __forceinline__ void between(double at, u32 size, u32 (&places)[2], float (&shares)[2]) {
  const double below = floor(at);
  const float share = static_cast<float>(at - below);
  for (u32 i = 0; i < 2; ++i) {
    const double place = below + static_cast<double>(i);
    const bool inside = place >= 0.0 && place < static_cast<double>(size);
    places[i] = inside ? static_cast<u32>(place) : 0;
    shares[i] = inside ? (i ? share : 1.0f - share) : 0.0f;
  }
}

__device__ __forceinline__ void copy(u32 size, const float* from, float* to) {
  __syncthreads();
  for (u32 i = threadIdx.x; i < size; i += VARY_THREADS) {
    to[i] = from[i];
  }
  __syncthreads();
}

// Turns by an angle, of which sine and cosine are given.
__device__ __forceinline__ void turn(const VaryOf& of, double2 turned, float* record, float* scratch) {
  const u32 size = of.height * of.width * of.channels;
  copy(size, record, scratch);
  const double middle_y = (static_cast<double>(of.height) - 1.0) / 2.0;
  const double middle_x = (static_cast<double>(of.width) - 1.0) / 2.0;
  for (u32 pixel = threadIdx.x; pixel < of.height * of.width; pixel += VARY_THREADS) {
    const double down = static_cast<double>(pixel / of.width) - middle_y;
    const double right = static_cast<double>(pixel % of.width) - middle_x;
    u32 rows[2], columns[2];
    float of_rows[2], of_columns[2];
    between(turned.y * down + turned.x * right + middle_y, of.height, rows, of_rows);
    between(turned.y * right - turned.x * down + middle_x, of.width, columns, of_columns);
    for (u32 channel = 0; channel < of.channels; ++channel) {
      float sum = 0.0f;
      for (u32 i = 0; i < 2; ++i) {
        for (u32 j = 0; j < 2; ++j) {
          const float share = of_rows[i] * of_columns[j];
          sum += share * scratch[(rows[i] * of.width + columns[j]) * of.channels + channel];
        }
      }
      record[pixel * of.channels + channel] = sum;
    }
  }
}

// In -shift..=shift, each as probable as the others.
__device__ __forceinline__ int within(u32 word, u32 shift) {
  return static_cast<int>(__umulhi(word, 2 * shift + 1)) - static_cast<int>(shift);
}

// Mirrors left to right, then moves; zeros move in.
__device__ __forceinline__ void displace(const VaryOf& of, uint4 words, float* record, float* scratch) {
  const u32 size = of.height * of.width * of.channels;
  copy(size, record, scratch);
  const bool mirror = of.flip && words.x >> 31 == 1;
  const int down = of.image ? within(words.y, of.shift) : 0, right = within(words.z, of.shift);
  const int height = static_cast<int>(of.height), width = static_cast<int>(of.width);
  for (u32 i = threadIdx.x; i < size; i += VARY_THREADS) {
    const u32 pixel = i / of.channels;
    const int y = static_cast<int>(pixel / of.width) - down, moved = static_cast<int>(pixel % of.width) - right;
    const int x = mirror ? width - 1 - moved : moved;
    const bool inside = y >= 0 && y < height && x >= 0 && x < width;
    record[i] = inside ? scratch[static_cast<u32>(y * width + x) * of.channels + i % of.channels] : 0.0f;
  }
}

// One block of a multiprocessor at least, so that no register is spilled. `turned` are sines and cosines, `[lanes][records]`, or null; `scratch` is laid out like `inputs`.
extern "C" __global__ void __launch_bounds__(VARY_THREADS, 1)
    vary(VaryOf of, float contrast, float brightness, float scale, float noise, float drop, const uint2* keys,
         const double2* turned, float* inputs, float* scratch, u64 inputs_lane) {
  __shared__ float mean;
  const u64 lane = blockIdx.z;
  const u32 at = blockIdx.x;
  const u32 place = of.place + at, size = of.height * of.width * of.channels;
  const uint2 key = keys[lane];
  const u64 offset = lane * inputs_lane + static_cast<u64>(at) * of.pitch;
  float* record = inputs + offset;
  if (turned) {
    turn(of, turned[lane * of.records + at], record, scratch + offset);
  }
  if (of.flip || of.shift > 0) {
    displace(of, philox(0, 0, place, 0, key.x, key.y), record, scratch + offset);
  }
  if (contrast > 0.0f || brightness > 0.0f) {
    __syncthreads();
    if (threadIdx.x == 0) {
      double sum = 0.0;
#pragma unroll 8
      for (u32 i = 0; i < size; ++i) {
        sum += static_cast<double>(record[i]);
      }
      mean = static_cast<float>(sum / static_cast<double>(size));
    }
    __syncthreads();
    const uint4 words = philox(0, 1, place, 0, key.x, key.y);
    const float factor = 1.0f + signed_of(words.x) * contrast, summand = signed_of(words.y) * brightness;
    for (u32 i = threadIdx.x; i < size; i += VARY_THREADS) {
      record[i] = fmaf(record[i] - mean, factor, mean) + summand;
    }
  }
  __syncthreads();
  const float factor = scale > 0.0f ? 1.0f + signed_of(philox(0, 2, place, 0, key.x, key.y).x) * scale : 1.0f;
  // From here on each number is by itself: a thread does the four of a counter.
  for (u32 four = threadIdx.x; four < (size + 3) / 4; four += VARY_THREADS) {
    float normal[4] = {0.0f, 0.0f, 0.0f, 0.0f};
    if (noise > 0.0f) {
      const uint4 words = philox(four, NUMBERS, place, 0, key.x, key.y);
      const float2 first = normals(words.x, words.y), second = normals(words.z, words.w);
      normal[0] = first.x;
      normal[1] = first.y;
      normal[2] = second.x;
      normal[3] = second.y;
    }
    for (u32 i = 4 * four; i < 4 * four + 4 && i < size; ++i) {
      float x = record[i];
      if (scale > 0.0f) {
        x *= factor;
      }
      if (noise > 0.0f) {
        x = fmaf(normal[i % 4], noise, x);
      }
      if (drop > 0.0f) {
        const u32 channel = i % of.channels;
        const uint4 words = philox(channel / 4, NUMBERS + 1, place, 0, key.x, key.y);
        const u32 each[4] = {words.x, words.y, words.z, words.w};
        if (uniform(each[channel % 4]) < drop) {
          x = 0.0f;
        }
      }
      record[i] = x;
    }
  }
}
