// Gathers records and their labels into batches. Lanes are blockIdx.z, records blockIdx.y; `rows` are record indices,
// `[lanes][per_lane]` from `from` on, or null where the records of a batch lie as they are wanted.
#include "base.cuh"

struct GatherOf {
  u32 count, per_lane, from, features, pitch, channels, normalises;
};

template <class T>
__device__ __forceinline__ void gather(const GatherOf& of, const u32* rows, const T* values, const float* scale,
                                       const float* shift, float* inputs, u64 inputs_lane) {
  const u64 lane = blockIdx.z;
  for (u32 i = blockIdx.y; i < of.count; i += gridDim.y) {
    const u64 place = lane * of.per_lane + of.from + i;
    const u64 row = rows ? rows[place] : place;
    const T* from = values + row * of.features;
    float* to = inputs + lane * inputs_lane + static_cast<u64>(i) * of.pitch;
    for (u32 feature = blockIdx.x * blockDim.x + threadIdx.x; feature < of.features;
         feature += gridDim.x * blockDim.x) {
      const float value = static_cast<float>(from[feature]);
      const u32 channel = of.channels == 1 ? 0 : feature % of.channels;
      to[feature] = of.normalises ? value * scale[channel] + shift[channel] : value;
    }
  }
}

#define GATHER(NAME, TYPE)                                                                                           \
  extern "C" __global__ void NAME(GatherOf of, const u32* rows, const TYPE* values, const float* scale,              \
                                  const float* shift, float* inputs, u64 inputs_lane) {                              \
    gather<TYPE>(of, rows, values, scale, shift, inputs, inputs_lane);                                               \
  }
GATHER(gather_f32, float)
GATHER(gather_u8, u8)
GATHER(gather_i16, i16)

// Labels, `width` of them a record.
template <class T>
__device__ __forceinline__ void gather_labels(const GatherOf& of, u32 width, const u32* rows, const T* all, T* labels,
                                              u64 labels_lane) {
  const u64 lane = blockIdx.z;
  for (u32 i = blockIdx.x * blockDim.x + threadIdx.x; i < of.count * width; i += gridDim.x * blockDim.x) {
    const u64 place = lane * of.per_lane + of.from + i / width;
    const u64 row = rows ? rows[place] : place;
    labels[lane * labels_lane + i] = all[row * width + i % width];
  }
}

extern "C" __global__ void gather_classes(GatherOf of, u32 width, const u32* rows, const u32* all, u32* labels,
                                          u64 labels_lane) {
  gather_labels<u32>(of, width, rows, all, labels, labels_lane);
}

extern "C" __global__ void gather_several(GatherOf of, u32 width, const u32* rows, const u8* all, u8* labels,
                                          u64 labels_lane) {
  gather_labels<u8>(of, width, rows, all, labels, labels_lane);
}
