// A term lost in every sum of a step: a loop that ends one too early, or begins one too late.

#include "core/filled.h"
#include "foveal/operations.h"
#include "foveal/reference.h"
#include "trace/check/slips/list.h"
#include "trace/run/cell_names.h"

namespace foveal::trace {
namespace {

constexpr std::int64_t kMostTerms = 64;

/// `data` with slice `index` of `axis` zero.
Tensor without(const Tensor& data, std::int64_t axis, std::int64_t index) {
  Tensor copy = data.clone();
  copy.select(axis, index).fill_(0);
  return copy;
}

/// The rule of `step`, with a slice of the step `operand` taken for zero.
void lose(SlipList* list, StepName step, StepName operand, std::int64_t axis, std::int64_t terms,
          const std::string& sum) {
  for (std::int64_t k = 0; k < std::min(terms, kMostTerms); ++k) {
    list->plant("term_lost", step, filled("a term is lost: {} without its term {}", sum, k),
                [=](Recipe& recipe) {
                  recipe[step] = [rule = recipe[step], operand, axis, k](const Steps& before) {
                    Steps seen = before;
                    seen[operand] = without(before[operand], axis, k);
                    return rule(seen);
                  };
                });
  }
}

/// Softmax whose sum leaves out key k, or each query's own.
void lose_in_softmax(SlipList* list) {
  const std::int64_t length = list->sizes().L;
  for (std::int64_t k = 0; k <= std::min(length, kMostTerms); ++k) {
    const bool own = k == length;
    Tensor counted = Tensor::ones({length, length}, DType::float64);
    for (std::int64_t i = 0; i < length; ++i) counted.set({i, own ? i : k}, 0);
    list->add("term_lost", StepName::weights,
              own ? "a term is lost: the sum below leaves out each token's own e^s"
                  : filled("a term is lost: the sum below leaves out e^s of {}",
                           token_name(list->input(), k)),
              [counted](const Steps& before) {
                const Tensor powers = exp(before[StepName::masked_scores]);
                return powers / sum(powers * counted, -1, true);
              });
  }
}

}  // namespace

void add_lost_term_slips(SlipList* list) {
  const Sizes& s = list->sizes();
  lose(list, StepName::scores, StepName::queries, -1, s.D, "Σ_d Q · K");
  lose(list, StepName::context, StepName::values, -2, s.L, "Σ_j P · V");
  if (list->input().W_query.defined()) {
    for (const StepName step : {StepName::queries, StepName::keys, StepName::values}) {
      lose(list, step, StepName::inputs, -1, s.d_in, "Σ_k X · W");
    }
  }
  if (list->input().W_out.defined()) {
    lose(list, StepName::output, StepName::context, -1, s.d_v, "Σ_k O · W_out");
  }
  lose_in_softmax(list);
}

}  // namespace foveal::trace
