// Losses with their gradients; a block does one lane. A thread does one record (or one label) at a time; losses are
// then added in double precision in the order the host adds them.
#include "base.cuh"

constexpr u32 LOSS_THREADS = 256;
// Records whose losses are added among themselves first.
constexpr u32 BLOCK = 16;

struct LossOf {
  u32 rows, all, logits, pitch, first;
};

// Adds a part's loss to the batch's, and notes for good whether it is finite.
__device__ __forceinline__ void note_loss(float* losses, float loss, u32 first) {
  losses[0] = first ? loss : losses[0] + loss;
  if (!(fabsf(loss) < __uint_as_float(0x7f800000u))) {
    losses[1] = 1.0f;
  }
}

// The cross-entropy of a logit and its slope.
__device__ __forceinline__ float sigmoid_entropy(float z, float target, float& slope) {
  const float power = exponential(-fabsf(z));
  const float high = 1.0f / (1.0f + power), low = power / (1.0f + power);
  slope = (z >= 0.0f ? high : low) - target;
  // max(z, 0) - z t + ln(1 + e^-|z|), which never overflows.
  return (z > 0.0f ? z : 0.0f) - z * target + logarithm(1.0f + power);
}

extern "C" __global__ void __launch_bounds__(LOSS_THREADS)
    softmax_cross_entropy(LossOf of, float smoothing, const float* weights, u64 weights_lane, const float* logits,
                          u64 logits_lane, const u32* labels, u64 labels_lane, float* d_logits, u64 d_logits_lane,
                          float* losses, u64 losses_lane) {
  __shared__ double found[LOSS_THREADS], blocks[LOSS_THREADS / BLOCK];
  const u64 lane = blockIdx.z;
  const float* factors = weights + lane * weights_lane;
  const float scale = 1.0f / static_cast<float>(of.all);
  // Smoothed labels are 1 - s + s / C and s / C.
  const float own = 1.0f - smoothing, every = smoothing / static_cast<float>(of.logits);
  double total = 0.0;
  for (u32 first = 0; first < of.rows; first += LOSS_THREADS) {
    const u32 row = first + threadIdx.x;
    double loss = 0.0;
    if (row < of.rows) {
      const float* z = logits + lane * logits_lane + static_cast<u64>(row) * of.pitch;
      float* d = d_logits + lane * d_logits_lane + static_cast<u64>(row) * of.pitch;
      const u32 label = labels[lane * labels_lane + row];
      float most = z[0];
      for (u32 i = 1; i < of.logits; ++i) {
        most = z[i] > most ? z[i] : most;
      }
      float sum = 0.0f;
      for (u32 i = 0; i < of.logits; ++i) {
        const float power = exponential(z[i] - most);
        sum += power;
        d[i] = power;
      }
      for (u32 i = of.logits; i < of.pitch; ++i) {
        d[i] = 0.0f;
      }
      const float weight = factors[label], factor = scale * weight / sum;
      float told = z[label], answers = 0.0f;
      for (u32 i = 0; i < of.logits; ++i) {
        float slope = d[i] * factor;
        if (i == label) {
          slope -= scale * weight * own;
        }
        if (smoothing > 0.0f) {
          slope -= scale * weight * every;
          answers += z[i];
        }
        d[i] = slope;
      }
      if (smoothing > 0.0f) {
        told = fmaf(own, told, every * answers);
      }
      loss = static_cast<double>(weight * (logarithm(sum) + most - told));
    }
    found[threadIdx.x] = loss;
    __syncthreads();
    if (threadIdx.x < LOSS_THREADS / BLOCK) {
      double some = 0.0;
      for (u32 i = 0; i < BLOCK && first + threadIdx.x * BLOCK + i < of.rows; ++i) {
        some += found[threadIdx.x * BLOCK + i];
      }
      blocks[threadIdx.x] = some;
    }
    __syncthreads();
    if (threadIdx.x == 0) {
      for (u32 i = 0; i < LOSS_THREADS / BLOCK && first + i * BLOCK < of.rows; ++i) {
        total += blocks[i];
      }
    }
  }
  if (threadIdx.x == 0) {
    note_loss(losses + lane * losses_lane, static_cast<float>(total / static_cast<double>(of.all)), of.first);
  }
}

