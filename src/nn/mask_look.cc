#include "nn/mask_look.h"

#include <pthread.h>

#include <algorithm>
#include <mutex>
#include <utility>

#include "foveal/operations.h"
#include "tensor/builder.h"

namespace foveal::nn {
namespace {

/// All layers' and held for a few instructions, in which no other lock is taken: so a fork can take
/// it first, and a child finds it free.
std::mutex exchange;
[[maybe_unused]] const int kForksOfLooks =
    pthread_atfork([] { exchange.lock(); }, [] { exchange.unlock(); }, [] { exchange.unlock(); });

/// The largest n for which the first n rows and columns show exactly what isn't above the diagonal.
std::int64_t causal_length(const Tensor& visible) {
  const std::int64_t columns = visible.size(1);
  const bool* const rows = visible.data<bool>();
  std::int64_t length = std::min(visible.size(0), columns);
  for (std::int64_t i = 0; i < length; ++i) {
    const bool* const row = rows + i * columns;
    if (std::find(row, row + i + 1, false) != row + i + 1) return i;
    length = std::find(row + i + 1, row + length, true) - row;
  }
  return length;
}

Tensor corner(const Tensor& matrix, std::int64_t length) {
  return matrix.slice(0, 0, length).slice(1, 0, length);
}

}  // namespace

MaskLook::Seen MaskLook::look(const Tensor& drop) {
  looks_.fetch_add(1, std::memory_order_relaxed);
  Seen seen;
  seen.version = drop.version();  // before it is read
  seen.drop = drop.detach();      // Module::to changes what the handle holds
  const Tensor visible = eq(drop, 0.0);
  seen.causal_length = causal_length(visible);
  if (seen.causal_length < std::max(drop.size(0), drop.size(1))) seen.visible = visible;
  return seen;
}

bool MaskLook::Seen::is_of(const Tensor& other) const {
  return drop.shares_storage(other) && drop.shape() == other.shape() &&
         drop.strides() == other.strides() && drop.dtype() == other.dtype() &&
         drop.raw_data() == other.raw_data() && version == other.version();
}

Mask MaskLook::Seen::mask(std::int64_t length) const {
  return length <= causal_length ? causal() : dense(corner(visible, length));
}

std::shared_ptr<const MaskLook::Seen> MaskLook::last() const {
  const std::lock_guard lock(exchange);
  return seen_;
}

void MaskLook::keep(std::shared_ptr<const Seen> seen) {
  const std::lock_guard lock(exchange);
  seen_.swap(seen);  // what it was goes with `seen`, after the lock
}

Mask MaskLook::mask_of(const Tensor& drop, std::int64_t length) {
  if (TensorBuilder::storage(drop).may_change_unseen()) {
    return look(corner(drop, length)).mask(length);
  }
  std::shared_ptr<const Seen> seen = last();
  if (seen == nullptr || !seen->is_of(drop)) {
    seen = std::make_shared<const Seen>(look(drop));
    keep(seen);
  }
  return seen->mask(length);
}

}  // namespace foveal::nn
