#pragma once
// The nine variants of multi-head attention side by side: first that they agree, then what each
// costs. PyTorch's own nine run in a Python beside them, in turn, never at the same time.

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "foveal/dtype.h"
#include "measure/clock.h"

namespace foveal::measure {

struct CompareSettings {
  int batch = 8, tokens = 1024, width = 768, heads = 12;
  DType dtype = DType::float32;
  std::vector<std::string> variants;  ///< of nn::variants::names()
  int repeats = 5;
  bool where = false;
  bool with_torch = false, compile = false;
  std::string python;  ///< the program
};

struct CompareRow {
  std::string variant;
  std::string library;  ///< "foveal", "torch" or "torch_compiled"
  std::int64_t parameters = 0;
  double max_difference = 0, max_gradient_difference = 0;
  Summary forward, forward_backward;  ///< seconds; no repeats where nothing was timed
  bool has_backward = true;
  std::optional<std::int64_t> peak_bytes;
  std::map<std::string, double> where;  ///< operation: share of the time
  bool runs = true;                     ///< false: it can't, and `note` says why
  std::string note;
};

struct Comparison {
  CompareSettings settings;
  std::string cpu, target;
  int threads = 0;
  std::string torch_version;
  bool agrees = false;
  double most_difference = 0;  ///< above it a row doesn't agree
  std::vector<CompareRow> rows;
};

/// Whether a row's differences stay below what counts as rounding.
inline bool agrees(const CompareRow& row, const Comparison& comparison) {
  return row.max_difference <= comparison.most_difference &&
         row.max_gradient_difference <= comparison.most_difference;
}

/// What is done now, with the share of all that is done.
using CompareProgress = std::function<void(const std::string& what, double done)>;

/// Throws Error (kind usage) for settings that don't fit together, (kind file) where the Python or
/// its PyTorch is missing, or dies.
Comparison run_compare(const CompareSettings& settings, const CompareProgress& progress);

/// foveal.compare/1.
std::string compare_json(const Comparison& comparison);
/// A table of 80 columns, with bars; in colour where asked for.
std::string compare_text(const Comparison& comparison, bool colour);
/// The charts: forward; forward and backward; with the compiled rows, where they are there; where
/// the time goes, where that was asked for.
std::string compare_svg(const Comparison& comparison, bool dark);
/// A page with the charts, light or dark as the reader's screen is, and the table.
std::string compare_html(const Comparison& comparison);

}  // namespace foveal::measure
