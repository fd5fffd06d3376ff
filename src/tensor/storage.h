#pragma once
// The memory behind tensors: our own or a caller's, shared by all views of it.

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
  /// Throws Error where the memory is read-only.
  void* writable_data() const;
  bool read_only() const { return read_only_; }

  std::uint64_t version() const { return version_; }
  void count_write() { ++version_; }

 private:
  Storage(void* data, std::function<void(void*)> deleter, bool read_only);

  void* data_;
  std::function<void(void*)> deleter_;
  bool read_only_;
  std::uint64_t version_ = 0;
};

}  // namespace foveal
