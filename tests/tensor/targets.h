#pragma once
// What must hold on every target, or for any number of threads.

#include <gtest/gtest.h>

#include "foveal/target.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"

namespace foveal::samples {

/// Runs `test` once for each target.
template <class Test>
void for_each_target(const Test& test) {
  for (const Target* target : usable_targets()) {
    SCOPED_TRACE(target->name);
    set_target(target->name);
    test();
  }
  set_target("");
}

/// Runs `test` with 1, 2, 3 and 8 threads.
template <class Test>
void for_each_thread_count(const Test& test) {
  const int before = num_threads();
  for (const int threads : {1, 2, 3, 8}) {
    SCOPED_TRACE(threads);
    set_num_threads(threads);
    test();
  }
  set_num_threads(before);
}

}  // namespace foveal::samples
