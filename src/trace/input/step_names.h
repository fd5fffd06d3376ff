#pragma once
// The steps of a run: their order, names and letters, in one table.

#include <array>
#include <cstddef>
#include <optional>
#include <string>

namespace foveal::trace {

/// In the order of foveal.trace/1: each is made from those before it.
enum class StepName {
  inputs,
  queries,
  keys,
  values,
  scores,
  scaled_scores,
  mask,
  masked_scores,
  weights,
  dropout_mask,
  dropped_weights,
  context,
  output
};

constexpr std::size_t kSteps = 13;
/// All of them, in order.
constexpr std::array<StepName, kSteps> kAllSteps = {
    StepName::inputs,       StepName::queries,         StepName::keys,
    StepName::values,       StepName::scores,          StepName::scaled_scores,
    StepName::mask,         StepName::masked_scores,   StepName::weights,
    StepName::dropout_mask, StepName::dropped_weights, StepName::context,
    StepName::output};

/// What the numbers of a step stand for.
enum class StepKind {
  tokens,  ///< (L, d): one row a token
  pairs,   ///< (L, L): one number a query and key
};

struct StepWords {
  const char* name;    ///< in foveal.trace/1: "queries"
  const char* title;   ///< for people: "Queries"
  const char* letter;  ///< of notation.md: "Q"; empty where it has none
  const char* sign;    ///< the chapter's letter: "ω"; empty where it has none
  const char* book;    ///< the chapter's name in code; empty where it has none, or ours
  StepKind kind;
  bool has_heads;    ///< has a head axis where there are several heads
  const char* cell;  ///< before "(query, key)" or "_token": "Score", "K"
  const char* row;   ///< "the scores"; empty where a row is "K_token"
};

const StepWords& words_of(StepName step);

/// "queries", as in foveal.trace/1.
std::string text(StepName step);

/// The step of that name, letter (P), or letter or name in the book (α, attn_weights); nothing for
/// other text.
std::optional<StepName> step_named(const std::string& text);

/// The one after it; the last has none.
StepName next_step(StepName step);

/// What the chapter calls a step: "α, attn_weights"; empty where it has no name of its own for it.
std::string book_names(StepName step);

/// queries, keys and values.
bool is_projection(StepName step);

/// scores, scaled_scores and masked_scores: what comes before softmax.
bool is_logit(StepName step);

/// One number a query and key.
bool is_pairwise(StepName step);

/// Numbers that no step computes: inputs, mask and dropout mask.
bool is_given(StepName step);

/// One value a step.
template <typename T>
struct PerStep {
  std::array<T, kSteps> of = {};
  T& operator[](StepName step) { return of[static_cast<std::size_t>(step)]; }
  const T& operator[](StepName step) const { return of[static_cast<std::size_t>(step)]; }
};

}  // namespace foveal::trace
