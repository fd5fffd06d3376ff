#pragma once
// The steps of a run computed again, with a change: another scale, a transposed W, a number put in
// by hand. The check of printed numbers asks what such a run would have printed.

#include <map>
#include <string>
#include <vector>

#include "trace/run/record.h"

namespace foveal::trace {

/// How the steps follow from the inputs. changed_run(record) is the right one; a slip changes it.
struct ChangedRun {
  enum class Product { query_key, untransposed_key, key_query };  ///< Q K^T, Q K, K Q^T
  enum class Softmax { over_keys, over_queries, before_mask };

  Tensor W_query, W_key, W_value, W_out;  ///< undefined: the identity
  Product product = Product::query_key;
  double score_factor = 1;  ///< what the step `scores` is multiplied with
  double scale = 1;
  Tensor mask;  ///< bool (L, L), true = may attend; undefined: every key
  Softmax softmax = Softmax::over_keys;
  bool dropout = false;
  double dropout_scale = 1;  ///< what kept weights are multiplied with
};

ChangedRun changed_run(const Record& record);

/// A number put in the place of a cell; later steps are computed from it.
struct Substitution {
  StepName step = {};
  std::vector<std::int64_t> cell;
  double value = 0;
  double uncertainty = 0;  ///< what rounding may have taken from or added to a printed value
};

/// Every step by its name, shaped as in the record (`scaled_scores`, `masked_scores` and
/// `dropped_weights` are there even where they change nothing).
std::map<StepName, Tensor> recompute(const Record& record, const ChangedRun& recipe,
                                     const std::vector<Substitution>& substitutions = {});

}  // namespace foveal::trace
