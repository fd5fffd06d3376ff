// Calls on the OpenMP threads that PyTorch's operations run on: two pools would take the CPUs from
// one another, since OpenMP's threads spin for some milliseconds after each region.

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "bindings.h"
#include "core/thread_pool.h"
#include "foveal/threads.h"

namespace nb = nanobind;
using nanobind::literals::operator""_a;

namespace foveal::python {
namespace {

/// GOMP_parallel: work(data) on each of `threads` threads. LLVM's and Intel's OpenMP have it too.
using Fork = void (*)(void (*work)(void*), void* data, unsigned threads, unsigned flags);

/// Of the library that is joined, from then on.
struct OpenMp {
  Fork fork = nullptr;
  int (*most)() = nullptr;  // omp_get_max_threads: PyTorch's number
};

OpenMp openmp;

struct Tasks {
  std::int64_t count;
  ParallelBody body;
  void* context;
  std::atomic<std::int64_t> next{0};

  static void take(void* data) {
    Tasks& tasks = *static_cast<Tasks*>(data);
    for (std::int64_t index = tasks.next++; index < tasks.count; index = tasks.next++) {
      tasks.body(tasks.context, index);
    }
  }
};

/// No more threads than PyTorch's operations take: OpenMP ends the process where it gets fewer than
/// it is asked for.
void run(std::int64_t count, ParallelBody body, void* context, void*) {
  Tasks tasks{count, body, context};
  const int most = std::max(1, std::min(threads_of_call(), openmp.most()));
  const auto threads = static_cast<unsigned>(std::min<std::int64_t>(count, most));
  openmp.fork(Tasks::take, &tasks, threads, 0);
}

/// A forked child has none of OpenMP's threads, which OpenMP would wait for: the library's pool
/// starts threads of its own there.
void leave_to_parent() { set_parallel_runner(nullptr); }

}  // namespace

void bind_openmp(nb::module_& module) {
  module.def(
      "run_on_openmp",
      [](std::uintptr_t fork, std::uintptr_t most) {
        static const int registered = pthread_atfork(nullptr, nullptr, leave_to_parent);
        if (registered != 0) return;
        openmp = {reinterpret_cast<Fork>(fork), reinterpret_cast<int (*)()>(most)};
        set_parallel_runner(run);
      },
      "fork"_a, "most"_a);
}

}  // namespace foveal::python
