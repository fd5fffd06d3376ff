#pragma once
// What leaves a public function is an Error, whatever was thrown inside:
//
//   Tensor f(...) try {
//     ...
//   } catch (...) {
//     rethrow_as_error("f");
//   }

namespace foveal {

/// Throws the exception that is being handled, as an Error that names the function: one of memory
/// that ran out, or of a size beyond any memory. An Error stays itself.
[[noreturn]] void rethrow_as_error(const char* function);

}  // namespace foveal