// Sums of what `loss(i)` gives for i of `count`, in order; for thread 0.
template <class F> __device__ __forceinline__ double in_order(u32 count, double* found, const F& loss) {
  double total = 0.0;
  for (u32 first = 0; first < count; first += LOSS_THREADS) {
    const u32 i = first + threadIdx.x;
    found[threadIdx.x] = i < count ? loss(i) : 0.0;
    __syncthreads();
    if (threadIdx.x == 0) {
      for (u32 j = 0; j < LOSS_THREADS && first + j < count; ++j) {
        total += found[j];
      }
    }
    __syncthreads();
  }
  return total;
}

// Several labels a record; 255 is a label that is not known.
extern "C" __global__ void __launch_bounds__(LOSS_THREADS)
    several_cross_entropy(LossOf of, Divisor of_labels, float smoothing, const float* weights, u64 weights_lane,
                          const float* logits, u64 logits_lane, const u8* labels, u64 labels_lane, float* d_logits,
                          u64 d_logits_lane, float* losses, u64 losses_lane) {
  __shared__ double found[LOSS_THREADS];
  const u64 lane = blockIdx.z;
  const float* z = logits + lane * logits_lane;
  float* d = d_logits + lane * d_logits_lane;
  const float scale = 1.0f / (static_cast<float>(of.all) * static_cast<float>(of.logits));
  for (u64 i = threadIdx.x; i < static_cast<u64>(of.rows) * (of.pitch - of.logits); i += LOSS_THREADS) {
    const u32 padding = of.pitch - of.logits;
    d[i / padding * of.pitch + of.logits + i % padding] = 0.0f;
  }
  const double total = in_order(of.rows * of.logits, found, [&](u32 i) {
    u32 at;
    const u32 row = of_labels.split(i, at);
    const u32 label = labels[lane * labels_lane + i];
    // A missing label hides no number that is none.
    const float known = label == 255 ? 0.0f : weights[lane * weights_lane + at];
    const float target = fmaf(static_cast<float>(label < 1 ? label : 1), 1.0f - smoothing, 0.5f * smoothing);
    const u64 place = static_cast<u64>(row) * of.pitch + at;
    float slope;
    const float loss = sigmoid_entropy(z[place], target, slope);
    d[place] = scale * known * slope;
    return static_cast<double>(known * loss);
  });
  if (threadIdx.x == 0) {
    // The host counts labels of the batch in whole numbers.
    const double count = static_cast<double>(static_cast<u64>(of.all) * of.logits);
    note_loss(losses + lane * losses_lane, static_cast<float>(total / count), of.first);
  }
}

// One of two classes by the logit of class 1.
extern "C" __global__ void __launch_bounds__(LOSS_THREADS)
    one_logit_cross_entropy(LossOf of, float smoothing, const float* weights, u64 weights_lane, const float* logits,
                            u64 logits_lane, const u32* labels, u64 labels_lane, float* d_logits, u64 d_logits_lane,
                            float* losses, u64 losses_lane) {
  __shared__ double found[LOSS_THREADS];
  const u64 lane = blockIdx.z;
  const float scale = 1.0f / static_cast<float>(of.all);
  const double total = in_order(of.rows, found, [&](u32 row) {
    const u32 label = labels[lane * labels_lane + row];
    const float target = fmaf(static_cast<float>(label), 1.0f - smoothing, 0.5f * smoothing);
    float slope;
    const float loss = sigmoid_entropy(logits[lane * logits_lane + static_cast<u64>(row) * of.pitch], target, slope);
    const float weight = weights[lane * weights_lane + label];
    float* d = d_logits + lane * d_logits_lane + static_cast<u64>(row) * of.pitch;
    d[0] = scale * weight * slope;
    for (u32 i = 1; i < of.pitch; ++i) {
      d[i] = 0.0f;
    }
    return static_cast<double>(weight * loss);
  });
  if (threadIdx.x == 0) {
    note_loss(losses + lane * losses_lane, static_cast<float>(total / static_cast<double>(of.all)), of.first);
  }
}
