// What a library of kernels tells the stand-in of itself.
#pragma once

struct FakeKernel {
  // Null after the last one.
  const char* name;
  // Runs a grid on a machine of machine.h. Null, or a sentence on what went wrong.
  const char* (*run)(void* machine, const unsigned* blocks, unsigned threads, void** arguments);
  // The letter and the bytes of every parameter, as in cuda_cpu.h.
  const char* parameters;
  // The most threads of a block.
  unsigned bound;
};

// What every such library exports, with the machine's emu_machine_new and emu_machine_delete.
using FakeKernels = const FakeKernel* (*)();
