#include "trace/views/story.h"

#include <algorithm>
#include <cmath>

#include "core/ascii.h"
#include "core/filled.h"
#include "draw/look.h"
#include "draw/text.h"

namespace foveal::trace {
namespace {

std::int64_t heads(const Record& record) { return record.input.settings.num_heads; }

/// [row, column], with the head before them where the step has a head axis.
std::vector<std::int64_t> cell_in(const Step& step, std::int64_t head, std::int64_t row,
                                  std::int64_t column) {
  if (step.axes.front() == "head") return {head, row, column};
  return {row, column};
}

bool is_of_pairs(const Step& step) { return step.axes.back() == "key"; }

const Check* first_wrong_of_followed(const Record& record) {
  for (const Check& check : record.checks) {
    const Step* step = find_step(record, check.step);
    const bool followed =
        check.cell.size() >= 2 && check.cell[check.cell.size() - 2] == record.followed;
    if (!check.agrees && followed && step != nullptr && is_of_pairs(*step)) return &check;
  }
  return nullptr;
}

std::int64_t largest_other_weight(const Record& record) {
  const Step* weights = find_step(record, StepName::weights);
  const std::int64_t size = weights->data.size(-1);
  std::int64_t best = record.followed;
  double largest = 0;
  for (std::int64_t key = 0; key < size; ++key) {
    const double weight = weights->data.at(cell_in(*weights, 0, record.followed, key));
    if (key == record.followed || !(weight > largest)) continue;
    best = key;
    largest = weight;
  }
  return best;
}

}  // namespace

std::string counted(std::int64_t count, const std::string& noun) {
  return filled("{} {}{}", count, noun, count == 1 ? "" : "s");
}

std::string headline(const Record& record) {
  std::string text = is_causal(record) ? "Causal self-attention" : "Self-attention";
  if (heads(record) > 1) text += filled(" with {} heads", heads(record));
  return text + ", step by step";
}

std::string summary(const Record& record) {
  const Input& input = record.input;
  const Step* context = find_step(record, StepName::context);
  std::string text = filled("{}, {} in, {} out", counted(input.inputs.size(0), "token"),
                            counted(input.inputs.size(1), "feature"), context->data.size(-1));
  if (find_step(record, StepName::scaled_scores) == nullptr) text += ", scores not scaled";
  const std::string& mask = input.settings.mask;
  if (mask != "none" && !is_causal(record)) text += ", masked";
  if (input.settings.dropout) text += filled(", dropout {}", input.settings.dropout->p);
  return text + filled(". The row followed: {} (query {}).",
                       token_in_words(record, record.followed), record.followed);
}

WhereNext where_next(const Record& record) {
  if (record.corrected.empty()) return {};
  return {"The worked example as it was printed: a slip is in its numbers. A correct, scaled run:",
          "foveal explain examples/inputs/the_cat_sat_scaled.json"};
}

std::string in_the_chapter(StepName step) {
  const std::string names = book_names(step);
  return names.empty() ? "" : "the chapter's " + names;
}

Window window_around(std::int64_t centre, std::int64_t size) {
  const std::int64_t most = draw::kMostCells;
  if (size <= most) return {0, size, size};
  const std::int64_t begin = std::clamp<std::int64_t>(centre - most / 2, 0, size - most);
  return {begin, begin + most, size};
}

Window window_of(const Record& record, const std::string& axis, std::int64_t size) {
  if (axis == "head") return {0, size, size};
  return window_around(axis == "feature" ? 0 : record.followed, size);
}

std::string window_note(const Record& record) {
  const Window tokens = window_of(record, "token", record.input.inputs.size(0));
  std::int64_t widest = 0;
  for (const Step& step : record.steps) {
    if (step.axes.back() == "feature") widest = std::max(widest, step.data.size(-1));
  }
  std::string note;
  if (!tokens.whole()) {
    note = filled("Shown are tokens {} to {} of {}, around the followed one.", tokens.begin,
                  tokens.end - 1, tokens.size);
  }
  if (widest > draw::kMostCells) {
    note += filled("{}Of wider rows the first {} features are shown.", note.empty() ? "" : " ",
                   draw::kMostCells);
  }
  return note;
}

std::string pretty(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool sign = text[i] == '-' && i + 1 < text.size() && is_digit(text[i + 1]);
    if (sign) {
      out += "−";
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string pretty(double value, const Digits& digits) { return pretty(show(value, digits)); }

std::string rounded(const Digits& given) {
  if (given.kind == Digits::Kind::given || given.decimals == 0) return "";
  return filled("shown with {} decimals", given.decimals);
}

std::string led_by(const Record& record, const Step& step) {
  const Settings& settings = record.input.settings;
  if (step.name == StepName::queries) return record.input.W_query.defined() ? "· W" : "";
  if (step.name == StepName::scores) return "Q · Kᵀ";
  if (step.name == StepName::scaled_scores) {
    return settings.scale.kind == Scale::Kind::sqrt ? "/ √D"
                                                    : filled("· {}", settings.scale.factor);
  }
  if (step.name == StepName::masked_scores) return "mask";
  if (step.name == StepName::weights) return "softmax";
  if (step.name == StepName::dropped_weights) return "dropout";
  if (step.name == StepName::context) return "· V";
  if (step.name == StepName::output) return "· W_out";
  return "";
}

Pair looked_at(const Record& record) {
  Pair pair{0, record.followed, 0};
  if (const Check* wrong = first_wrong_of_followed(record)) {
    if (wrong->cell.size() == 3) pair.head = wrong->cell[0];
    pair.key = wrong->cell.back();
  } else {
    pair.key = largest_other_weight(record);
  }
  return pair;
}

std::vector<Arithmetic> story(const Record& record, const Pair& pair) {
  std::vector<Arithmetic> lines;
  for (const Step& step : record.steps) {
    if (is_of_pairs(step) && step.name != StepName::mask && step.name != StepName::dropout_mask) {
      lines.push_back(
          arithmetic(record, step.name, cell_in(step, pair.head, pair.query, pair.key)));
    }
  }
  const Step* context = find_step(record, StepName::context);
  const std::int64_t width = context->data.size(-1) / heads(record);
  const std::int64_t told = width <= 3 ? width : 1;
  for (std::int64_t column = 0; column < told; ++column) {
    lines.push_back(
        arithmetic(record, StepName::context, {pair.query, pair.head * width + column}));
  }
  return lines;
}

std::string story_title(const Record& record, const Pair& pair) {
  const std::string head = heads(record) > 1 ? filled(", head {}", pair.head) : "";
  const std::string key = pair.key == pair.query ? "itself" : token_in_words(record, pair.key);
  return filled("How {} looks at {}{}", token_in_words(record, pair.query), key, head);
}

std::string token_in_words(const Record& record, std::int64_t index) {
  const std::string token = draw::visible(record.input.tokens[static_cast<std::size_t>(index)]);
  // Letters beyond ASCII count as words.
  const bool word = std::any_of(token.begin(), token.end(), [](char letter) {
    return is_letter(letter) || is_digit(letter) || static_cast<unsigned char>(letter) >= 0x80;
  });
  return word && token.find(' ') == std::string::npos ? token : filled("“{}”", token);
}

std::string axis_label(const Record& record, const std::string& axis, std::int64_t index) {
  if (axis == "token" || axis == "query" || axis == "key") return record.input.tokens[index];
  return std::to_string(index);
}

}  // namespace foveal::trace
