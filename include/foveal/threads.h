#pragma once
// How many threads the library uses, and whose.

#include <cstdint>

namespace foveal {

/// Threads that later calls use, the caller's included; count >= 1. The default is the number of
/// CPUs this process may run on. Results don't depend on it.
void set_num_threads(int count);
int num_threads();

/// One piece of work: body(context, index).
using ParallelBody = void (*)(void* context, std::int64_t index);

/// Runs body(context, 0) .. body(context, count - 1), each once, on any threads, and returns when
/// all are done. `body` doesn't throw.
using ParallelRunner = void (*)(std::int64_t count, ParallelBody body, void* context);

/// Makes a host run the library's tasks on its own threads; nullptr goes back to the library's
/// pool.
void set_parallel_runner(ParallelRunner runner);

}  // namespace foveal
