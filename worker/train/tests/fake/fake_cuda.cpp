// A stand-in for NVIDIA's driver: the part of libcuda.so.1 that umbra calls. The functions are declared by NVIDIA's own
// cuda.h, so that the compiler compares them. Device memory is the host's, and kernels run on the emulator's machine.
//
// It refuses what the driver refuses: calls before cuInit or without a context, handles of another context or that were
// given back, memory that is not the device's. An error of a launch is for good, and shows when it is waited for.
#include "device.h"

#define EXPORTED extern "C" __attribute__((visibility("default"), used)) CUresult

namespace {

std::vector<std::unique_ptr<CUctx_st>> devices;
bool started = false;
thread_local CUcontext current = nullptr;

// The device of this number, or null.
CUcontext device_of(CUdevice number) {
  return number >= 0 && size_t(number) < devices.size() ? devices[number].get() : nullptr;
}

// Does a thing with a device that is not lost, for nobody else at the same time.
template <class Body> CUresult with(CUcontext device, Body body) {
  std::lock_guard<std::mutex> held(device->mutex);
  return device->failure != CUDA_SUCCESS ? device->failure : body(*device);
}

// As `with`, for the device that the thread's calls are about.
template <class Body> CUresult here(Body body) {
  if (!started) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  return current && current->retained ? with(current, body) : CUDA_ERROR_INVALID_CONTEXT;
}

// As `here`, for a stream of that device. The driver's own stream, which is null, is not for umbra.
template <class Body> CUresult on(CUstream stream, Body body) {
  return here([&](CUctx_st& device) {
    return device.streams.has(stream) ? body(device) : CUDA_ERROR_INVALID_HANDLE;
  });
}

// What can be asked of a device without a context.
template <class Body> CUresult about(CUdevice number, Body body) {
  if (!started) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  CUcontext device = device_of(number);
  return device ? body(*device) : CUDA_ERROR_INVALID_DEVICE;
}

CUresult fill(CUdeviceptr to, size_t bytes, CUstream stream, std::function<void(char*)> write) {
  return on(stream, [&](CUctx_st& device) {
    if (!device.memory.hold(to, bytes)) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    return device.queue(stream, [=] {
      write(reinterpret_cast<char*>(to));
      return CUDA_SUCCESS;
    });
  });
}

struct Error {
  CUresult error;
  const char *name, *text;
};

const Error ERRORS[] = {
    {CUDA_SUCCESS, "CUDA_SUCCESS", "no error"},
    {CUDA_ERROR_INVALID_VALUE, "CUDA_ERROR_INVALID_VALUE", "invalid argument"},
    {CUDA_ERROR_OUT_OF_MEMORY, "CUDA_ERROR_OUT_OF_MEMORY", "out of memory"},
    {CUDA_ERROR_NOT_INITIALIZED, "CUDA_ERROR_NOT_INITIALIZED", "initialization error"},
    {CUDA_ERROR_NO_DEVICE, "CUDA_ERROR_NO_DEVICE", "no CUDA-capable device is detected"},
    {CUDA_ERROR_INVALID_DEVICE, "CUDA_ERROR_INVALID_DEVICE", "invalid device ordinal"},
    {CUDA_ERROR_INVALID_IMAGE, "CUDA_ERROR_INVALID_IMAGE", "device kernel image is invalid"},
    {CUDA_ERROR_INVALID_CONTEXT, "CUDA_ERROR_INVALID_CONTEXT", "invalid device context"},
    {CUDA_ERROR_INVALID_HANDLE, "CUDA_ERROR_INVALID_HANDLE", "invalid resource handle"},
    {CUDA_ERROR_NOT_FOUND, "CUDA_ERROR_NOT_FOUND", "named symbol not found"},
    {CUDA_ERROR_NOT_READY, "CUDA_ERROR_NOT_READY", "device not ready"},
    {CUDA_ERROR_ILLEGAL_ADDRESS, "CUDA_ERROR_ILLEGAL_ADDRESS", "an illegal memory access was encountered"},
    {CUDA_ERROR_LAUNCH_FAILED, "CUDA_ERROR_LAUNCH_FAILED", "unspecified launch failure"},
};

const Error* described(CUresult error) {
  for (const Error& one : ERRORS) {
    if (one.error == error) {
      return &one;
    }
  }
  return nullptr;
}

}  // namespace

