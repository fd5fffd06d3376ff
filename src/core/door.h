#pragma once
// What leaves a public function that has this door is an Error, whatever was thrown inside.
// Operations and views have it, making tensors and reading them, backward, the layers' forward and
// state, masks, plans and attention, readers and writers of files, tokenizer and loader:
//
//   Tensor f(...) try {
//     ...
//   } catch (...) {
//     rethrow_as_error("f");
//   }

namespace foveal {

/// What a call says that ended as its `stop` asked; the door puts the function's name before it.
constexpr const char* kStopped = "stopped, as the call's stop asked: its results are undefined";

/// Throws the exception that is being handled, as an Error that names the function: one of memory
/// that ran out, or of a size beyond any memory. An Error stays itself, but for kStopped.
[[noreturn]] void rethrow_as_error(const char* function);

}  // namespace foveal
