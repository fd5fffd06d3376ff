#include "attention/engine/workspace.h"

#include <memory>
#include <new>

namespace foveal {
namespace {

constexpr std::align_val_t kAlignment{64};

struct Buffer {
  void* data = nullptr;
  std::size_t size = 0;

  ~Buffer() { release(); }

  void release() {
    if (data != nullptr) ::operator delete(data, kAlignment);
    data = nullptr;
    size = 0;
  }

  void* reserve(std::size_t wanted) {
    if (wanted > size) {
      release();
      data = ::operator new(wanted, kAlignment);
      size = wanted;
    }
    return data;
  }
};

}  // namespace

template <class T>
T* workspace(std::int64_t count) {
  thread_local Buffer buffer;
  return static_cast<T*>(buffer.reserve(static_cast<std::size_t>(count) * sizeof(T)));
}

template float* workspace<float>(std::int64_t);
template double* workspace<double>(std::int64_t);

}  // namespace foveal
