// The machine that a grid runs on: its blocks one after another, each thread of a block a fiber. Threads run one by
// one from barrier to barrier, forward or in reverse; a warp goes on until all its threads wait for the block.
#pragma once
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <vector>

#if defined(__linux__)
#include <link.h>
#endif

#include "fibers.h"

struct dim3 {
  unsigned x, y, z;
};

namespace emu {

constexpr unsigned WARP = 32;
// A little more than a power of two, so that the tops of stacks do not meet in one set of the cache.
constexpr size_t STACK = (EMU_ASAN ? 256 * 1024 : 64 * 1024) + 17 * 64;
constexpr uint64_t CANARY = 0x5ca1ab1e0ddba115;

enum class State { Ready, AtBlock, AtWarp, Done };

struct Thread {
  Fiber fiber;
  dim3 index;
  State state;
  // The barrier it waits at, for people.
  const char* where;
  // Of a wait within the warp: who takes part, what this lane gives, and the lane whose gift it gets.
  unsigned mask, source;
  uint64_t value;
};

struct Machine;

// What a kernel's code finds, per operating system thread. It lies amid the shared variables.
struct Local {
  Machine* machine;
  char* shared;
  size_t shared_bytes;
};
static thread_local Local local;

#if defined(__linux__)
// The thread-local variables of this library, which are its `__shared__` ones and `local`.
inline int find_shared(dl_phdr_info* info, size_t, void*) {
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    char* from = static_cast<char*>(info->dlpi_tls_data);
    char* mine = reinterpret_cast<char*>(&local);
    const size_t bytes = info->dlpi_phdr[i].p_memsz;
    if (info->dlpi_phdr[i].p_type == PT_TLS && from && from <= mine && mine < from + bytes) {
      local.shared = from;
      local.shared_bytes = bytes;
      return 1;
    }
  }
  return 0;
}
#endif

// Fills shared memory with NaN: a kernel that reads what no thread of its block wrote shows.
inline void poison_shared() {
#if defined(__linux__)
  if (!local.shared) {
    dl_iterate_phdr(find_shared, nullptr);
  }
  const Local kept = local;
  if (kept.shared) {
    memset(kept.shared, 0xff, kept.shared_bytes);
    local = kept;
  }
#endif
}

struct Machine {
  bool reversed = false;
  std::vector<Thread> threads;
  std::unique_ptr<char[]> stacks;
  size_t stack_count = 0;
  Fiber scheduler;
  Thread* current = nullptr;
  void (*body)(const void*) = nullptr;
  const void* data = nullptr;
  dim3 block = {}, block_extent = {}, grid_extent = {};
  // A block without a barrier shares nothing, so that shared memory is as clean after it as before.
  bool met = false;
  char failure[512] = "";

  bool fail(const char* format, ...) __attribute__((format(printf, 2, 3))) {
    char what[256];
    va_list values;
    va_start(values, format);
    vsnprintf(what, sizeof what, format, values);
    va_end(values);
    snprintf(failure, sizeof failure, "%s in block (%u, %u, %u)", what, block.x, block.y, block.z);
    return false;
  }

  unsigned count() const {
    return static_cast<unsigned>(threads.size());
  }

  char* stack(unsigned thread) {
    return stacks.get() + thread * STACK;
  }

  bool run(dim3 blocks, unsigned extent, void (*kernel)(const void*), const void* arguments) {
    failure[0] = 0;
    threads.resize(extent);
    if (stack_count < extent) {
      stacks.reset(new char[extent * STACK]);
      stack_count = extent;
    }
    body = kernel;
    data = arguments;
    grid_extent = blocks;
    block_extent = {extent, 1, 1};
    local.machine = this;
    met = true;
    for (block.z = 0; block.z < blocks.z; ++block.z) {
      for (block.y = 0; block.y < blocks.y; ++block.y) {
        for (block.x = 0; block.x < blocks.x; ++block.x) {
          if (met) {
            poison_shared();
            met = false;
          }
          if (!run_block()) {
            return false;
          }
        }
      }
    }
    return true;
  }

  bool run_block() {
    for (unsigned i = 0; i < count(); ++i) {
      Thread& thread = threads[i];
      thread.index = {i, 0, 0};
      thread.state = State::Ready;
      thread.fiber.prepare(stack(i), STACK, &Machine::thread_main);
      memcpy(stack(i), &CANARY, sizeof CANARY);
    }
    const unsigned warps = (count() + WARP - 1) / WARP;
    for (;;) {
      for (unsigned k = 0; k < warps; ++k) {
        if (!run_warp(reversed ? warps - 1 - k : k)) {
          return false;
        }
      }
      unsigned done = 0;
      for (const Thread& thread : threads) {
        done += thread.state == State::Done;
      }
      if (done == count()) {
        return true;
      }
      if (!meet_block(done)) {
        return false;
      }
    }
  }

