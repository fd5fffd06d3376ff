#include "tensor/memory.h"

#include <malloc.h>
#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <mutex>
#include <new>
#include <string>
#include <vector>

#include "core/door.h"
#include "core/memory.h"
#include "core/thread_memory.h"
#include "foveal/error.h"
#include "foveal/memory.h"

namespace foveal {
namespace {

// Where the address sanitizer looks on, nothing is kept: it sees what is used after it was
// released.
#if defined(__SANITIZE_ADDRESS__)
constexpr bool kKeeps = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
constexpr bool kKeeps = false;
#else
constexpr bool kKeeps = true;
#endif
#else
constexpr bool kKeeps = true;
#endif

constexpr std::size_t kLarge = std::size_t{1} << 16;
constexpr std::size_t kMostBlocks = 64;
// Blocks that kMostKept can't hold: two, for what comes from one and goes to the other.
constexpr std::size_t kMostGiants = 2;
// Blocks this large begin at a huge page and ask for such: fewer faults, fewer walks of tables.
constexpr std::size_t kHugePage = std::size_t{2} << 20;

/// Large sizes are rounded up by an eighth at most, so that a block fits the next tensor too.
std::size_t capacity_of(std::size_t bytes) {
  const std::size_t step = std::bit_floor(bytes) / 8;
  return (bytes + step - 1) / step * step;
}

std::align_val_t alignment_of(std::size_t bytes) {
  return std::align_val_t{bytes < kHugePage ? 64 : kHugePage};
}

void* allocate_fresh(std::size_t bytes) {
  void* const data = ::operator new(bytes, alignment_of(bytes), std::nothrow);
  // Advice: where it isn't taken nothing is lost.
  if (data != nullptr && bytes >= kHugePage) madvise(data, bytes, MADV_HUGEPAGE);
  return data;
}

void free_fresh(void* data, std::size_t bytes) { ::operator delete(data, alignment_of(bytes)); }

class Kept {
 public:
  Kept(std::size_t most_bytes, std::size_t most_blocks)
      : most_(most_bytes), most_blocks_(most_blocks) {
    blocks_.reserve(most_blocks);
  }

  /// Whether it keeps blocks of that capacity at all.
  bool has_room_for(std::size_t capacity) const { return capacity <= most_; }

  /// A block of exactly that capacity, or null.
  void* take(std::size_t capacity) {
    const std::lock_guard lock(mutex_);
    for (std::size_t n = blocks_.size(); n-- > 0;) {
      if (blocks_[n].capacity != capacity) continue;
      void* const data = blocks_[n].data;
      remove(n);
      return data;
    }
    return nullptr;
  }

  void keep(void* data, std::size_t capacity) {
    const std::lock_guard lock(mutex_);
    if (capacity > most_) {
      free_fresh(data, capacity);
      return;
    }
    while (total_ + capacity > most_ || blocks_.size() == most_blocks_) free_oldest();
    blocks_.push_back({data, capacity});
    total_ += capacity;
  }

  /// Returns how many bytes there were.
  std::size_t free_all() {
    const std::lock_guard lock(mutex_);
    const std::size_t freed = total_;
    while (!blocks_.empty()) free_oldest();
    return freed;
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  struct Block {
    void* data;
    std::size_t capacity;
  };

  void remove(std::size_t n) {
    total_ -= blocks_[n].capacity;
    blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(n));
  }

  void free_oldest() {
    free_fresh(blocks_.front().data, blocks_.front().capacity);
    remove(0);
  }

  std::mutex mutex_;
  std::vector<Block> blocks_;  // the oldest first
  std::size_t total_ = 0;
  const std::size_t most_, most_blocks_;
};

/// Little where there is little.
std::size_t share_of_memory() { return usable_memory() / 8; }

// Never destroyed: tensors with static lifetime may go after them.
Kept& kept() {
  static Kept& instance = *new Kept(std::min(kMostKept, share_of_memory()), kMostBlocks);
  return instance;
}

Kept& kept_giants() {
  static Kept& instance = *new Kept(share_of_memory(), kMostGiants);
  return instance;
}

Kept& kept_for(std::size_t capacity) {
  return kept().has_room_for(capacity) ? kept() : kept_giants();
}

std::size_t free_kept() { return kept().free_all() + kept_giants().free_all(); }

void lock_kept() {
  kept().lock();
  kept_giants().lock();
}

void unlock_kept() {
  kept_giants().unlock();
  kept().unlock();
}

/// A fork waits until no other thread changes the list, or makes it: its child would find it locked
/// for ever.
[[maybe_unused]] const int kForks = pthread_atfork(lock_kept, unlock_kept, unlock_kept);

}  // namespace

void throw_no_memory(std::size_t bytes) {
  throw Error("no memory left for " + std::to_string(bytes) +
              " bytes beside the tensors; use smaller tensors or fewer threads");
}

void* allocate_memory(std::size_t bytes) {
  if (!kKeeps || bytes < kLarge) return allocate_fresh(bytes);
  const std::size_t capacity = capacity_of(bytes);
  if (void* const data = kept_for(capacity).take(capacity)) return data;
  if (void* const data = allocate_fresh(capacity)) return data;
  free_kept();
  return allocate_fresh(capacity);
}

void free_memory(void* data, std::size_t bytes) {
  if (data == nullptr) return;
  if (!kKeeps || bytes < kLarge) {
    free_fresh(data, bytes);
  } else {
    const std::size_t capacity = capacity_of(bytes);
    kept_for(capacity).keep(data, capacity);
  }
}

std::size_t release_memory() try {
  const std::size_t released = free_kept() + free_thread_blocks();
#if defined(__GLIBC__)
  malloc_trim(0);  // what is free goes back to the system, not only to malloc
#endif
  return released;
} catch (...) {
  rethrow_as_error("release_memory");
}

}  // namespace foveal
