// The door of all operations.

#include <algorithm>

#include "core/door.h"
#include "tensor/check.h"
#include "tensor/operation.h"
#include "tensor/operation_times.h"
#include "tensor/recording.h"

namespace foveal {
namespace {

bool any_is_recorded(Inputs inputs) {
  return std::any_of(inputs.begin(), inputs.end(),
                     [](const Tensor& input) { return has_history(input) && is_recorded(input); });
}

}  // namespace

bool& recording() {
  static thread_local bool on = true;
  return on;
}

Tensor apply(const Operation& operation, Inputs inputs) try {
  const TimedOperation timed(operation.name());
  if (!any_is_recorded(inputs)) return operation.run(inputs);
  Tensor output = [&] {
    const Unrecorded inside;
    return operation.run(inputs);
  }();
  if (operation.has_gradient()) record(operation, inputs, output);
  return output;
} catch (...) {
  rethrow_as_error(operation.name());
}

void apply_in_place(const Operation& operation, Tensor& target, Inputs others) try {
  const TimedOperation timed(operation.name());
  require_writable(target, operation.name());
  Tensors inputs = {target};
  inputs.insert(inputs.end(), others.begin(), others.end());
  const bool recorded =
      is_floating(target.dtype()) &&
      (any_is_recorded(others) || (has_history(target) && is_recorded_write(target)));
  if (recorded) {
    require_no_leaf(target, operation.name());
    // What the gradient will read must not be what is written now.
    for (std::size_t n = 1; n < inputs.size(); ++n) {
      if (inputs[n].defined() && inputs[n].shares_storage(target)) inputs[n] = inputs[n].clone();
    }
  }
  operation.form(inputs);
  {
    const Unrecorded inside;
    operation.compute(inputs, target);
  }
  TensorBuilder::storage(target).count_write();
  if (recorded) record_in_place(operation, inputs, target);
} catch (...) {
  rethrow_as_error(operation.name());
}

}  // namespace foveal