  bool meet_block(unsigned done) {
    const char* where = nullptr;
    for (const Thread& thread : threads) {
      where = thread.state == State::AtBlock ? thread.where : where;
    }
    if (done > 0) {
      return fail("divergent barrier: %u of %u threads have ended while others wait at %s", done, count(), where);
    }
    for (Thread& thread : threads) {
      if (strcmp(thread.where, where) != 0) {
        return fail("divergent barrier: some threads wait at %s, others at %s", where, thread.where);
      }
      thread.state = State::Ready;
    }
    return true;
  }

  // Runs a warp until all its threads wait for the block or have ended.
  bool run_warp(unsigned warp) {
    const unsigned first = warp * WARP;
    const unsigned lanes = count() - first < WARP ? count() - first : WARP;
    for (;;) {
      for (unsigned k = 0; k < lanes; ++k) {
        const unsigned i = first + (reversed ? lanes - 1 - k : k);
        if (threads[i].state == State::Ready) {
          current = &threads[i];
          scheduler.switch_to(current->fiber, false);
          if (memcmp(stack(i), &CANARY, sizeof CANARY) != 0) {
            return fail("thread %u has used more than its %zu bytes of stack", i, STACK);
          }
        }
      }
      bool waits = false, goes_on = false;
      for (unsigned lane = 0; lane < lanes; ++lane) {
        if (threads[first + lane].state == State::AtWarp) {
          waits = true;
          goes_on |= meet_warp(first, lanes, lane);
          if (failure[0]) {
            return false;
          }
        }
      }
      if (!waits) {
        return true;
      }
      if (!goes_on) {
        for (unsigned lane = 0; lane < lanes; ++lane) {
          const Thread& thread = threads[first + lane];
          if (thread.state == State::AtWarp) {
            return fail("divergent barrier: thread %u waits at %s for lanes %08x, not all of which come",
                        first + lane, thread.where, thread.mask);
          }
        }
      }
    }
  }

  // Lets the lanes that wait with this one go on, if all are there.
  bool meet_warp(unsigned first, unsigned lanes, unsigned with) {
    Thread* warp = &threads[first];
    const unsigned there = lanes == WARP ? ~0u : (1u << lanes) - 1;
    const unsigned mask = warp[with].mask & there;
    if (!(mask >> with & 1)) {
      return fail("thread %u is not among the lanes %08x that it waits for at %s", first + with, mask,
                  warp[with].where);
    }
    uint64_t gifts[WARP];
    for (unsigned lane = 0; lane < lanes; ++lane) {
      const Thread& thread = warp[lane];
      gifts[lane] = thread.value;
      if ((mask >> lane & 1) && (thread.state != State::AtWarp || (thread.mask & there) != mask ||
                                 strcmp(thread.where, warp[with].where) != 0)) {
        return false;
      }
    }
    for (unsigned lane = 0; lane < lanes; ++lane) {
      if (mask >> lane & 1) {
        const unsigned source = warp[lane].source;
        if (!(mask >> source & 1)) {
          return fail("thread %u reads lane %u at %s, which takes no part", first + lane, source, warp[lane].where);
        }
        warp[lane].value = gifts[source];
        warp[lane].state = State::Ready;
      }
    }
    return true;
  }

  void park(State state, const char* where) {
    met = true;
    current->state = state;
    current->where = where;
    current->fiber.switch_to(scheduler, false);
  }

  static void thread_main() {
    Machine* machine = local.machine;
    Fiber::arrived(machine->scheduler);
    machine->body(machine->data);
    machine->current->state = State::Done;
    machine->current->fiber.switch_to(machine->scheduler, true);
    abort();
  }
};

inline void block_barrier(const char* where) {
  local.machine->park(State::AtBlock, where);
}

inline unsigned lane() {
  return local.machine->current->index.x % WARP;
}

inline uint64_t exchange(unsigned mask, uint64_t value, unsigned source, const char* where) {
  Thread* me = local.machine->current;
  me->mask = mask;
  me->source = source;
  me->value = value;
  local.machine->park(State::AtWarp, where);
  return me->value;
}

template <class T> T shuffle(unsigned mask, T value, unsigned source, const char* where) {
  static_assert(sizeof(T) <= sizeof(uint64_t), "shuffles carry up to 8 bytes");
  uint64_t bits = 0;
  memcpy(&bits, &value, sizeof value);
  bits = exchange(mask, bits, source, where);
  memcpy(&value, &bits, sizeof value);
  return value;
}

}  // namespace emu
