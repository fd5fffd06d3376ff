#pragma once
// One call: what stays the same between calls, and the arrays of this one.

#include <nanobind/nanobind.h>

#include <optional>
#include <string>
#include <vector>

#include "arrays.h"
#include "foveal/attention.h"
#include "interrupt.h"

namespace foveal::python {

/// The options that hold no array. A mask with arrays is text in which # stands for each, in order.
class Settings {
 public:
  using Numbers = std::optional<std::vector<std::int64_t>>;

  Settings(std::string mask, std::optional<double> scale, double softcap, double dropout,
           std::uint64_t offset, bool return_lse, bool return_weights, int top_k, bool entropy,
           bool maximum, bool column_mass, std::vector<std::int64_t> rows, Numbers key_lengths,
           std::optional<std::int64_t> query_offset, Numbers query_offsets, std::int64_t key_offset,
           Numbers query_starts, Numbers key_starts, std::string target, bool strict);

  const AttentionOptions& options() const { return options_; }
  const std::string& mask_text() const { return mask_text_; }
  /// Whether the mask must be made at each call: it names arrays, or files, which may change.
  bool mask_is_made_anew() const { return mask_is_made_anew_; }
  /// Throws where a list of one number for each batch entry is empty, which the library takes for
  /// absent, and there are entries.
  void check_lists(std::int64_t batch) const;

 private:
  AttentionOptions options_;
  std::string mask_text_;
  bool mask_is_made_anew_;
  const char* empty_list_ = nullptr;  ///< the name of such a list
};

/// Text in which each # is the next of `arrays`, which `borrowed` holds for the mask -> mask.
Mask mask_of(const std::string& text, nanobind::handle arrays, Borrowed& borrowed);

/// The terms that are arrays, in the order in which Python gives them.
struct Terms {
  nanobind::handle bias, alibi_slopes, sinks, mask_arrays;
};

/// A call's options, with its arrays, for as long as it lives.
class Call {
 public:
  Call(const Settings& settings, const Terms& terms, std::uint64_t seed, int threads);

  AttentionOptions options;
  Borrowed arrays;
};

/// The three that attention is of. Throws TypeError where their dtypes differ or aren't floating.
struct Inputs {
  Inputs(Borrowed& arrays, nanobind::handle query, nanobind::handle key, nanobind::handle value);
  std::int64_t batch() const { return query.rank() == 0 ? 0 : query.size(0); }
  Tensor query, key, value;
};

}  // namespace foveal::python
