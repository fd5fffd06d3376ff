#pragma once
// Memory that each thread keeps between tasks. Other threads may give it back while that one runs
// none.

#include <cstddef>

namespace foveal {

/// What a thread keeps a block for: one each.
enum class Kept {
  workspace,
  value_pairs,
  packed_keys,
  packed_block,
  wide_rows,
  scores,
  terms,
  parts,
  rows,
  last = rows
};

struct ThreadBlock {
  void* data;
  bool fresh;  ///< not what the thread's last call for it gave: it holds anything
};

/// At least `bytes` of the calling thread's, 64-byte aligned. To be called in a task, and valid
/// until the task ends or asks for more. Throws std::bad_alloc; then the thread keeps none.
ThreadBlock thread_block(Kept kind, std::size_t bytes);

/// Frees the blocks of all threads that run no task. Returns how many bytes these had.
std::size_t free_thread_blocks();

/// A task of this thread, or several on end.
class ThreadMemoryScope {
 public:
  ThreadMemoryScope() { ++depth_; }
  ~ThreadMemoryScope() {
    if (--depth_ == 0 && holds_) let_go();
  }
  ThreadMemoryScope(const ThreadMemoryScope&) = delete;
  ThreadMemoryScope& operator=(const ThreadMemoryScope&) = delete;

  /// Whether the thread's blocks are in use.
  static bool holds_now() { return holds_; }

 private:
  friend class ThreadMemory;
  static void let_go();

  static inline thread_local int depth_ = 0;
  static inline thread_local bool holds_ = false;  // the thread's blocks, against other threads
};

}  // namespace foveal
