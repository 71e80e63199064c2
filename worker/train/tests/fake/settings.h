// How the stand-in behaves: read from the environment, once.
#pragma once
#include <cstdint>
#include <cstdlib>

struct Settings {
  // FAKE_CUDA_DEVICES: how many there are.
  int devices = 1;
  // FAKE_CUDA_MEMORY: bytes of each.
  uint64_t memory = uint64_t(4) << 30;
  // FAKE_CUDA_LOST_AFTER: launches on a device after which it is lost; none is, where nothing is said.
  uint64_t lost_after = ~uint64_t(0);
  // FAKE_CUDA_LOST_DEVICE: the only one that is lost; all are, each after so many of its own launches, where nothing
  // is said.
  int lost_device = -1;
  // FAKE_CUDA_VERSION: the CUDA that the driver is for, as CUDA writes it.
  int version = 13000;
  // FAKE_CUDA_CAPABILITY: 80 for 8.0.
  int capability = 80;
  // FAKE_CUDA_BEHIND=1: work is done when somebody waits for it. Else it is done where it is queued.
  bool behind = false;

  static uint64_t number(const char* name, uint64_t otherwise) {
    const char* text = getenv(name);
    return text && *text ? strtoull(text, nullptr, 10) : otherwise;
  }

  static const Settings& get() {
    static const Settings read = [] {
      Settings found;
      found.devices = static_cast<int>(number("FAKE_CUDA_DEVICES", found.devices));
      found.memory = number("FAKE_CUDA_MEMORY", found.memory);
      found.lost_after = number("FAKE_CUDA_LOST_AFTER", found.lost_after);
      found.lost_device = static_cast<int>(number("FAKE_CUDA_LOST_DEVICE", found.lost_device));
      found.version = static_cast<int>(number("FAKE_CUDA_VERSION", found.version));
      found.capability = static_cast<int>(number("FAKE_CUDA_CAPABILITY", found.capability));
      found.behind = number("FAKE_CUDA_BEHIND", 0) != 0;
      return found;
    }();
    return read;
  }
};