EXPORTED cuGetErrorName(CUresult error, const char** name) {
  const Error* found = described(error);
  *name = found ? found->name : nullptr;
  return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORTED cuGetErrorString(CUresult error, const char** text) {
  const Error* found = described(error);
  *text = found ? found->text : nullptr;
  return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

EXPORTED cuDriverGetVersion(int* version) {
  *version = Settings::get().version;
  return CUDA_SUCCESS;
}

EXPORTED cuInit(unsigned flags) {
  static std::once_flag once;
  std::call_once(once, [] {
    for (int ordinal = 0; ordinal < Settings::get().devices; ++ordinal) {
      devices.push_back(std::make_unique<CUctx_st>());
      devices.back()->ordinal = ordinal;
      devices.back()->pool.memory = Settings::get().memory;
    }
    started = !devices.empty();
  });
  return flags != 0 ? CUDA_ERROR_INVALID_VALUE : started ? CUDA_SUCCESS : CUDA_ERROR_NO_DEVICE;
}

EXPORTED cuDeviceGetCount(int* count) {
  *count = static_cast<int>(devices.size());
  return started ? CUDA_SUCCESS : CUDA_ERROR_NOT_INITIALIZED;
}

EXPORTED cuDeviceGet(CUdevice* device, int ordinal) {
  return about(ordinal, [&](CUctx_st&) {
    *device = ordinal;
    return CUDA_SUCCESS;
  });
}

EXPORTED cuDeviceGetName(char* name, int bytes, CUdevice number) {
  return about(number, [&](CUctx_st&) {
    snprintf(name, bytes, "stand-in %d", number);
    return CUDA_SUCCESS;
  });
}

EXPORTED cuDeviceGetUuid(CUuuid* uuid, CUdevice number) {
  return about(number, [&](CUctx_st&) {
    for (int i = 0; i < 16; ++i) {
      uuid->bytes[i] = static_cast<char>(0xf0 ^ (i * 17));
    }
    uuid->bytes[15] = static_cast<char>(number);
    return CUDA_SUCCESS;
  });
}

EXPORTED cuDeviceTotalMem(size_t* bytes, CUdevice number) {
  return about(number, [&](CUctx_st& device) {
    *bytes = device.pool.memory;
    return CUDA_SUCCESS;
  });
}

EXPORTED cuDeviceGetAttribute(int* value, CUdevice_attribute attribute, CUdevice number) {
  return about(number, [&](CUctx_st&) {
    switch (attribute) {
      case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR:
        *value = Settings::get().capability / 10;
        return CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR:
        *value = Settings::get().capability % 10;
        return CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT:
        *value = 8;
        return CUDA_SUCCESS;
      case CU_DEVICE_ATTRIBUTE_MEMORY_POOLS_SUPPORTED:
        *value = 1;
        return CUDA_SUCCESS;
      default:
        return CUDA_ERROR_INVALID_VALUE;
    }
  });
}

EXPORTED cuDevicePrimaryCtxRetain(CUcontext* context, CUdevice number) {
  return about(number, [&](CUctx_st& of) {
    return with(&of, [&](CUctx_st& device) {
      if (!device.machine && Library::get().new_machine) {
        device.machine = Library::get().new_machine(false);
      }
      ++device.retained;
      *context = &device;
      return CUDA_SUCCESS;
    });
  });
}

EXPORTED cuDevicePrimaryCtxRelease(CUdevice number) {
  return about(number, [&](CUctx_st& device) {
    std::lock_guard<std::mutex> held(device.mutex);
    if (device.retained == 0) {
      return CUDA_ERROR_INVALID_CONTEXT;
    }
    if (--device.retained == 0) {
      device.end();
    }
    return CUDA_SUCCESS;
  });
}

EXPORTED cuCtxSetCurrent(CUcontext context) {
  if (!started) {
    return CUDA_ERROR_NOT_INITIALIZED;
  }
  if (context && context->retained == 0) {
    return CUDA_ERROR_INVALID_CONTEXT;
  }
  current = context;
  return CUDA_SUCCESS;
}

EXPORTED cuStreamCreate(CUstream* stream, unsigned) {
  return here([&](CUctx_st& device) {
    *stream = device.streams.add();
    return CUDA_SUCCESS;
  });
}

EXPORTED cuStreamDestroy(CUstream stream) {
  return on(stream, [&](CUctx_st& device) {
    // What is queued is done all the same.
    device.run_to(stream, stream->queued);
    for (const auto& event : device.events.all) {
      event->stream = event->stream == stream ? nullptr : event->stream;
    }
    device.streams.remove(stream);
    return CUDA_SUCCESS;
  });
}

EXPORTED cuStreamSynchronize(CUstream stream) {
  return on(stream, [&](CUctx_st& device) { return device.wait(stream); });
}

EXPORTED cuStreamQuery(CUstream stream) {
  return on(stream, [&](CUctx_st&) { return stream->work.empty() ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY; });
}

EXPORTED cuEventCreate(CUevent* event, unsigned) {
  return here([&](CUctx_st& device) {
    *event = device.events.add();
    return CUDA_SUCCESS;
  });
}

EXPORTED cuEventRecord(CUevent event, CUstream stream) {
  return on(stream, [&](CUctx_st& device) {
    if (!device.events.has(event)) {
      return CUDA_ERROR_INVALID_HANDLE;
    }
    event->stream = stream;
    event->place = stream->queued;
    return CUDA_SUCCESS;
  });
}

EXPORTED cuEventSynchronize(CUevent event) {
  return here([&](CUctx_st& device) {
    if (!device.events.has(event)) {
      return CUDA_ERROR_INVALID_HANDLE;
    }
    if (event->stream) {
      device.run_to(event->stream, event->place);
    }
    return device.failure;
  });
}

EXPORTED cuEventDestroy(CUevent event) {
  return here([&](CUctx_st& device) {
    return device.events.remove(event) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  });
}

EXPORTED cuDeviceGetMemPool(CUmemoryPool* pool, CUdevice number) {
  return about(number, [&](CUctx_st& device) {
    *pool = reinterpret_cast<CUmemoryPool>(&device.pool);
    return CUDA_SUCCESS;
  });
}

EXPORTED cuMemPoolSetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
  if (attribute != CU_MEMPOOL_ATTR_RELEASE_THRESHOLD) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  memcpy(&reinterpret_cast<Pool*>(handle)->threshold, value, sizeof(uint64_t));
  return CUDA_SUCCESS;
}

EXPORTED cuMemPoolGetAttribute(CUmemoryPool handle, CUmemPool_attribute attribute, void* value) {
  const Pool& pool = *reinterpret_cast<Pool*>(handle);
  const uint64_t* number = attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_CURRENT ? &pool.reserved
                           : attribute == CU_MEMPOOL_ATTR_USED_MEM_CURRENT   ? &pool.used
                           : attribute == CU_MEMPOOL_ATTR_RELEASE_THRESHOLD  ? &pool.threshold
                                                                             : nullptr;
  if (!number) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  memcpy(value, number, sizeof *number);
  return CUDA_SUCCESS;
}

EXPORTED cuMemGetInfo(size_t* free, size_t* total) {
  return here([&](CUctx_st& device) {
    *free = device.pool.memory - device.pool.reserved;
    *total = device.pool.memory;
    return CUDA_SUCCESS;
  });
}

EXPORTED cuMemAllocAsync(CUdeviceptr* start, size_t bytes, CUstream stream) {
  return on(stream, [&](CUctx_st& device) {
    if (bytes == 0) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    if (!device.pool.take(bytes)) {
      return CUDA_ERROR_OUT_OF_MEMORY;
    }
    *start = Blocks::address(device.memory.add(bytes)->data());
    return CUDA_SUCCESS;
  });
}

EXPORTED cuMemFreeAsync(CUdeviceptr start, CUstream stream) {
  return on(stream, [&](CUctx_st& device) {
    Block* block = device.memory.at(start);
    if (!block || block->freed) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    block->freed = true;
    device.pool.give(block->bytes);
    return device.queue(stream, [&device, block, start] {
      const bool whole = block->whole();
      device.memory.remove(start);
      return whole ? CUDA_SUCCESS
                   : device.lose(CUDA_ERROR_ILLEGAL_ADDRESS, "a kernel", "it has written beyond the end of memory");
    });
  });
}

EXPORTED cuMemHostAlloc(void** start, size_t bytes, unsigned) {
  return here([&](CUctx_st& device) {
    if (bytes == 0) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    *start = device.host.add(bytes)->data();
    return CUDA_SUCCESS;
  });
}

EXPORTED cuMemFreeHost(void* start) {
  return here([&](CUctx_st& device) {
    if (!device.host.at(Blocks::address(start))) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    device.host.remove(Blocks::address(start));
    return CUDA_SUCCESS;
  });
}

EXPORTED cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t count, CUstream stream) {
  return fill(to, count, stream, [=](char* bytes) { memset(bytes, value, count); });
}

