// What all kernels share. Arithmetic is written as it is meant: products and sums are rounded one by one (the
// compiler is told not to contract them) unless fmaf or fma joins them, divisions and roots are IEEE 754's, so that a
// device gives the same bits as the host.
#pragma once

typedef unsigned char u8;
typedef short i16;
typedef unsigned int u32;
typedef unsigned long long u64;

// Numbers that a row's padding is a multiple of: rows start on 64 bytes.
constexpr u32 VECTOR = 16;

__device__ __forceinline__ float4 zeros() {
  return make_float4(0.0f, 0.0f, 0.0f, 0.0f);
}

__device__ __forceinline__ float4 quad_at(const float* from) {
  return *reinterpret_cast<const float4*>(from);
}

__device__ __forceinline__ void put_quad(float* to, float4 value) {
  *reinterpret_cast<float4*>(to) = value;
}

// max(x, 0); NaN stays NaN.
__device__ __forceinline__ float relu(float x) {
  return x < 0.0f ? 0.0f : x;
}

// Division by a number that the host knows: n / by = (n * magic) >> (32 + shift) for n < 2^31 (Granlund and
// Montgomery 1994, doi 10.1145/178243.178249, section 4).
struct Divisor {
  u32 by, magic, shift;

  __device__ __forceinline__ u32 quotient(u32 n) const {
    return by == 1 ? n : __umulhi(n, magic) >> shift;
  }

  __device__ __forceinline__ u32 split(u32 n, u32& rest) const {
    const u32 whole = quotient(n);
    rest = n - whole * by;
    return whole;
  }
};

// Philox4x32-10 (Salmon et al. 2011, doi 10.1145/2063384.2063405).
__device__ __forceinline__ uint4 philox(u32 a, u32 b, u32 c, u32 d, u32 k, u32 l) {
  for (int round = 0; round < 10; ++round) {
    const u32 first = __umulhi(a, 0xd2511f53u), second = __umulhi(c, 0xcd9e8d57u);
    const u32 low_first = a * 0xd2511f53u, low_second = c * 0xcd9e8d57u;
    a = second ^ b ^ k;
    b = low_second;
    c = first ^ d ^ l;
    d = low_first;
    k += 0x9e3779b9u;
    l += 0xbb67ae85u;
  }
  return make_uint4(a, b, c, d);
}

// Uniform in [0, 1), a multiple of 2^-24.
__device__ __forceinline__ float uniform(u32 word) {
  return static_cast<float>(word >> 8) * (1.0f / 16777216.0f);
}

// e^x: the polynomial of Cephes (S. L. Moshier, expf.c), fused; 0 below -87.33, NaN above 88.72 and for NaN.
__device__ __forceinline__ float exponential(float x) {
  const float magic = 12582912.0f;
  const float shifted = fmaf(x, 1.44269504088896340736f, magic);
  const float n = shifted - magic;
  float r = fmaf(n, -(355.0f / 512.0f), x);
  r = fmaf(n, 2.1219444e-4f, r);
  float p = 1.9875692e-4f;
  p = fmaf(p, r, 1.3982e-3f);
  p = fmaf(p, r, 8.333452e-3f);
  p = fmaf(p, r, 4.1665796e-2f);
  p = fmaf(p, r, 1.6666665e-1f);
  p = fmaf(p, r, 5e-1f);
  const float y = fmaf(p, r * r, r) + 1.0f;
  const u32 exponent = (__float_as_uint(shifted) - __float_as_uint(magic) + 127u) << 23;
  const float scaled = y * __uint_as_float(exponent);
  const float most = x > 88.72f ? __uint_as_float(0x7fc00000u) : scaled;
  return x < -87.33f ? 0.0f : most;
}

// ln x for normal x > 0: the polynomial of Cephes (S. L. Moshier, logf.c), fused; NaN for NaN and infinity.
__device__ __forceinline__ float logarithm(float x) {
  const u32 shifted = __float_as_uint(x) - 0x3f3504f3u;
  const float e = static_cast<float>(static_cast<int>(shifted) >> 23);
  const float m = __uint_as_float((shifted & 0x007fffffu) + 0x3f3504f3u);
  const float f = m - 1.0f;
  const float z = f * f;
  float p = 7.0376836e-2f;
  p = fmaf(p, f, -1.151461e-1f);
  p = fmaf(p, f, 1.1676999e-1f);
  p = fmaf(p, f, -1.2420141e-1f);
  p = fmaf(p, f, 1.4249323e-1f);
  p = fmaf(p, f, -1.6668058e-1f);
  p = fmaf(p, f, 2.0000715e-1f);
  p = fmaf(p, f, -2.4999994e-1f);
  p = fmaf(p, f, 3.333333e-1f);
  float y = (p * f) * z;
  y = fmaf(e, -2.1219444e-4f, y);
  y = fmaf(z, -0.5f, y);
  y = fmaf(e, 355.0f / 512.0f, f + y);
  return x < __uint_as_float(0x7f800000u) ? y : __uint_as_float(0x7fc00000u);
}
