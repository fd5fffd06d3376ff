#include "trace/record.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "attention/mask/node.h"
#include "core/memory.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "foveal/reference.h"
#include "trace/arithmetic.h"
#include "trace/steps.h"

namespace foveal::trace {
namespace {

/// Each number stands in the record, then as text in a view: about 64 bytes together.
constexpr double kBytesPerNumber = 64;

void require_memory(const std::vector<PlannedStep>& plan, const Sizes& sizes) {
  double numbers = 0;
  for (const PlannedStep& planned : plan) {
    double count = 1;
    for (std::int64_t size : planned.shape) count *= static_cast<double>(size);
    numbers += count;
  }
  const double needed = numbers * kBytesPerNumber;
  const auto usable = static_cast<double>(usable_memory());
  if (needed <= usable) return;
  throw Error(fmt::format(
      "/inputs: {} tokens and {} head{} make a trace of {:.3g} numbers, about {:.3g} GB with its "
      "view, but this process may use {:.3g} GB: explain fewer tokens",
      sizes.L, sizes.H, sizes.H == 1 ? "" : "s", numbers, needed / 1e9, usable / 1e9));
}

void require_followed(const Input& input, std::int64_t followed) {
  const std::int64_t length = input.inputs.size(0);
  if (followed >= 0 && followed < length) return;
  throw Error(fmt::format("query #{} is out of range: there are {} tokens, #0 to #{}", followed,
                          length, length - 1));
}

/// (L, H·D) -> (H, L, D): head h has columns h·D to h·D + D − 1. One head has no axis of its own.
Tensor split_heads(const Tensor& wide, std::int64_t heads) {
  if (heads == 1) return wide;
  return wide.view({wide.size(0), heads, wide.size(1) / heads}).permute({1, 0, 2}).contiguous();
}

/// (H, L, D) -> (L, H·D): heads side by side.
Tensor join_heads(const Tensor& by_head, std::int64_t heads) {
  if (heads == 1) return by_head;
  const std::int64_t length = by_head.size(1);
  return by_head.permute({1, 0, 2}).reshape({length, heads * by_head.size(2)});
}

Tensor project(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  if (!weight.defined()) return x;
  const Tensor product = matmul(x, weight);
  return bias.defined() ? product + bias : product;
}

Tensor mask_of(const Input& input) {
  if (input.settings.mask == "rows") return input.mask_rows;
  const std::int64_t length = input.inputs.size(0);
  if (input.settings.mask == "causal") return reference::causal_mask(length, length);
  const auto bound = input.mask.node().bind({1, 1, length, length});
  Tensor rows = Tensor::zeros({length, length}, DType::boolean);
  bool* visible = rows.data<bool>();
  for (std::int64_t i = 0; i < length; ++i) {
    for (std::int64_t j = 0; j < length; ++j) *visible++ = (bound->word(0, 0, i, j) & 1) != 0;
  }
  return rows;
}

/// The numbers of every step, by the definitions of reference::.
class Run {
 public:
  Run(Record* record, std::vector<PlannedStep> plan) : record_(record), plan_(std::move(plan)) {}

  void all() {
    const Input& input = record_->input;
    const std::int64_t heads = input.settings.num_heads;
    add("inputs", input.inputs);
    const Tensor queries = split_heads(project(input.inputs, input.W_query, input.b_query), heads);
    const Tensor keys = split_heads(project(input.inputs, input.W_key, input.b_key), heads);
    const Tensor values = split_heads(project(input.inputs, input.W_value, input.b_value), heads);
    add("queries", queries);
    add("keys", keys);
    add("values", values);
    const Tensor context = join_heads(reference::context(weights(queries, keys), values), heads);
    add("context", context);
    if (input.W_out.defined()) add("output", project(context, input.W_out, input.b_out));
  }