EXPORTED cuMemsetD32Async(CUdeviceptr to, unsigned value, size_t count, CUstream stream) {
  if (to % 4 != 0) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  return fill(to, 4 * count, stream, [=](char* bytes) {
    for (size_t i = 0; i < count; ++i) {
      memcpy(bytes + 4 * i, &value, sizeof value);
    }
  });
}

// Pinned memory is read when the stream comes to it, other memory before this returns.
EXPORTED cuMemcpyHtoDAsync(CUdeviceptr to, const void* from, size_t bytes, CUstream stream) {
  return on(stream, [&](CUctx_st& device) {
    if (!device.memory.hold(to, bytes) && bytes > 0) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    const char* start = static_cast<const char*>(from);
    char* target = reinterpret_cast<char*>(to);
    if (!device.host.hold(Blocks::address(from), bytes)) {
      return device.queue(stream, [target, kept = std::vector<char>(start, start + bytes)] {
        memcpy(target, kept.data(), kept.size());
        return CUDA_SUCCESS;
      });
    }
    return device.queue(stream, [&device, target, start, bytes] {
      if (!device.host.hold(Blocks::address(start), bytes)) {
        return device.lose(CUDA_ERROR_ILLEGAL_ADDRESS, "a copy", "its source was given back too early");
      }
      memcpy(target, start, bytes);
      return CUDA_SUCCESS;
    });
  });
}

