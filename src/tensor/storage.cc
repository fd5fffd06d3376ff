#include "tensor/storage.h"

#include <string>

#include "core/door.h"
#include "core/memory.h"
#include "foveal/error.h"
#include "tensor/memory.h"

namespace foveal {

std::shared_ptr<Storage> Storage::allocate(const Shape& shape, DType dtype) try {
  const std::int64_t count = element_count(shape);
  std::int64_t bytes = 0;
  // An operating system that hands out more than it has would let an absurd size through, and kill
  // the process at the first write.
  const bool overflow =
      __builtin_mul_overflow(count, static_cast<std::int64_t>(size_of(dtype)), &bytes);
  if (overflow || static_cast<std::uint64_t>(bytes) > usable_memory()) {
    throw Error("a tensor of shape " + to_string(shape) + " and dtype " + to_string(dtype) +
                " has " + std::to_string(count) + " elements: the " +
                std::to_string(usable_memory()) +
                " bytes of memory that this process may use can't hold it; use a smaller shape");
  }
  const auto size = static_cast<std::size_t>(bytes);
  const std::shared_ptr<Storage> storage(
      new Storage(nullptr, [size](void* memory) { free_memory(memory, size); }, false, false));
  storage->data_ = allocate_memory(size);
  if (storage->data_ == nullptr) {
    throw Error("a tensor of shape " + to_string(shape) + " and dtype " + to_string(dtype) +
                ": no memory left for " + std::to_string(bytes) + " bytes; use a smaller shape");
  }
  return storage;
} catch (...) {
  rethrow_as_error("a tensor");
}

std::shared_ptr<Storage> Storage::wrap(void* data, std::function<void(void*)> deleter,
                                       bool read_only) {
  return std::shared_ptr<Storage>(new Storage(data, std::move(deleter), read_only, true));
}

Storage::Storage(void* data, std::function<void(void*)> deleter, bool read_only, bool handed_out)
    : data_(data), deleter_(std::move(deleter)), read_only_(read_only), handed_out_(handed_out) {}

Storage::~Storage() {
  if (deleter_) deleter_(data_);
}

void* Storage::writable_data() const {
  if (read_only_) {
    throw Error(
        "the tensor's memory is read-only: write into clone(), or read through a const "
        "Tensor");
  }
  return data_;
}

void* Storage::hand_out() {
  void* const data = writable_data();
  handed_out_.store(true, std::memory_order_release);
  count_write();
  return data;
}

}  // namespace foveal
