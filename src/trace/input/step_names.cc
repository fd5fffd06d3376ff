#include "trace/input/step_names.h"

namespace foveal::trace {
namespace {

constexpr StepKind kTokens = StepKind::tokens, kPairs = StepKind::pairs;

constexpr PerStep<StepWords> kWords = {{{
    {"inputs", "Inputs", "X", "x", "", kTokens, false, "X", ""},
    {"queries", "Queries", "Q", "q", "", kTokens, true, "Q", ""},
    {"keys", "Keys", "K", "k", "", kTokens, true, "K", ""},
    {"values", "Values", "V", "v", "", kTokens, true, "V", ""},
    {"scores", "Scores", "S", "ω", "attn_scores", kPairs, true, "Score", "the scores"},
    {"scaled_scores", "Scaled scores", "S_scaled", "", "", kPairs, true, "Scaled score",
     "the scaled scores"},
    {"mask", "Mask", "", "", "", kPairs, false, "Mask", "the mask"},
    {"masked_scores", "Masked scores", "S_masked", "", "masked", kPairs, true, "Masked score",
     "the masked scores"},
    {"weights", "Weights", "P", "α", "attn_weights", kPairs, true, "Weight", "the weights"},
    {"dropout_mask", "Dropout mask", "", "", "", kPairs, true, "Dropout mask", "the dropout mask"},
    {"dropped_weights", "Dropped weights", "P_dropped", "", "", kPairs, true, "Dropped weight",
     "the dropped weights"},
    {"context", "Context", "O", "z", "context_vec", kTokens, false, "Context", "the context"},
    {"output", "Output", "", "", "out_proj", kTokens, false, "Output", "the output"},
}}};

}  // namespace

const StepWords& words_of(StepName step) { return kWords[step]; }

std::string text(StepName step) { return words_of(step).name; }

std::optional<StepName> step_named(const std::string& text) {
  if (text.empty()) return std::nullopt;
  for (const StepName step : kAllSteps) {
    const StepWords& words = words_of(step);
    if (text == words.name || text == words.letter || text == words.sign || text == words.book) {
      return step;
    }
  }
  return std::nullopt;
}

StepName next_step(StepName step) { return static_cast<StepName>(static_cast<int>(step) + 1); }

std::string book_names(StepName step) {
  const StepWords& words = words_of(step);
  std::string names = words.sign;
  if (words.book[0] != 0) names += (names.empty() ? "" : ", ") + std::string(words.book);
  return names;
}

bool is_projection(StepName step) {
  return step == StepName::queries || step == StepName::keys || step == StepName::values;
}

bool is_logit(StepName step) {
  return step == StepName::scores || step == StepName::scaled_scores ||
         step == StepName::masked_scores;
}

bool is_pairwise(StepName step) { return words_of(step).kind == StepKind::pairs; }

bool is_given(StepName step) {
  return step == StepName::inputs || step == StepName::mask || step == StepName::dropout_mask;
}

}  // namespace foveal::trace
