#pragma once
// The memory behind tensors: our own or a caller's, shared by all views of it.

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>

#include "foveal/dtype.h"
#include "foveal/shape.h"

namespace foveal {

class Storage {
 public:
  /// Memory of our own for `shape`, aligned to 64 bytes and not initialised. Throws Error before
  /// anything is allocated where the size can't fit in the memory that this process may use.
  static std::shared_ptr<Storage> allocate(const Shape& shape, DType dtype);
  /// Memory of the caller's; `deleter` (may be empty) runs once, when the last handle goes.
  static std::shared_ptr<Storage> wrap(void* data, std::function<void(void*)> deleter,
                                       bool read_only);

  Storage(const Storage&) = delete;
  Storage& operator=(const Storage&) = delete;
  ~Storage();

  const void* data() const { return data_; }
  /// For an operation's own writes, which it counts. Throws Error where the memory is read-only.
  void* writable_data() const;
  /// For a caller, who may write at any time from now on: counts, and is remembered.
  void* hand_out();
  bool read_only() const { return read_only_; }

  /// Any thread may ask and count.
  std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  void count_write() { version_.fetch_add(1, std::memory_order_release); }
  /// Whether someone may write without its being counted: a writable pointer was handed out, or the
  /// memory is a caller's. What was read must then be read again each time.
  bool may_change_unseen() const { return handed_out_.load(std::memory_order_acquire); }

 private:
  Storage(void* data, std::function<void(void*)> deleter, bool read_only, bool handed_out);

  void* data_;
  std::function<void(void*)> deleter_;
  bool read_only_;
  std::atomic<std::uint64_t> version_{0};
  std::atomic<bool> handed_out_;
};

}  // namespace foveal
