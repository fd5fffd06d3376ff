#include "attention/plan/problem.h"

#include <algorithm>
#include <cmath>

#include "attention/plan/sequence.h"
#include "core/number_text.h"
#include "foveal/error.h"
#include "tensor/numbers.h"

namespace foveal {
namespace {

std::string has_shape(const char* name, const Shape& shape) {
  return std::string("attention: ") + name + " has shape " + to_string(shape);
}

void check_ranks(const Shape& query, const Shape& key, const Shape& value) {
  const std::pair<const char*, const Shape*> all[] = {
      {"query", &query}, {"key", &key}, {"value", &value}};
  for (const auto& [name, shape] : all) {
    if (shape->size() != 4) {
      throw Error(has_shape(name, *shape) +
                  ": it must have four axes, (B, H, L, D); add them with unsqueeze");
    }
    element_count(*shape);
  }
}

void check_equal(const char* name, const Shape& shape, const char* other_name, const Shape& other,
                 std::size_t axis, const std::string& rule) {
  if (shape[axis] == other[axis]) return;
  throw Error(has_shape(name, shape) + " but " + other_name + " has " + to_string(other) + ": " +
              rule + " (axis " + std::to_string(axis) + ") must match");
}

void check_shapes(const Shape& query, const Shape& key, const Shape& value) {
  check_ranks(query, key, value);
  check_equal("key", key, "query", query, 0, "batch");
  check_equal("value", value, "query", query, 0, "batch");
  check_equal("key", key, "query", query, 3, "head sizes");
  check_equal("value", value, "key", key, 1, "heads");
  check_equal("value", value, "key", key, 2, "numbers of keys");
  const bool divides = key[1] == 0 ? query[1] == 0 : query[1] % key[1] == 0;
  if (!divides) {
    throw Error(has_shape("key", key) + " but query has " + to_string(query) +
                ": heads (axis 1) must match or divide");
  }
  if (query[3] == 0) {
    throw Error(has_shape("query", query) + ": the head size (axis 3) must be 1 or more");
  }
}

/// The plan counts pairs and products in 63 bits, tiles rounded up.
void check_countable(const Problem& p, const Shape& query, const Shape& key, const Shape& value) {
  constexpr std::int64_t kLeast = 1024;
  const bool empty = p.batch == 0 || p.heads == 0;
  std::int64_t lengths = 0, sizes = 0;
  bool overflows = __builtin_add_overflow(p.query_length, p.key_length, &lengths) ||
                   __builtin_add_overflow(p.head_size, p.value_size, &sizes);
  std::int64_t count = sizes;
  for (const std::int64_t factor :
       {empty ? 1 : p.batch, empty ? 1 : p.heads, std::max(empty ? 0 : p.query_length, kLeast),
        std::max(empty ? 0 : p.key_length, kLeast)}) {
    overflows = overflows || __builtin_mul_overflow(count, factor, &count);
  }
  if (!overflows) return;
  throw Error(has_shape("query", query) + ", key " + to_string(key) + " and value " +
              to_string(value) +
              ": B H L_q L_k (D + D_v) products are more than 63 bits can count; ask for less");
}

void check_per_head(const Tensor& tensor, const char* name, const Problem& problem) {
  if (!tensor.defined()) return;
  if (tensor.shape() != Shape{problem.heads} || !is_floating(tensor.dtype())) {
    throw Error(has_shape(name, tensor.shape()) + " and dtype " + to_string(tensor.dtype()) +
                ": it must be floating, (H) = (" + std::to_string(problem.heads) + ")");
  }
}

bool broadcasts(const Shape& shape, const Shape& full) {
  bool fits = shape.size() <= full.size();
  for (std::size_t axis = 1; fits && axis <= shape.size(); ++axis) {
    const std::int64_t size = shape[shape.size() - axis];
    fits = size == 1 || size == full[full.size() - axis];
  }
  return fits;
}

/// What has a number for each score; `fits` says whether its dtype does, `kind` what it must be.
void check_per_score(const Tensor& tensor, const char* name, bool fits, const char* kind,
                     const Problem& problem, const std::vector<Sequence>& sequences,
                     const AttentionOptions& options) {
  if (!tensor.defined()) return;
  const std::string given =
      has_shape(name, tensor.shape()) + " and dtype " + to_string(tensor.dtype());
  if (!fits || tensor.rank() > 4) {
    throw Error(given + ": it must be " + kind + ", with at most four axes, (B, H, L_q, L_k)");
  }
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    const Shape full{problem.batch, problem.heads, sequences[n].query_length,
                     sequences[n].key_length + sequences[n].unused_keys};
    if (broadcasts(tensor.shape(), full)) continue;
    throw Error(given +
                ": it must broadcast from the right to (B, H, L_q, L_k) = " + to_string(full) +
                (is_packed(options)
                     ? " of packed sequence " + std::to_string(n) + ", as to that of every other"
                     : ""));
  }
}

/// A number that is finite, and that the type which is computed in holds.
void check_number(double value, const std::string& name, DType dtype) {
  const std::string what = name + " is " + number_text(value);
  if (!std::isfinite(value)) throw Error("attention: " + what + ": it must be finite");
  if (dtype != DType::float64 && !float32_holds(value)) refuse_for_float32(what);
}

void check_numbers(const AttentionOptions& options, DType dtype) {
  if (options.scale) check_number(*options.scale, "scale", dtype);
  check_number(options.softcap, "softcap", dtype);
  if (options.softcap < 0) {
    throw Error("attention: softcap is " + number_text(options.softcap) +
                ": it must be 0 (none) or more");
  }
  if (!(options.dropout >= 0 && options.dropout <= 1)) {
    throw Error("attention: dropout is " + number_text(options.dropout) +
                ": it must be from 0 to 1");
  }
  constexpr int kMostThreads = 1024;
  if (options.threads < 0 || options.threads > kMostThreads) {
    throw Error("attention: threads is " + std::to_string(options.threads) +
                ": it must be from 1 to " + std::to_string(kMostThreads) +
                ", or 0 for those of set_num_threads");
  }
  if (options.statistics.top_k < 0) {
    throw Error("attention: statistics.top_k is " + std::to_string(options.statistics.top_k) +
                ": it must be 0 or more");
  }
}

void check_rows(const StatisticsOptions& asked, std::int64_t queries) {
  for (std::int64_t row : asked.rows) {
    if (row >= 0 && row < queries) continue;
    throw Error("attention: statistics.rows holds " + std::to_string(row) + ": " +
                (queries == 0 ? "there are no queries"
                              : "queries are 0 to " + std::to_string(queries - 1)));
  }
}

}  // namespace

