// Host memory that stands for a device's, with guards around it, and the pool that counts it.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>

// Memory at a fixed place.
class Block {
 public:
  // Filled with what nobody should read: a device does not clear memory either.
  explicit Block(size_t of) : bytes(of) {
    const size_t whole = (of + 2 * GUARD + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    start = static_cast<char*>(aligned_alloc(ALIGNMENT, whole));
    if (!start) {
      fprintf(stderr, "fake CUDA: the host has no %zu bytes\n", of);
      abort();
    }
    memset(start, 0xff, GUARD);
    memset(data(), 0xa5, of);
    memset(data() + of, 0xff, GUARD);
  }

  Block(const Block&) = delete;

  ~Block() {
    free(start);
  }

  char* data() const {
    return start + GUARD;
  }

  // Whether nobody has written beyond an end.
  bool whole() const {
    const auto kept = [](char byte) { return byte == char(0xff); };
    return std::all_of(start, start + GUARD, kept) && std::all_of(data() + bytes, data() + bytes + GUARD, kept);
  }

  const size_t bytes;
  // It was given back, and is there until the stream has come to that.
  bool freed = false;

 private:
  static constexpr size_t ALIGNMENT = 512, GUARD = 1024;
  char* start;
};

// Blocks by the address of their first byte.
class Blocks {
 public:
  Block* add(size_t bytes) {
    auto made = std::make_unique<Block>(bytes);
    Block* block = made.get();
    all.emplace(address(block->data()), std::move(made));
    return block;
  }

  // The one that begins here, or null.
  Block* at(uint64_t start) const {
    const auto found = all.find(start);
    return found == all.end() ? nullptr : found->second.get();
  }

  // Whether so many bytes from here on are all in one block.
  bool hold(uint64_t from, uint64_t bytes) const {
    auto next = all.upper_bound(from);
    if (next == all.begin()) {
      return false;
    }
    const auto& [start, block] = *--next;
    const uint64_t at = from - start;
    return at <= block->bytes && bytes <= block->bytes - at;
  }

  void remove(uint64_t start) {
    all.erase(start);
  }

  void clear() {
    all.clear();
  }

  size_t count() const {
    return all.size();
  }

  static uint64_t address(const void* data) {
    return reinterpret_cast<uint64_t>(data);
  }

 private:
  std::map<uint64_t, std::unique_ptr<Block>> all;
};

// What a device's memory pool has taken of it, and how much of that is in use.
struct Pool {
  // It takes memory in pieces of so many bytes.
  static constexpr uint64_t PIECE = 2 << 20, LEAST = 512;
  uint64_t memory = 0, reserved = 0, used = 0;
  // What it keeps when it is waited for and little is in use.
  uint64_t threshold = 0;

  static uint64_t rounded(uint64_t bytes, uint64_t to) {
    return (bytes + to - 1) / to * to;
  }

  bool take(uint64_t bytes) {
    const uint64_t more = rounded(bytes, LEAST);
    if (more < bytes || more > memory - used) {
      return false;
    }
    used += more;
    reserved = std::max(reserved, std::min(memory, rounded(used, PIECE)));
    return true;
  }

  void give(uint64_t bytes) {
    used -= rounded(bytes, LEAST);
  }

  void waited() {
    const uint64_t needed = std::min(memory, rounded(used, PIECE));
    reserved = std::max(needed, std::min(reserved, threshold));
  }
};
