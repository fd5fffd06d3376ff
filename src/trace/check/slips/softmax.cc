// Slips of softmax: over another axis, without one of its parts, or twice.

#include <cmath>
#include <limits>

#include "foveal/operations.h"
#include "foveal/reference.h"
#include "trace/check/slips/list.h"

namespace foveal::trace {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
/// ln of the largest float32: above it e^s is infinite there.
constexpr double kLargestExponent = 88.72283905206835;

const Tensor& logits(const Steps& before) { return before[StepName::masked_scores]; }

/// 0 where −∞ stands.
Tensor without_infinities(const Tensor& scores) {
  return mapped(scores, [](double score) { return score == -kInfinity ? 0 : score; });
}

Tensor shares(const Tensor& parts) { return parts / sum(parts, -1, true); }

/// Softmax over all cells of a head at once.
Tensor over_whole_matrix(const Tensor& scores) {
  const std::int64_t cells = scores.size(-1) * scores.size(-2);
  return softmax(scores.contiguous().view({scores.element_count() / cells, cells}), -1)
      .view(scores.shape());
}

/// e^s as float32 has it, infinite where s is large and 0 where it is very negative, divided by its
/// sum.
Tensor overflowing(const Tensor& scores) {
  return shares(mapped(scores, [](double score) {
    return static_cast<double>(std::exp(static_cast<float>(score)));
  }));
}

bool goes_beyond_float32(const Input& input) {
  for (const double score : compute(right_recipe(input))[StepName::masked_scores].to_vector()) {
    if (score > kLargestExponent) return true;
  }
  return false;
}

void add_left_out(SlipList* list) {
  const StepName step = StepName::weights;
  const std::string missing = "softmax is missing: the scores themselves mix the values";
  list->add("softmax_missing", step, missing,
            [](const Steps& before) { return without_infinities(logits(before)); });
  list->add("softmax_missing", step, missing, [](const Steps& before) { return logits(before); });
  list->add("softmax_missing", step, missing,
            [](const Steps& before) { return before[StepName::scaled_scores]; });
  list->add("softmax_missing", StepName::dropped_weights, missing,
            [](const Steps& before) { return without_infinities(logits(before)); });
  list->add("exp_missing", step, "exp is missing: each score was divided by the sum of the scores",
            [](const Steps& before) { return shares(without_infinities(logits(before))); });
  list->add("sum_missing", step, "not divided by the sum: the numbers are e^s alone",
            [](const Steps& before) { return exp(logits(before)); });
  list->add("base_two", step, "base 2 instead of e: 2^s / Σ 2^s",
            [](const Steps& before) { return softmax(logits(before) * std::log(2.0), -1); });
}

}  // namespace

void add_softmax_slips(SlipList* list) {
  const StepName step = StepName::weights;
  list->add("softmax_axis", step,
            "softmax over the wrong axis: the columns sum to 1, over the queries, not the rows",
            [](const Steps& before) { return softmax(logits(before), -2); });
  list->add("softmax_whole_matrix", step,
            "softmax over the whole matrix: all its numbers together sum to 1, not each row",
            [](const Steps& before) { return over_whole_matrix(logits(before)); });
  if (list->sizes().H > 1) {
    list->add("softmax_whole_matrix", step,
              "softmax over all heads' matrices at once: their numbers together sum to 1",
              [](const Steps& before) {
                const Tensor& scores = logits(before);
                return softmax(scores.contiguous().view({1, scores.element_count()}), -1)
                    .view(scores.shape());
              });
    list->add("softmax_over_heads", step,
              "softmax over the heads: the same cell of all heads sums to 1, not each row",
              [](const Steps& before) { return softmax(logits(before), 0); });
  }
  add_left_out(list);
  const std::string twice = "softmax twice: the weights went through it once more";
  list->add("softmax_twice", step, twice,
            [](const Steps& before) { return softmax(softmax(logits(before), -1), -1); });
  list->add("softmax_twice", StepName::dropped_weights, twice,
            [](const Steps& before) { return softmax(before[StepName::weights], -1); });
  if (list->input().settings.mask != "none") {
    list->add("softmax_twice", step, twice, [](const Steps& before) {
      return softmax(reference::masked_scores(softmax(logits(before), -1), before[StepName::mask]),
                     -1);
    });
  }
  if (goes_beyond_float32(list->input())) {
    list->add("overflow", step,
              "e^s overflowed: above s = 88.72 it is infinite in float32; take each row's largest "
              "score off first",
              [](const Steps& before) { return overflowing(logits(before)); });
  }
}

}  // namespace foveal::trace
