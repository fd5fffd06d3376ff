#include "trace/run/words.h"

#include "core/filled.h"

namespace foveal::trace {
namespace {

/// "columns 4·h to 4·h + 3 are head h's", of heads `width` columns wide.
std::string columns_of_head(std::int64_t width) {
  if (width == 1) return "column h is head h's";
  return filled("columns {}·h to {}·h + {} are head h's", width, width, width - 1);
}

std::string heads_note(std::int64_t heads, std::int64_t width) {
  if (heads == 1) return "";
  return filled(" The {} heads are this matrix cut between columns: {}.", heads,
                columns_of_head(width));
}

/// Writes formula and note of each step.
class Teller {
 public:
  explicit Teller(const Input& input) : input_(input), sizes_(sizes_of(input)) {}

  PerStep<Told> tell() {
    add_projections();
    add_scores();
    add_mask();
    add_weights();
    add_results();
    return std::move(told_);
  }

 private:
  void add(StepName step, const std::string& formula, const std::string& note) {
    told_[step] = {formula, note};
  }

  std::string projection(const std::string& letter, const std::string& name, const Tensor& weight,
                         const Tensor& bias) const {
    if (!weight.defined()) return letter + " = X";
    return letter + " = X · W_" + name + (bias.defined() ? " + b_" + name : "");
  }

  void add_projections() {
    const Sizes& s = sizes_;
    const bool has_weights = input_.W_query.defined();
    add(StepName::inputs, "X",
        filled("One row a token: its vector (embedding) of d_in = {} numbers.", s.d_in));
    add(StepName::queries, projection("Q", "query", input_.W_query, input_.b_query),
        has_weights
            ? filled("What a token looks for. W_query is (d_in, d_out) = ({}, {}) and stands "
                     "on the right; PyTorch's Linear keeps the same numbers transposed, "
                     "(d_out, d_in).",
                     s.d_in, s.d) +
                  drawn_note() + heads_note(s.H, s.D)
            : "This input has no W, so queries, keys and values are the inputs themselves." +
                  heads_note(s.H, s.D));
    add(StepName::keys, projection("K", "key", input_.W_key, input_.b_key),
        "What a token can be found by. Each query meets every key, its own too.");
    add(StepName::values, projection("V", "value", input_.W_value, input_.b_value),
        "What a token hands on where it is attended to.");
  }

  /// Where the numbers of W come from, if no one typed them.
  std::string drawn_note() const {
    const auto& drawn = input_.settings.weights;
    if (!drawn) return "";
    return filled(
        " The three W are drawn from seed {}, query first, then key, then value, as {} draws them: "
        "float32 numbers, computed with in float64.",
        drawn->seed,
        drawn->init == WeightsSetting::Init::rand ? "the chapter's SelfAttention_v1"
                                                  : "PyTorch's Linear");
  }

  void add_scores() {
    const Sizes& s = sizes_;
    add(StepName::scores, "S = Q · Kᵀ",
        "Score (i, j) is the dot product of query i and key j. It may be any number; it is "
        "not a weight yet." +
            unscaled_note());
    const Scale& scale = input_.settings.scale;
    if (scale.kind == Scale::Kind::none) return;
    const bool by_root = scale.kind == Scale::Kind::sqrt;
    add(StepName::scaled_scores,
        by_root ? "S_scaled = S / √D" : filled("S_scaled = S · {}", scale.factor),
        by_root ? filled("D = {} is the head size, the length of one query or key; not d_in, "
                         "not the number of tokens, not all heads together. Without the "
                         "division long vectors give large scores, and softmax gives nearly "
                         "all weight to one key.",
                         s.D)
                : "The factor is the input's own.");
  }

  std::string unscaled_note() const {
    if (input_.settings.scale.kind != Scale::Kind::none || !input_.W_query.defined()) return "";
    return filled(
        " The input says scale none; the usual formula divides next by √D = √{}, D the head size.",
        sizes_.D);
  }

  void add_mask() {
    const std::string& mask = input_.settings.mask;
    if (mask == "none") return;
    const std::string polarity =
        " True: the query may attend to the key. (The chapter's own masks mean the opposite: "
        "1 there is drop.)";
    add(StepName::mask, mask == "causal" ? "mask[i,j] = (j ≤ i)" : "mask",
        (mask == "causal" ? "Causal: a token sees itself and what stands before it."
         : mask == "rows" ? "As the input gives it, row by row; all heads share it."
                          : "As the input's expression says; all heads share it.") +
            polarity);
    add(StepName::masked_scores,
        scores_letter() + "_masked = " + scores_letter() + " where mask, else −∞",
        "−∞ takes a key out: e^(−∞) is 0, so softmax shares its 1 among the others. "
        "Weights set to 0 after softmax would no longer sum to 1.");
  }

  /// The letter of the scores as the steps so far have left them.
  std::string scores_letter() const {
    const std::string scaled = input_.settings.scale.kind == Scale::Kind::none ? "S" : "S_scaled";
    return told_[StepName::masked_scores].formula.empty() ? scaled : scaled + "_masked";
  }

  void add_weights() {
    const std::string letter = scores_letter();
    add(StepName::weights, filled("P[i,j] = e^{0}[i,j] / Σ_k e^{0}[i,k]", letter),
        "softmax along each row: scores of any size become shares between 0 and 1, and each "
        "row sums to 1.");
    if (!input_.settings.dropout) return;
    const DropoutSetting& dropout = *input_.settings.dropout;
    add(StepName::dropout_mask, "1 keeps, 0 drops",
        filled("Drawn row by row as PyTorch's CPU generator draws with seed {}: each "
               "weight is dropped with probability p = {}.",
               dropout.seed, dropout.p));
    add(StepName::dropped_weights, "P_dropped = P · dropout_mask / (1 − p)",
        dropout_note(dropout.p));
  }

  static std::string dropout_note(double p) {
    if (p == 1) return "p = 1 drops every weight.";
    return filled(
        "What is kept is divided by 1 − p = {}, so that on average over many draws nothing "
        "changes; one row no longer sums to 1. Only in training: a trained model runs without "
        "dropout.",
        1 - p);
  }

  void add_results() {
    const Sizes& s = sizes_;
    add(StepName::context, input_.settings.dropout ? "O = P_dropped · V" : "O = P · V",
        s.H == 1 ? "Each row is the values, mixed in the shares of that row's weights."
                 : filled("Each row is the values, mixed in the shares of that row's weights; "
                          "the heads lie side by side: {}.",
                          columns_of_head(s.D_v)));
    if (!input_.W_out.defined()) return;
    const auto& drawn = input_.settings.weights;
    add(StepName::output, input_.b_out.defined() ? "O · W_out + b_out" : "O · W_out",
        std::string(s.H == 1 ? "A last projection of the context vectors."
                             : "A last projection; here the heads meet for the first time.") +
            (drawn && drawn->out_proj ? " W_out and b_out are drawn after the three W." : ""));
  }

  const Input& input_;
  Sizes sizes_;
  PerStep<Told> told_;
};

}  // namespace

PerStep<Told> tell(const Input& input) { return Teller(input).tell(); }

}  // namespace foveal::trace
