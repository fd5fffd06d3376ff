#pragma once
// How many threads the library uses, and whose.

#include <cstdint>

#pragma GCC visibility push(default)
namespace foveal {

/// Threads that later calls use, the caller's included; count is 1 to 1024, else Error. The default
/// is the number of CPUs this process may run on. Where the system gives fewer threads, calls go on
/// with those there are. Results don't depend on it.
///
/// Threads round, and treat subnormal numbers, as the caller of a call does. A forked child starts
/// threads of its own.
void set_num_threads(int count);
int num_threads();

/// One piece of work: body(context, index).
using ParallelBody = void (*)(void* context, std::int64_t index);

/// Runs body(context, 0) .. body(context, count - 1), each once, on any threads, and returns when
/// all are done. `body` doesn't throw; what it calls of this library runs inline. `user` is the
/// host's own.
using ParallelRunner = void (*)(std::int64_t count, ParallelBody body, void* context, void* user);

/// Makes a host run the tasks of later calls on its own threads; nullptr goes back to the library's
/// pool. `user` must live as long as calls may use the runner.
void set_parallel_runner(ParallelRunner runner, void* user = nullptr);

}  // namespace foveal
#pragma GCC visibility pop
