#pragma once
// One of our variants with the weights and inputs that all share.

#include <memory>

#include "foveal/nn/variants.h"
#include "measure/compare/compare.h"

namespace foveal::measure {

/// What every row starts from, float32: x and the gradient of the output (B, L, width), and the
/// chapter's weights.
struct CompareInputs {
  Tensor x, grad;
  std::unique_ptr<nn::variants::Variant> chapter;
};

CompareInputs compare_inputs(const CompareSettings& settings);

/// Output and gradients, by name, in float32: "output", "x", "query", "key", "value" (of the input
/// weights, (width, width) each), "out", "out_bias".
using Answers = std::map<std::string, Tensor>;

/// The largest |a - b| of the outputs, and of everything else that both have.
std::pair<double, double> differences(const Answers& a, const Answers& b);

class Candidate {
 public:
  Candidate(const std::string& name, const CompareInputs& inputs, const CompareSettings& settings);

  const nn::variants::Variant& variant() const { return *variant_; }
  Answers answers();
  /// Nothing is recorded.
  void forward() const;
  void forward_backward();

 private:
  Tensor x_, grad_;
  std::unique_ptr<nn::variants::Variant> variant_;
};

}  // namespace foveal::measure
