#pragma once
// Memory that each thread keeps between tasks.

#include <cstdint>

namespace foveal {

/// At least `count` numbers of the calling thread's, 64-byte aligned, valid until the task ends or
/// calls again, for whatever T. Throws std::bad_alloc.
template <class T>
T* workspace(std::int64_t count);

}  // namespace foveal
