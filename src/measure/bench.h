#pragma once
// Runs rows: each is verified, then timed, with this machine's peak sampled in between.

#include <functional>
#include <optional>

#include "measure/clock.h"
#include "measure/request.h"

namespace foveal::measure {

struct Machine {
  std::string cpu, target;
  int threads = 0;
  double peak_float32_gflops = 0, peak_bfloat16_gflops = 0, read_gbs = 0;  ///< medians of the run
};

struct BenchRow {
  Request request;
  std::string target;
  int threads = 0;
  Summary seconds;  ///< of one run
  /// Nothing where no operations are counted, or there is no peak or result to compare with.
  std::optional<double> gflops, gbs, share_of_peak, max_error;
  /// What the share is of, GFLOP/s or GB/s: the median of samples taken between this row's runs.
  std::optional<double> peak;
};

struct Bench {
  Machine machine;
  std::vector<BenchRow> rows;
};

/// Called before row `index` of `count`.
using RowBegins = std::function<void(std::size_t index, std::size_t count, const Request& request)>;

/// On `target` (a name; empty: the default) and the library's number of threads, where a row
/// doesn't say otherwise. Throws Error for a row that doesn't fit together or into memory (kind
/// data), and for a result that is wrong (kind internal).
Bench run_bench(const std::vector<Request>& requests, const std::string& target,
                const RowBegins& row_begins);

/// The rows of docs/performance.md.
std::vector<Request> standard_rows();

/// foveal.bench/1.
std::string bench_json(const Bench& bench);
/// A table of 80 columns, with bars; in colour where asked for.
std::string bench_text(const Bench& bench, bool colour);

}  // namespace foveal::measure
