// A device of the stand-in: its primary context, streams of work, and whether it is lost.
#pragma once
#include <cuda.h>

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <utility>
#include <vector>

#include "library.h"
#include "memory.h"
#include "settings.h"

// Handles are pointers to these, by the names that cuda.h gives them.
struct CUfunc_st {
  CUmodule module;
  const Described* described;
};

struct CUmod_st {
  // Each looked up once.
  std::map<std::string, CUfunc_st> functions;
};

struct CUstream_st {
  std::deque<std::function<CUresult()>> work;
  // Work that was ever queued, and that is done.
  uint64_t queued = 0, done = 0;
};

struct CUevent_st {
  // Null where it was not recorded.
  CUstream stream = nullptr;
  uint64_t place = 0;
};

// Handles of one kind, as far as they are in use.
template <class T> class Handles {
 public:
  T* add() {
    all.push_back(std::make_unique<T>());
    return all.back().get();
  }

  bool has(const T* handle) const {
    return find(handle) != all.end();
  }

  bool remove(const T* handle) {
    const auto found = find(handle);
    if (found == all.end()) {
      return false;
    }
    all.erase(found);
    return true;
  }

  std::vector<std::unique_ptr<T>> all;

 private:
  typename std::vector<std::unique_ptr<T>>::const_iterator find(const T* handle) const {
    return std::find_if(all.begin(), all.end(), [&](const auto& one) { return one.get() == handle; });
  }
};

// A primary context, and so all that belongs to a device.
struct CUctx_st {
  std::mutex mutex;
  int ordinal = 0;
  unsigned retained = 0;
  // The first error that is for good.
  CUresult failure = CUDA_SUCCESS;
  uint64_t launches = 0;
  void* machine = nullptr;
  Blocks memory, host;
  Pool pool;
  Handles<CUstream_st> streams;
  Handles<CUevent_st> events;
  Handles<CUmod_st> modules;
  // Handles that were in use when the context ended, though the device was not lost.
  size_t abandoned = 0;

  CUresult lose(CUresult error, const char* kernel, const char* why) {
    fprintf(stderr, "fake CUDA: device %d, %s: %s\n", ordinal, kernel, why);
    return failure = error;
  }

  // Works on a stream until so much is done of what was ever queued there.
  void run_to(CUstream stream, uint64_t place) {
    while (stream->done < place && !stream->work.empty()) {
      const auto work = std::move(stream->work.front());
      stream->work.pop_front();
      ++stream->done;
      if (failure == CUDA_SUCCESS) {
        work();
      }
    }
  }

  CUresult wait(CUstream stream) {
    run_to(stream, stream->queued);
    pool.waited();
    return failure;
  }

  // What fails in it is not known to the one who queues it, even where it is done at once.
  CUresult queue(CUstream stream, std::function<CUresult()> work) {
    stream->work.push_back(std::move(work));
    ++stream->queued;
    if (!Settings::get().behind) {
      run_to(stream, stream->queued);
    }
    return CUDA_SUCCESS;
  }

  size_t held() const {
    return memory.count() + host.count() + streams.all.size() + events.all.size() + modules.all.size();
  }

  void end() {
    for (const auto& stream : streams.all) {
      run_to(stream.get(), stream->queued);
    }
    abandoned += failure == CUDA_SUCCESS ? held() : 0;
    memory.clear();
    host.clear();
    streams.all.clear();
    events.all.clear();
    modules.all.clear();
    pool.used = pool.reserved = 0;
  }
};

struct Extent {
  unsigned x, y, z;
};

// A launch with its arguments as they were when it was queued.
struct Launch {
  CUmodule module;
  const Described* of;
  unsigned blocks[3], threads;
  std::vector<std::vector<uint64_t>> words;

  Launch(CUfunction function, Extent grid, unsigned extent, void** parameters)
      : module(function->module), of(function->described), blocks{grid.x, grid.y, grid.z}, threads(extent) {
    for (size_t i = 0; i < of->sizes.size(); ++i) {
      words.emplace_back((of->sizes[i] + 7) / 8);
      memcpy(words.back().data(), parameters[i], of->sizes[i]);
    }
  }

  CUresult run(CUctx_st& device) {
    const Settings& settings = Settings::get();
    const bool may_be_lost = settings.lost_device < 0 || settings.lost_device == device.ordinal;
    if (may_be_lost && device.launches >= settings.lost_after) {
      return device.lose(CUDA_ERROR_LAUNCH_FAILED, of->kernel.name, "the device was to be lost here");
    }
    ++device.launches;
    if (!device.modules.has(module)) {
      return device.lose(CUDA_ERROR_ILLEGAL_ADDRESS, of->kernel.name, "its module was unloaded too early");
    }
    std::vector<void*> arguments;
    for (size_t i = 0; i < words.size(); ++i) {
      arguments.push_back(words[i].data());
      if (of->letters[i] == 'p' && words[i][0] && !device.memory.hold(words[i][0], 0)) {
        return device.lose(CUDA_ERROR_ILLEGAL_ADDRESS, of->kernel.name, "an address is of no memory");
      }
    }
    const char* wrong = of->kernel.run(device.machine, blocks, threads, arguments.data());
    return wrong ? device.lose(CUDA_ERROR_LAUNCH_FAILED, of->kernel.name, wrong) : CUDA_SUCCESS;
  }
};
