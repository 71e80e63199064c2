// The kernels in the libraries beside this one.
#pragma once
#include <dirent.h>
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <vector>

#include "kernels.h"

// A kernel, and where each of its parameters lies on a device.
struct Described {
  FakeKernel kernel;
  std::vector<char> letters;
  std::vector<size_t> offsets, sizes;

  explicit Described(const FakeKernel& of) : kernel(of) {
    size_t end = 0;
    for (const char* text = of.parameters; *text;) {
      const char letter = *text;
      char* rest;
      const size_t bytes = strtoull(text + 1, &rest, 10);
      text = *rest ? rest + 1 : rest;
      // Of structures, emu::letter lets none pass but those of words.
      const size_t aligned = letter == 'w' ? 4 : bytes;
      end = (end + aligned - 1) / aligned * aligned;
      letters.push_back(letter);
      offsets.push_back(end);
      sizes.push_back(bytes);
      end += bytes;
    }
  }
};

struct Library {
  std::map<std::string, Described> kernels;
  void* (*new_machine)(bool) = nullptr;

  // Loaded once, and never unloaded. No kernels where a library is missing or broken, which is said.
  static const Library& get() {
    static const Library* loaded = new Library();
    return *loaded;
  }

 private:
  Library() {
    Dl_info self;
    if (!dladdr(reinterpret_cast<void*>(&Library::get), &self)) {
      return;
    }
    std::string folder = self.dli_fname;
    folder.erase(folder.rfind('/') + 1);
    DIR* files = opendir(folder.c_str());
    while (dirent* file = files ? readdir(files) : nullptr) {
      const std::string name = file->d_name;
      if (name.rfind("kernels-", 0) == 0) {
        load(folder + name);
      }
    }
    if (files) {
      closedir(files);
    }
  }

  void load(const std::string& path) {
    void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
    void* listed = library ? dlsym(library, "fake_kernels") : nullptr;
    void* machines = library ? dlsym(library, "emu_machine_new") : nullptr;
    if (!listed || !machines) {
      fprintf(stderr, "fake CUDA: %s\n", dlerror());
      return;
    }
    new_machine = reinterpret_cast<void* (*)(bool)>(machines);
    for (const FakeKernel* kernel = reinterpret_cast<FakeKernels>(listed)(); kernel->name; ++kernel) {
      kernels.emplace(kernel->name, Described(*kernel));
    }
  }
};
