// A thread of a kernel as a fiber: a stack of its own that an operating system thread steps onto and off.
#pragma once
#include <cstddef>
#include <cstdint>

#if defined(__SANITIZE_ADDRESS__)
#define EMU_ASAN 1
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#else
#define EMU_ASAN 0
#endif

#if defined(__x86_64__)
// What the System V ABI has a function keep; ucontext would also ask the kernel for its signal mask, every time.
extern "C" __attribute__((visibility("hidden"))) void emu_switch(void** from, void* to);
asm(R"(
.text
.p2align 4
.hidden emu_switch
.globl emu_switch
.type emu_switch, @function
emu_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size emu_switch, . - emu_switch
)");
#else
#include <ucontext.h>
#endif

namespace emu {

class Fiber {
 public:
  // To start at `entry`, which never returns, on a stack of its own.
  void prepare(char* stack, size_t bytes, void (*entry)()) {
    bottom = stack;
    size = bytes;
#if EMU_ASAN
    fake = nullptr;
    __asan_unpoison_memory_region(stack, bytes);
#endif
#if defined(__x86_64__)
    // As after a call: the return address lies 8 below a multiple of 16.
    void** top = reinterpret_cast<void**>((reinterpret_cast<uintptr_t>(stack) + bytes) & ~uintptr_t(15));
    *--top = nullptr;
    *--top = reinterpret_cast<void*>(entry);
    for (int saved = 0; saved < 6; ++saved) {
      *--top = nullptr;
    }
    at = top;
#else
    getcontext(&at);
    at.uc_stack = {stack, 0, bytes};
    at.uc_link = nullptr;
    makecontext(&at, entry, 0);
#endif
  }

  // Leaves for `to`; goes on here when somebody switches back, which nobody does after the last time.
  void switch_to(Fiber& to, bool last) {
#if EMU_ASAN
    __sanitizer_start_switch_fiber(last ? nullptr : &fake, to.bottom, to.size);
#else
    (void)last;
#endif
#if defined(__x86_64__)
    emu_switch(&at, to.at);
#else
    swapcontext(&at, &to.at);
#endif
#if EMU_ASAN
    __sanitizer_finish_switch_fiber(fake, nullptr, nullptr);
#endif
  }

  // The first thing on a new stack: `from` is who came here.
  static void arrived(Fiber& from) {
#if EMU_ASAN
    __sanitizer_finish_switch_fiber(nullptr, &from.bottom, &from.size);
#else
    (void)from;
#endif
  }

 private:
#if defined(__x86_64__)
  void* at = nullptr;
#else
  ucontext_t at;
#endif
  const void* bottom = nullptr;
  size_t size = 0;
#if EMU_ASAN
  void* fake = nullptr;
#endif
};

}  // namespace emu