Problem check_problem(const Shape& query, const Shape& key, const Shape& value, DType dtype,
                      const AttentionOptions& options) {
  check_shapes(query, key, value);
  if (!is_floating(dtype)) {
    throw Error("attention: dtype is " + to_string(dtype) +
                ": it must be float32, float64, bfloat16 or float16");
  }
  Problem problem{query[0], query[1], key[1], query[2], key[2], query[3], value[3], dtype};
  check_countable(problem, query, key, value);
  check_numbers(options, dtype);
  if (options.strict && needs_second_pass(options)) {
    throw Error(
        "attention: strict refuses the second pass that weights, column mass and rows in full "
        "take: "
        "leave strict or them out");
  }
  check_per_head(options.alibi_slopes, "alibi_slopes", problem);
  check_per_head(options.sinks, "sinks", problem);
  check_rows(options.statistics, problem.query_length);
  return problem;
}

void check_score_tensors(const AttentionOptions& options, const Problem& problem,
                         const std::vector<Sequence>& sequences) {
  const Tensor &bias = options.bias, &kept = options.dropout_mask;
  check_per_score(bias, "bias", is_floating(bias.dtype()), "floating", problem, sequences, options);
  check_per_score(kept, "dropout_mask", kept.dtype() == DType::boolean, "bool", problem, sequences,
                  options);
}

void refuse_for_float32(const std::string& what) {
  throw Error(
      "attention: " + what +
      ": the computation is in float32, whose largest number is 3.40282e+38: give a smaller "
      "one, or float64 query, key and value");
}

bool is_packed(const AttentionOptions& options) {
  return !options.query_starts.empty() || !options.key_starts.empty();
}

bool drops_weights(const AttentionOptions& options) {
  return options.dropout > 0 || options.dropout_mask.defined();
}

bool needs_second_pass(const AttentionOptions& options) {
  const StatisticsOptions& asked = options.statistics;
  return options.return_weights || asked.column_mass || !asked.rows.empty();
}

bool gathers_rows(const AttentionOptions& options) {
  const StatisticsOptions& asked = options.statistics;
  return asked.top_k > 0 || asked.entropy || asked.maximum;
}

}  // namespace foveal
