#pragma once
// Memory for elements. A fresh page costs more to fault in than a product takes to write it, so
// large blocks are kept for the next tensor when a tensor lets go of them.

#include <cstddef>

namespace foveal {

/// At least `bytes`, aligned to 64, not initialised; null where there are none. Any thread.
void* allocate_memory(std::size_t bytes);

/// Gives back what allocate_memory(bytes) returned, null too. At most kMostKept bytes are kept, the
/// newest, and the two newest blocks that are larger than that.
void free_memory(void* data, std::size_t bytes);

constexpr std::size_t kMostKept = std::size_t{256} << 20;

[[noreturn]] void throw_no_memory(std::size_t bytes);

/// Room for `count` numbers while a function runs. Throws Error where there is none.
template <class T>
class Scratch {
 public:
  explicit Scratch(std::size_t count)
      : bytes_(count * sizeof(T)), data_(static_cast<T*>(allocate_memory(bytes_))) {
    if (data_ == nullptr) throw_no_memory(bytes_);
  }
  ~Scratch() { free_memory(data_, bytes_); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  T* data() const { return data_; }

 private:
  std::size_t bytes_;
  T* data_;
};

}  // namespace foveal
