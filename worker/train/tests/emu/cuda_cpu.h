// CUDA C++ for the host: what the kernels use of it, on the machine of machine.h. `__global__` and `__launch_bounds__`
// stay as they are: who compiles a kernel reads them, and takes them out.
#pragma once
#include <cmath>
#include <cstring>
#include <string>
#include <type_traits>
#include <utility>

#include "machine.h"

#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(BYTES) __attribute__((aligned(BYTES)))
// One variable per operating system thread, of which each runs a block at a time; poison_shared knows where they are.
#define __shared__ static thread_local

#define threadIdx (::emu::local.machine->current->index)
#define blockIdx (::emu::local.machine->block)
#define blockDim (::emu::local.machine->block_extent)
#define gridDim (::emu::local.machine->grid_extent)
constexpr int warpSize = ::emu::WARP;

#define EMU_TEXT_OF(X) #X
#define EMU_TEXT(X) EMU_TEXT_OF(X)
#define EMU_HERE __FILE__ ":" EMU_TEXT(__LINE__)
#define __syncthreads() ::emu::block_barrier(EMU_HERE)
#define __syncwarp(...) ::emu::sync_warp(EMU_HERE, ##__VA_ARGS__)
#define __shfl_sync(MASK, VALUE, LANE) ::emu::shuffle_at(MASK, VALUE, LANE, EMU_HERE)
#define __shfl_xor_sync(MASK, VALUE, LANES) ::emu::shuffle_xor(MASK, VALUE, LANES, EMU_HERE)
#define __shfl_down_sync(MASK, VALUE, BY) ::emu::shuffle_down(MASK, VALUE, BY, EMU_HERE)
#define __shfl_up_sync(MASK, VALUE, BY) ::emu::shuffle_up(MASK, VALUE, BY, EMU_HERE)

namespace emu {

inline void sync_warp(const char* where, unsigned mask = ~0u) {
  exchange(mask, 0, lane(), where);
}

template <class T> T shuffle_at(unsigned mask, T value, unsigned source, const char* where) {
  return shuffle(mask, value, source % WARP, where);
}

template <class T> T shuffle_xor(unsigned mask, T value, unsigned lanes, const char* where) {
  return shuffle(mask, value, (lane() ^ lanes) % WARP, where);
}

template <class T> T shuffle_down(unsigned mask, T value, unsigned by, const char* where) {
  return shuffle(mask, value, lane() + by < WARP ? lane() + by : lane(), where);
}

template <class T> T shuffle_up(unsigned mask, T value, unsigned by, const char* where) {
  return shuffle(mask, value, lane() >= by ? lane() - by : lane(), where);
}

}  // namespace emu

#define EMU_VECTOR2(NAME, OF, ALIGNED)                    \
  struct __attribute__((aligned(ALIGNED))) NAME {         \
    OF x, y;                                              \
  };                                                      \
  inline NAME make_##NAME(OF x, OF y) {                   \
    return {x, y};                                        \
  }
#define EMU_VECTOR4(NAME, OF, ALIGNED)                    \
  struct __attribute__((aligned(ALIGNED))) NAME {         \
    OF x, y, z, w;                                        \
  };                                                      \
  inline NAME make_##NAME(OF x, OF y, OF z, OF w) {       \
    return {x, y, z, w};                                  \
  }
EMU_VECTOR2(float2, float, 8)
EMU_VECTOR2(int2, int, 8)
EMU_VECTOR2(uint2, unsigned, 8)
EMU_VECTOR2(double2, double, 16)
EMU_VECTOR4(float4, float, 16)
EMU_VECTOR4(int4, int, 16)
EMU_VECTOR4(uint4, unsigned, 16)
EMU_VECTOR4(uchar4, unsigned char, 4)
EMU_VECTOR4(short4, short, 8)
EMU_VECTOR4(ushort4, unsigned short, 8)

inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((static_cast<unsigned long long>(a) * b) >> 32);
}

inline unsigned long long __umul64hi(unsigned long long a, unsigned long long b) {
  return static_cast<unsigned long long>((static_cast<unsigned __int128>(a) * b) >> 64);
}

template <class To, class From> To emu_bits(From from) {
  static_assert(sizeof(To) == sizeof(From), "as many bits");
  To to;
  memcpy(&to, &from, sizeof to);
  return to;
}

inline unsigned __float_as_uint(float x) {
  return emu_bits<unsigned>(x);
}

inline int __float_as_int(float x) {
  return emu_bits<int>(x);
}

inline float __uint_as_float(unsigned x) {
  return emu_bits<float>(x);
}

inline float __int_as_float(int x) {
  return emu_bits<float>(x);
}

inline long long __double_as_longlong(double x) {
  return emu_bits<long long>(x);
}

inline double __longlong_as_double(long long x) {
  return emu_bits<double>(x);
}

template <class T> typename std::enable_if<std::is_integral<T>::value, T>::type min(T a, T b) {
  return a < b ? a : b;
}

template <class T> typename std::enable_if<std::is_integral<T>::value, T>::type max(T a, T b) {
  return a < b ? b : a;
}

namespace emu {

// What a parameter of a kernel is: an address, an unsigned or signed integer of 4 or 8 bytes, a float, or words: a
// structure of numbers of 4 bytes each.
template <class A> constexpr char letter() {
  return std::is_pointer<A>::value                                                                  ? 'p'
         : std::is_integral<A>::value && sizeof(A) == 4                                             ? 'u'
         : std::is_integral<A>::value && sizeof(A) == 8                                             ? 'U'
         : std::is_same<A, float>::value                                                            ? 'f'
         : std::is_class<A>::value && std::is_trivially_copyable<A>::value && alignof(A) == 4       ? 'w'
                                                                                                    : '?';
}

// The letter and the bytes of every parameter.
template <class... A> const char* parameters(void (*)(A...)) {
  static const std::string text = ((letter<A>() + std::to_string(sizeof(A)) + " ") + ... + "");
  return text.c_str();
}

template <class... A> struct Call {
  void (*kernel)(A...);
  void** arguments;

  template <size_t... I> void with(std::index_sequence<I...>) const {
    kernel(*static_cast<A*>(arguments[I])...);
  }

  static void body(const void* data) {
    static_cast<const Call*>(data)->with(std::index_sequence_for<A...>());
  }
};

// Null, or a sentence on what went wrong.
template <class... A>
const char* run(Machine* machine, const unsigned* blocks, unsigned threads, void** arguments, void (*kernel)(A...)) {
  const Call<A...> call = {kernel, arguments};
  const dim3 grid = {blocks[0], blocks[1], blocks[2]};
  return machine->run(grid, threads, &Call<A...>::body, &call) ? nullptr : machine->failure;
}

}  // namespace emu

#define EMU_EXPORT extern "C" __attribute__((visibility("default"), used))

EMU_EXPORT emu::Machine* emu_machine_new(bool reversed) {
  emu::Machine* machine = new emu::Machine();
  machine->reversed = reversed;
  return machine;
}

EMU_EXPORT void emu_machine_delete(emu::Machine* machine) {
  delete machine;
}
