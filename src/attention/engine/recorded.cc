#include "attention/engine/recorded.h"

#include <utility>

#include "foveal/attention.h"
#include "foveal/plan.h"
#include "tensor/recording.h"

namespace foveal {
namespace {

bool is_recorded_input(const Tensor& tensor) { return has_history(tensor) && is_recorded(tensor); }

// Where the inputs of the operation stand; those that aren't given are undefined.
enum Place : std::size_t {
  kQuery,
  kKey,
  kValue,
  kBias,
  kSlopes,
  kSinks,
  kDropoutMask,
  kLse,
  kPlaces
};

class Attention final : public OperationOf<Attention> {
 public:
  explicit Attention(Plan plan) : plan_(std::move(plan)) {}

  const char* name() const override { return "attention"; }
  Form form(Inputs) const override {
    return {plan_.data().problem.output_shape(), plan_.data().problem.dtype};
  }
  void compute(Inputs, Tensor&) const override {}  // it ran before it was recorded
  Saves saves(InputSet) const override {
    const AttentionOptions& options = plan_.data().options;
    InputSet set = bit(kQuery) | bit(kKey) | bit(kValue) | bit(kLse);
    // The plan reads these where they lie.
    if (options.bias.defined()) set |= bit(kBias);
    if (options.alibi_slopes.defined()) set |= bit(kSlopes);
    if (options.sinks.defined()) set |= bit(kSinks);
    if (options.dropout_mask.defined()) set |= bit(kDropoutMask);
    return {set, true};
  }
  Tensors gradient(const Recorded& call) const override;

 private:
  static InputSet bit(Place place) { return InputSet{1} << place; }

  Plan plan_;  // with the mask as it was
};

Tensors Attention::gradient(const Recorded& call) const {
  AttentionResult result;
  result.output = call.output;
  result.lse = call.inputs[kLse];
  const bool is_dense = call.grad.rank() > 0 && call.grad.strides().back() == 1;
  AttentionGradients grads;
  run_backward(plan_.data(), is_dense ? call.grad : call.grad.contiguous(),
               {call.inputs[kQuery], call.inputs[kKey], call.inputs[kValue]}, result, grads, false,
               "attention");
  Tensors all(kPlaces);
  all[kQuery] = grads.q;
  all[kKey] = grads.k;
  all[kValue] = grads.v;
  all[kBias] = grads.bias;
  all[kSlopes] = grads.alibi_slopes;
  all[kSinks] = grads.sinks;
  return all;
}

}  // namespace

bool records_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                       const AttentionOptions& options) {
  return is_recorded_input(query) || is_recorded_input(key) || is_recorded_input(value) ||
         is_recorded_input(options.bias) || is_recorded_input(options.alibi_slopes) ||
         is_recorded_input(options.sinks);
}

AttentionResult recorded_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                                   AttentionOptions options) {
  const bool wants_lse = std::exchange(options.return_lse, true);
  options.gradients = {is_recorded_input(options.bias), is_recorded_input(options.sinks),
                       is_recorded_input(options.alibi_slopes)};
  Tensors inputs(kPlaces);
  inputs[kQuery] = query;
  inputs[kKey] = key;
  inputs[kValue] = value;
  inputs[kBias] = options.bias;
  inputs[kSlopes] = options.alibi_slopes;
  inputs[kSinks] = options.sinks;
  inputs[kDropoutMask] = options.dropout_mask;
  // The plan and what it keeps have no history: else the record would hold itself.
  for (Tensor* const tensor :
       {&options.bias, &options.alibi_slopes, &options.sinks, &options.dropout_mask}) {
    if (tensor->defined()) *tensor = tensor->detach();
  }
  const Plan plan =
      plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options);
  AttentionResult result = [&] {
    const Unrecorded inside;
    AttentionResult computed;
    run_plan(plan.data(), {query, key, value}, computed, "attention");
    return computed;
  }();
  inputs[kLse] = result.lse;
  record(Attention(plan), inputs, result.output);
  if (!wants_lse) result.lse = Tensor();
  return result;
}

}  // namespace foveal
