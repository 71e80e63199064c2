// Optimiser steps, number by number over all lanes: a thread does a quad at a time.
#include "base.cuh"

// `f(i)` for every quad of `quads`.
template <class F> __device__ __forceinline__ void for_quads(u64 quads, const F& f) {
  for (u64 i = static_cast<u64>(blockIdx.x) * blockDim.x + threadIdx.x; i < quads;
       i += static_cast<u64>(gridDim.x) * blockDim.x) {
    f(4 * i);
  }
}

__device__ __forceinline__ void sgd_one(float rate, float momentum, float decay, u32 nesterov, float& w, float g,
                                        float& v) {
  g = fmaf(decay, w, g);
  v = fmaf(momentum, v, g);
  w = fmaf(-rate, nesterov ? fmaf(momentum, v, g) : v, w);
}

extern "C" __global__ void sgd(u64 quads, float rate, float momentum, float decay, u32 nesterov, float* params,
                               const float* gradients, float* velocity) {
  for_quads(quads, [&](u64 i) {
    float4 w = quad_at(params + i), v = quad_at(velocity + i);
    const float4 g = quad_at(gradients + i);
    sgd_one(rate, momentum, decay, nesterov, w.x, g.x, v.x);
    sgd_one(rate, momentum, decay, nesterov, w.y, g.y, v.y);
    sgd_one(rate, momentum, decay, nesterov, w.z, g.z, v.z);
    sgd_one(rate, momentum, decay, nesterov, w.w, g.w, v.w);
    put_quad(params + i, w);
    put_quad(velocity + i, v);
  });
}

// See `AdamWStep`.
struct AdamW {
  float shrink, first, second, second_rest, size, root, epsilon;

  __device__ __forceinline__ void operator()(float& w, float g, float& m, float& v) const {
    m = fmaf(first, g - m, m);
    v = fmaf(second, v, second_rest * g * g);
    w = fmaf(-size, m / (sqrtf(v) / root + epsilon), w * shrink);
  }
};

extern "C" __global__ void adamw(u64 quads, float shrink, float first, float second, float second_rest, float size,
                                 float root, float epsilon, float* params, const float* gradients, float* firsts,
                                 float* seconds) {
  const AdamW step = {shrink, first, second, second_rest, size, root, epsilon};
  for_quads(quads, [&](u64 i) {
    float4 w = quad_at(params + i), m = quad_at(firsts + i), v = quad_at(seconds + i);
    const float4 g = quad_at(gradients + i);
    step(w.x, g.x, m.x, v.x);
    step(w.y, g.y, m.y, v.y);
    step(w.z, g.z, m.z, v.z);
    step(w.w, g.w, m.w, v.w);
    put_quad(params + i, w);
    put_quad(firsts + i, m);
    put_quad(seconds + i, v);
  });
}

// average += (1 - decay) (params - average).
extern "C" __global__ void moving_average(u64 quads, float rest, const float* params, float* average) {
  for_quads(quads, [&](u64 i) {
    const float4 w = quad_at(params + i), a = quad_at(average + i);
    put_quad(average + i, make_float4(fmaf(rest, w.x - a.x, a.x), fmaf(rest, w.y - a.y, a.y),
                                      fmaf(rest, w.z - a.z, a.z), fmaf(rest, w.w - a.w, a.w)));
  });
}

// The factor that takes each lane's gradients down to a norm of `most`, 1 where they are below: squares are summed in
// sixteen turns in double precision, then in order. A block is one lane's sixteen threads.
extern "C" __global__ void clip_factors(u64 numbers, float most, const float* gradients, u64 gradients_lane,
                                        float* factors) {
  __shared__ double turns[VECTOR];
  const float* all = gradients + blockIdx.x * gradients_lane;
  double sum = 0.0;
#pragma unroll 8
  for (u64 i = threadIdx.x; i < numbers; i += VECTOR) {
    const double g = static_cast<double>(all[i]);
    sum = fma(g, g, sum);
  }
  turns[threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.x == 0) {
    double squares = 0.0;
    for (u32 turn = 0; turn < VECTOR; ++turn) {
      squares += turns[turn];
    }
    const double factor = static_cast<double>(most) / (sqrt(squares) + 1e-6);
    factors[blockIdx.x] = factor < 1.0 ? static_cast<float>(factor) : 1.0f;
  }
}

// Scales each lane's gradients; lanes are blockIdx.z.
extern "C" __global__ void clip_gradients(u64 quads, const float* factors, float* gradients, u64 gradients_lane) {
  const float factor = factors[blockIdx.z];
  float* all = gradients + blockIdx.z * gradients_lane;
  for_quads(quads, [&](u64 i) {
    const float4 g = quad_at(all + i);
    put_quad(all + i, make_float4(g.x * factor, g.y * factor, g.z * factor, g.w * factor));
  });
}