// To memory that is not pinned: done when this returns.
EXPORTED cuMemcpyDtoHAsync(void* to, CUdeviceptr from, size_t bytes, CUstream stream) {
  return on(stream, [&](CUctx_st& device) {
    if (!device.memory.hold(from, bytes) && bytes > 0) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    if (device.wait(stream) == CUDA_SUCCESS) {
      memcpy(to, reinterpret_cast<const char*>(from), bytes);
    }
    return device.failure;
  });
}

EXPORTED cuModuleLoadData(CUmodule* module, const void* image) {
  return here([&](CUctx_st& device) {
    // A fat binary's header: what it is, of which kind, its own length, and that of what follows.
    struct {
      uint32_t magic;
      uint16_t version, header;
      uint64_t bytes;
    } found;
    memcpy(&found, image, sizeof found);
    const bool fat = found.magic == 0xba55ed50 && found.version == 1 && found.header == sizeof found && found.bytes > 0;
    if (!fat || reinterpret_cast<uint64_t>(image) % 8 != 0) {
      return CUDA_ERROR_INVALID_IMAGE;
    }
    *module = device.modules.add();
    return CUDA_SUCCESS;
  });
}

EXPORTED cuModuleUnload(CUmodule module) {
  return here([&](CUctx_st& device) {
    return device.modules.remove(module) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
  });
}

EXPORTED cuModuleGetFunction(CUfunction* function, CUmodule module, const char* name) {
  return here([&](CUctx_st& device) {
    if (!device.modules.has(module)) {
      return CUDA_ERROR_INVALID_HANDLE;
    }
    const auto& kernels = Library::get().kernels;
    const auto found = kernels.find(name);
    if (found == kernels.end()) {
      return CUDA_ERROR_NOT_FOUND;
    }
    *function = &module->functions.emplace(name, CUfunc_st{module, &found->second}).first->second;
    return CUDA_SUCCESS;
  });
}

EXPORTED cuFuncGetParamInfo(CUfunction function, size_t at, size_t* offset, size_t* bytes) {
  const Described& kernel = *function->described;
  if (at >= kernel.sizes.size()) {
    return CUDA_ERROR_INVALID_VALUE;
  }
  *offset = kernel.offsets[at];
  if (bytes) {
    *bytes = kernel.sizes[at];
  }
  return CUDA_SUCCESS;
}

EXPORTED cuLaunchKernel(CUfunction function, unsigned x, unsigned y, unsigned z, unsigned threads, unsigned threads_y,
                        unsigned threads_z, unsigned shared, CUstream stream, void** parameters, void** extra) {
  return on(stream, [&](CUctx_st& device) {
    if (!device.modules.has(function->module)) {
      return CUDA_ERROR_INVALID_HANDLE;
    }
    const bool grid = x >= 1 && x <= INT32_MAX && y >= 1 && y <= 65535 && z >= 1 && z <= 65535;
    const bool block = threads >= 1 && threads <= function->described->kernel.bound && threads_y == 1 && threads_z == 1;
    if (!grid || !block || shared != 0 || extra) {
      return CUDA_ERROR_INVALID_VALUE;
    }
    const auto launch = std::make_shared<Launch>(function, Extent{x, y, z}, threads, parameters);
    return device.queue(stream, [&device, launch] { return launch->run(device); });
  });
}

// For tests: handles that are in use on all devices, or were when a context ended.
extern "C" __attribute__((visibility("default"), used)) uint64_t fake_cuda_held() {
  uint64_t all = 0;
  for (const auto& device : devices) {
    std::lock_guard<std::mutex> held(device->mutex);
    all += device->held() + device->abandoned + device->retained;
  }
  return all;
}
