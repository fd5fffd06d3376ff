#include "core/thread_memory.h"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace foveal {
namespace {

constexpr std::align_val_t kAlignment{64};

class Block {
 public:
  ~Block() { release(); }

  std::size_t release() {
    const std::size_t released = size_;
    ::operator delete(data_, kAlignment);
    data_ = nullptr;
    size_ = 0;
    return released;
  }

  ThreadBlock reserve(std::size_t bytes) {
    if (bytes <= size_) return {data_, false};
    release();  // first, so that both never lie side by side
    data_ = ::operator new(bytes, kAlignment);
    size_ = bytes;
    return {data_, true};
  }

 private:
  void* data_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace

/// One thread's blocks.
class ThreadMemory {
 public:
  ThreadBlock reserve(Kept kind, std::size_t bytes) {
    if (!ThreadMemoryScope::holds_) take();
    ThreadMemoryScope::holds_ = true;
    return blocks_[static_cast<std::size_t>(kind)].reserve(bytes);
  }

  void let_go() {
    ThreadMemoryScope::holds_ = false;
    in_use_.clear(std::memory_order_release);
  }

  /// What they had; 0 where the thread is in a task.
  std::size_t release() {
    if (in_use_.test_and_set(std::memory_order_acquire)) return 0;
    std::size_t released = 0;
    for (Block& block : blocks_) released += block.release();
    in_use_.clear(std::memory_order_release);
    return released;
  }

 private:
  /// Only its own thread waits: for the moment in which another frees what nobody used.
  void take() {
    while (in_use_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }

  std::atomic_flag in_use_;
  Block blocks_[static_cast<std::size_t>(Kept::last) + 1];
};

namespace {

/// All threads' memory. Never destroyed: threads may end after it.
class Registry {
 public:
  void add(ThreadMemory* memory) {
    const std::lock_guard lock(mutex_);
    all_.push_back(memory);
  }

  void remove(ThreadMemory* memory) {
    const std::lock_guard lock(mutex_);
    all_.erase(std::find(all_.begin(), all_.end(), memory));
  }

  /// But that of `mine`.
  std::size_t release_others(const ThreadMemory* mine) {
    const std::lock_guard lock(mutex_);
    std::size_t released = 0;
    for (ThreadMemory* memory : all_) released += memory == mine ? 0 : memory->release();
    return released;
  }

  void lock() { mutex_.lock(); }
  void unlock() { mutex_.unlock(); }

 private:
  std::mutex mutex_;
  std::vector<ThreadMemory*> all_;
};

Registry& registry() {
  static Registry& instance = *new Registry;
  return instance;
}

/// A forked child finds the list whole and free. Memory of threads that it doesn't have is in the
/// list, and freed with the rest, but for that of threads that were in a task.
[[maybe_unused]] const int kForks = pthread_atfork(
    [] { registry().lock(); }, [] { registry().unlock(); }, [] { registry().unlock(); });

/// The calling thread's, made when it is first asked for.
class Mine {
 public:
  ~Mine() {
    if (memory_ != nullptr) registry().remove(memory_.get());
  }

  ThreadMemory* get() const { return memory_.get(); }

  ThreadMemory& made() {
    if (memory_ == nullptr) {
      auto fresh = std::make_unique<ThreadMemory>();
      registry().add(fresh.get());
      memory_ = std::move(fresh);
    }
    return *memory_;
  }

 private:
  std::unique_ptr<ThreadMemory> memory_;
};

thread_local Mine mine;

}  // namespace

ThreadBlock thread_block(Kept kind, std::size_t bytes) { return mine.made().reserve(kind, bytes); }

void ThreadMemoryScope::let_go() { mine.get()->let_go(); }

std::size_t free_thread_blocks() {
  ThreadMemory* const own = mine.get();
  const bool own_is_free = own != nullptr && !ThreadMemoryScope::holds_now();
  return registry().release_others(own) + (own_is_free ? own->release() : 0);
}

}  // namespace foveal
