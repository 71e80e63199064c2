// A library of the kernels of one source, for the host: build.sh defines SOURCE, and KERNELS as the list of them.
#include "cuda_cpu.h"
#include "kernels.h"

#define __global__
#define __launch_bounds__(...)
#include SOURCE

#define KERNEL(NAME, BOUND)                                                                       \
  {#NAME,                                                                                         \
   [](void* machine, const unsigned* blocks, unsigned threads, void** arguments) {                \
     return emu::run(static_cast<emu::Machine*>(machine), blocks, threads, arguments, NAME);      \
   },                                                                                             \
   emu::parameters(NAME), BOUND},

EMU_EXPORT const FakeKernel* fake_kernels() {
  static const FakeKernel all[] = {
#include KERNELS
      {nullptr, nullptr, nullptr, 0}};
  return all;
}
