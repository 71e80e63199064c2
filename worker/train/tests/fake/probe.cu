// Kernels that only the stand-in has, to see what arrives on a device.

struct ProbeThree {
  unsigned first;
  float second;
  unsigned third;
};

struct ProbeOne {
  unsigned only;
};

struct ProbeFour {
  unsigned numbers[4];
};

// to = every argument, 4 bytes each or the two halves of 8. A structure of an odd length stands between others and at
// the end.
extern "C" __global__ void probe_arguments(unsigned* to, unsigned a, ProbeThree three, const float* from,
                                           unsigned long long b, ProbeOne one, float c, const float* none,
                                           ProbeFour four, unsigned last, ProbeThree end) {
  const unsigned all[] = {a,
                          three.first,
                          __float_as_uint(three.second),
                          three.third,
                          __float_as_uint(from[0]),
                          static_cast<unsigned>(b),
                          static_cast<unsigned>(b >> 32),
                          one.only,
                          __float_as_uint(c),
                          none == nullptr,
                          four.numbers[0],
                          four.numbers[1],
                          four.numbers[2],
                          four.numbers[3],
                          last,
                          end.first,
                          __float_as_uint(end.second),
                          end.third};
  for (unsigned i = 0; i < sizeof all / sizeof all[0]; ++i) {
    to[i] = all[i];
  }
}

// data[i] = data[i] * by + its place in the grid.
extern "C" __global__ void __launch_bounds__(64) probe_step(unsigned count, unsigned by, unsigned* data) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  const unsigned i = block * blockDim.x + threadIdx.x;
  if (i < count) {
    data[i] = data[i] * by + i;
  }
}

// to = every block's place, by its number.
extern "C" __global__ void probe_places(unsigned* to) {
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  to[block] = blockIdx.x + 10 * blockIdx.y + 100 * blockIdx.z;
}

// Half of the threads come to the barrier, which no device forgives.
extern "C" __global__ void probe_fault(unsigned* data) {
  if (threadIdx.x < 32) {
    __syncthreads();
  }
  data[threadIdx.x] = 1;
}
