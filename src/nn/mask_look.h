#pragma once
// What was last seen of a chapter's mask buffer, so that a forward needn't read all of it.

#include <atomic>
#include <memory>

#include "foveal/mask.h"
#include "foveal/tensor.h"

namespace foveal::nn {

/// One layer's. Any thread may ask, and a forked child.
class MaskLook {
 public:
  /// The first `length` rows and columns of `drop` (the chapter's: what isn't 0 drops) as a mask;
  /// `drop` has two axes of `length` or more. It is read once a version, by each thread that comes
  /// before the first has read it, and each time where its memory may change unseen (Storage).
  Mask mask_of(const Tensor& drop, std::int64_t length);

  /// How often it was read so far.
  std::int64_t looks() const { return looks_.load(std::memory_order_relaxed); }

 private:
  struct Seen {
    Tensor drop;  ///< what was looked at, and when
    std::uint64_t version = 0;
    std::int64_t causal_length = 0;  ///< up to which it drops what is above the diagonal, no more
    Tensor visible;                  ///< all of it as bool; undefined where all of it is causal

    bool is_of(const Tensor& other) const;
    Mask mask(std::int64_t length) const;
  };

  Seen look(const Tensor& drop);
  std::shared_ptr<const Seen> last() const;
  void keep(std::shared_ptr<const Seen> seen);

  std::shared_ptr<const Seen> seen_;  // handed out and exchanged under a lock, else never changed
  std::atomic<std::int64_t> looks_{0};
};

}  // namespace foveal::nn
