#pragma once
// What leaves a public function that has this door is an Error, whatever was thrown inside. Plans
// and attention, readers and writers of files, parse_mask and lint have it, and the memory of
// tensors:
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