 private:
  Tensor weights(const Tensor& queries, const Tensor& keys) {
    const Settings& settings = record_->input.settings;
    Tensor scores = reference::scores(queries, keys);
    add("scores", scores);
    if (settings.scale.kind != Scale::Kind::none) {
      scores = reference::scaled_scores(scores, scale_factor(record_->input));
      add("scaled_scores", scores);
    }
    if (settings.mask != "none") {
      const Tensor mask = mask_of(record_->input);
      add("mask", mask);
      scores = reference::masked_scores(scores, mask);
      add("masked_scores", scores);
    }
    const Tensor weights = reference::weights(scores);
    add("weights", weights);
    return settings.dropout ? dropped(weights, *settings.dropout) : weights;
  }

  Tensor dropped(const Tensor& weights, const DropoutSetting& dropout) {
    Generator generator(dropout.seed);
    const Tensor mask = dropout_mask(weights.shape(), dropout.p, generator).to(DType::float64);
    add("dropout_mask", mask);
    const Tensor dropped = reference::dropped_weights(weights, mask, dropout.p);
    add("dropped_weights", dropped);
    return dropped;
  }

  /// The next step of the plan, with its numbers.
  void add(const std::string& name, const Tensor& data) {
    const PlannedStep& planned = plan_.at(record_->steps.size());
    if (planned.step.name != name || planned.shape != data.shape()) {
      throw Error("trace: step " + name + " is not the planned " + planned.step.name,
                  ErrorKind::internal);
    }
    record_->steps.push_back(planned.step);
    record_->steps.back().data = data.contiguous();
    record_->steps.back().decimals = shown_decimals(data);
  }

  Record* record_;
  std::vector<PlannedStep> plan_;
};

/// "1, 3": the queries that may attend to no key at all.
std::string fully_masked_rows(const Record& record) {
  const Step* mask = find_step(record, "mask");
  if (mask == nullptr) return "";
  const bool* visible = mask->data.data<bool>();
  const std::int64_t length = mask->data.size(0);
  std::string rows;
  for (std::int64_t i = 0; i < length; ++i) {
    const bool* row = visible + i * length;
    if (std::find(row, row + length, true) != row + length) continue;
    rows += (rows.empty() ? "" : ", ") + std::to_string(i);
  }
  return rows;
}

/// What only the numbers can tell: rows without a key, overflow, digits that the views hide.
void add_notes_on_numbers(const Step& step, const std::string& empty_rows, std::string* note) {
  if (step.data.dtype() != DType::float64) return;
  const double* begin = step.data.data<double>();
  const double* end = begin + step.data.element_count();
  const bool has_nan = std::any_of(begin, end, [](double x) { return std::isnan(x); });
  const bool has_infinity = std::any_of(begin, end, [](double x) { return x == HUGE_VAL; });
  const bool hides = step.decimals > 0 && std::any_of(begin, end, [](double x) {
                       return x != 0 && std::abs(x) < 0.00005;
                     });
  if (has_nan && empty_rows.empty()) {
    *note += " NaN: numbers before it went beyond float64's range.";
  } else if (has_nan && step.name == "weights") {
    *note += fmt::format(
        " Row {} is NaN: every key is masked there, each e^(−∞) is 0, so their sum is 0, and 0 / 0 "
        "is NaN. (The fast engine gives 0 for such a row.)",
        empty_rows);
  } else if (has_nan) {
    *note += fmt::format(" NaN: query {} has no key to attend to.", empty_rows);
  }
  if (has_infinity) *note += " ∞: beyond float64's range, about 1.8e308.";
  if (hides) *note += " Some numbers here are not 0 but show as 0.0000.";
}

}  // namespace

Record run(const Input& input, std::int64_t followed) {
  require_followed(input, followed);
  std::vector<PlannedStep> plan = plan_steps(input);
  require_memory(plan, sizes_of(input));
  Record record;
  record.input = input;
  record.followed = followed;
  Run(&record, std::move(plan)).all();
  const std::string empty_rows = fully_masked_rows(record);
  for (Step& step : record.steps) add_notes_on_numbers(step, empty_rows, &step.note);
  return record;
}

const Step* find_step(const Record& record, const std::string& name) {
  for (const Step& step : record.steps) {
    if (step.name == name) return &step;
  }
  return nullptr;
}

}  // namespace foveal::trace
