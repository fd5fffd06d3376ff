#pragma once
// foveal_options, taken apart once.

#include <cstddef>

#include "foveal/attention.h"
#include "foveal/c.h"

namespace foveal::c {

/// Bytes of foveal_options in the header's first version: no caller has less.
constexpr std::size_t kFirstOptionsSize = offsetof(foveal_options, reserved) + sizeof(std::int32_t);

/// The engine's options, but for what results ask for. It stays where it is made: the engine is
/// given a pointer into it.
class CallOptions {
 public:
  /// `given` may be null. With `keep_masks` the mask's tensors are copied: they outlive the call.
  /// Throws Error where `given` wasn't initialised, or sets what this library doesn't know, or one
  /// of its members doesn't say what it should.
  CallOptions(const foveal_options* given, const char* function, bool keep_masks);
  CallOptions(const CallOptions&) = delete;
  CallOptions& operator=(const CallOptions&) = delete;

  const AttentionOptions& attention() const { return attention_; }
  /// The queries whose rows foveal_result.rows takes.
  const std::vector<std::int64_t>& rows() const { return rows_; }

 private:
  static bool ask(void* self);

  AttentionOptions attention_;
  std::vector<std::int64_t> rows_;
  std::int32_t (*stop_)(void* user) = nullptr;
  void* stop_user_ = nullptr;
};

}  // namespace foveal::c
