#include "attention/engine/workspace.h"

#include "core/thread_memory.h"

namespace foveal {

template <class T>
T* workspace(std::int64_t count) {
  const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
  return static_cast<T*>(thread_block(Kept::workspace, bytes).data);
}

template float* workspace<float>(std::int64_t);
template double* workspace<double>(std::int64_t);

}  // namespace foveal
