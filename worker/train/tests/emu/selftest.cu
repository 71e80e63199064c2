// Kernels that the emulator is tested with; most of them are wrong on purpose.

// to[row] = the sum of from's row, a block each.
extern "C" __global__ void __launch_bounds__(256) sum_rows(unsigned long long columns, const float* __restrict__ from,
                                                           float* __restrict__ to) {
  __shared__ float parts[32];
  float sum = 0.0f;
  for (unsigned long long column = threadIdx.x; column < columns; column += blockDim.x) {
    sum += from[blockIdx.x * columns + column];
  }
  for (int lanes = 16; lanes > 0; lanes >>= 1) {
    sum += __shfl_xor_sync(0xffffffffu, sum, lanes);
  }
  if (threadIdx.x % 32 == 0) {
    parts[threadIdx.x / 32] = sum;
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    sum = threadIdx.x < (blockDim.x + 31) / 32 ? parts[threadIdx.x] : 0.0f;
    for (int by = 16; by > 0; by >>= 1) {
      sum += __shfl_down_sync(0xffffffffu, sum, by);
    }
    if (threadIdx.x == 0) {
      to[blockIdx.x] = sum;
    }
  }
}

// Turns a block's numbers round.
template <int N> __device__ __forceinline__ void turned(float* data) {
  __shared__ __align__(16) float tile[2][N];
  tile[1][threadIdx.x] = data[threadIdx.x];
  __syncthreads();
  data[threadIdx.x] = tile[1][N - 1 - threadIdx.x];
}

#define TURN(NAME, N)                                                        \
  extern "C" __global__ void __launch_bounds__(N) NAME(float* data) {        \
    turned<N>(data);                                                         \
  }
TURN(turn_64, 64)
TURN(turn_96, 96)

// The same, but without the barrier.
extern "C" __global__ void turn_too_early(float* data) {
  __shared__ float tile[64];
  tile[threadIdx.x] = data[threadIdx.x];
  data[threadIdx.x] = tile[63 - threadIdx.x];
}

// Reads what no thread has written, though another block did.
extern "C" __global__ void read_unwritten(float* to) {
  __shared__ float tile[64];
  if (blockIdx.x == 0) {
    tile[threadIdx.x] = 1.0f;
  }
  __syncthreads();
  to[blockIdx.x * 64 + threadIdx.x] = tile[threadIdx.x];
}

// Half of the threads come to the barrier.
extern "C" __global__ void half_meet(float* data) {
  if (threadIdx.x < 32) {
    __syncthreads();
  }
  data[threadIdx.x] = 1.0f;
}

// All threads come to a barrier, but not to the same one.
extern "C" __global__ void meet_apart(float* data) {
  if (threadIdx.x < 32) {
    __syncthreads();
    data[threadIdx.x] = 1.0f;
  } else {
    __syncthreads();
    data[threadIdx.x] = 2.0f;
  }
}

// A shuffle among 32 lanes, 16 of which come.
extern "C" __global__ void half_shuffle(float* data) {
  if (threadIdx.x < 16) {
    data[threadIdx.x] = __shfl_xor_sync(0xffffffffu, data[threadIdx.x], 1);
  }
}

// data[i] = value; the last thread goes one too far.
extern "C" __global__ void fill_too_far(unsigned count, float value, float* data) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i <= count) {
    data[i] = value;
  }
}

// data[i] += value.
extern "C" __global__ void add(unsigned count, float value, float* data) {
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < count) {
    data[i] += value;
  }
}

// Every block's place, and what the arithmetic of base.cuh stands on.
extern "C" __global__ void places(unsigned* to) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const uint4 place = make_uint4(blockIdx.x, blockIdx.y, blockIdx.z, __umulhi(0x80000000u + block, 0x80000001u));
  *reinterpret_cast<uint4*>(to + 4 * block) = place;
}

struct Three {
  unsigned first, second;
  float third;
};

// to = the sum of a structure's numbers.
extern "C" __global__ void sum_three(Three three, float last, float* to) {
  *to = static_cast<float>(three.first + three.second) + three.third + last;
}
