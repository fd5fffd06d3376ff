#pragma once
// What was last seen of a chapter's mask buffer, so that a forward needn't read all of it.

#include <mutex>

#include "foveal/mask.h"
#include "foveal/tensor.h"

namespace foveal::nn {

/// One layer's. Any thread may ask.
class MaskLook {
 public:
  /// The first `length` rows and columns of `drop` (the chapter's: what isn't 0 drops) as a mask;
  /// `drop` has two axes of `length` or more. It is read once a version, and each time where its
  /// memory may change unseen (Storage).
  Mask mask_of(const Tensor& drop, std::int64_t length);

 private:
  struct Seen {
    std::int64_t causal_length = 0;  ///< up to which it drops what is above the diagonal, no more
    Tensor visible;                  ///< all of it as bool; undefined where all of it is causal
  };

  static Seen look(const Tensor& drop);
  static Mask mask_from(const Seen& seen, std::int64_t length);
  bool knows(const Tensor& drop) const;

  std::mutex mutex_;
  Tensor drop_;  // what was looked at, and when
  std::uint64_t version_ = 0;
  Seen seen_;
};

/// How often mask buffers were read so far: for tests.
std::int64_t mask_look_count();

}  // namespace foveal::nn
