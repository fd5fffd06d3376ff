#include "measure/compare/candidate.h"

#include <algorithm>
#include <cmath>

#include "foveal/autograd.h"
#include "foveal/operations.h"
#include "foveal/random.h"

namespace foveal::measure {
namespace {

nn::MultiHeadAttentionOptions options_of(const CompareSettings& settings) {
  return {.d_in = settings.width,
          .d_out = settings.width,
          .context_length = settings.tokens,
          .num_heads = settings.heads};
}

/// The gradients of the parameters in the form that all variants share: they are put where the
/// weights stand in a twin, and read out as weights are.
nn::variants::Weights shared_gradients(const nn::variants::Variant& variant) {
  Generator generator(1);
  const auto twin = nn::variants::make(variant.name(), variant.options(), generator);
  StateDict gradients = twin->state_dict();
  for (auto& [name, tensor] : gradients) {
    for (const auto& [parameter, value] : variant.named_parameters()) {
      if (name == parameter) tensor = value.grad();
    }
  }
  twin->load_state_dict(gradients);
  nn::variants::Weights result = twin->weights();
  // Where there are two output projections, the outer one's: the inner one is the identity.
  for (const auto& [name, value] : variant.named_parameters()) {
    if (name == "proj.weight" || name == "out_proj.weight") result.out = value.grad();
    if (name == "proj.bias" || name == "out_proj.bias") result.out_bias = value.grad();
  }
  return result;
}

double largest_difference(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return INFINITY;
  const Tensor off = abs(a.to(DType::float64) - b.to(DType::float64));
  const double largest = max(off.reshape({off.element_count()}), 0).item();
  return std::isnan(largest) ? INFINITY : largest;
}

}  // namespace

CompareInputs compare_inputs(const CompareSettings& settings) {
  Generator generator(123);
  CompareInputs inputs;
  const Shape shape = {settings.batch, settings.tokens, settings.width};
  inputs.x = randn(shape, generator);
  // So that gradients of weights, sums over all tokens, are about as large as one number.
  inputs.grad = randn(shape, generator) / std::sqrt(1.0 * settings.batch * settings.tokens);
  inputs.chapter = nn::variants::make("chapter", options_of(settings), generator);
  return inputs;
}

std::pair<double, double> differences(const Answers& a, const Answers& b) {
  double output = 0, others = 0;
  for (const auto& [name, tensor] : a) {
    const auto other = b.find(name);
    if (other == b.end()) continue;
    double& worst = name == "output" ? output : others;
    worst = std::max(worst, largest_difference(tensor, other->second));
  }
  return {output, others};
}

Candidate::Candidate(const std::string& name, const CompareInputs& inputs,
                     const CompareSettings& settings)
    : x_(inputs.x.to(settings.dtype)), grad_(inputs.grad.to(settings.dtype)) {
  Generator generator(1);
  variant_ = nn::variants::make(name, options_of(settings), generator);
  convert(*inputs.chapter, *variant_);
  variant_->to(settings.dtype);
}

Answers Candidate::answers() {
  variant_->zero_grad();
  Tensor x = x_.detach();
  x.requires_grad_();
  const Tensor output = variant_->forward(x);
  output.backward(grad_);
  const NoGrad off;
  const nn::variants::Weights gradients = shared_gradients(*variant_);
  Answers all = {{"output", output.detach()},     {"x", x.grad()},
                 {"query", gradients.query},      {"key", gradients.key},
                 {"value", gradients.value},      {"out", gradients.out},
                 {"out_bias", gradients.out_bias}};
  for (auto& [name, tensor] : all) tensor = tensor.to(DType::float32);
  variant_->zero_grad();
  return all;
}

void Candidate::forward() const {
  const NoGrad off;
  variant_->forward(x_);
}

void Candidate::forward_backward() {
  variant_->zero_grad();
  variant_->forward(x_).backward(grad_);
}

}  // namespace foveal::measure
