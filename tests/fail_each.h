#pragma once
// Lets each allocation of a call fail in turn. Replaces operator new: see allocations.h.

#include <gtest/gtest.h>

#include <functional>

#include "allocations.h"
#include "foveal/error.h"
#include "foveal/memory.h"

namespace foveal {

/// How many allocations the call asks for; each of them has failed once, and nothing but an Error
/// was thrown.
inline long fail_each(const std::function<void()>& call) {
  long asked = 1;
  for (long n = 0; n < asked; ++n) {
    release_memory();
    allocations.count = 0;
    allocations.first = n;
    allocations.last = n + 1;
    try {
      call();
    } catch (const Error& error) {
      allocations.last = 0;
      EXPECT_STRNE(error.what(), "");
    } catch (const std::exception& other) {
      allocations.last = 0;
      ADD_FAILURE() << "allocation " << n << " failed: " << other.what();
      return 0;
    }
    allocations.last = 0;
    asked = allocations.count;
  }
  return asked;
}

}  // namespace foveal
