#include "measure/bench.h"

#include <algorithm>
#include <cmath>

#include "foveal/error.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"
#include "measure/machine.h"
#include "measure/operation.h"

namespace foveal::measure {
namespace {

constexpr double kRowSeconds = 0.6;
constexpr double kSampleSeconds = 2e-4;  // shorter work is run several times a sample
constexpr std::int64_t kFewest = 5, kMost = 1000;
constexpr std::int64_t kBlocks = 8;  // of runs, with samples of the peak around each

/// Sets the library's number of threads for one row.
class ThreadsHeld {
 public:
  explicit ThreadsHeld(int threads) : before_(num_threads()) {
    if (threads > 0) set_num_threads(threads);
  }
  ~ThreadsHeld() { set_num_threads(before_); }
  ThreadsHeld(const ThreadsHeld&) = delete;
  ThreadsHeld& operator=(const ThreadsHeld&) = delete;

 private:
  int before_;
};

/// A wrong result isn't worth a time.
double checked_error(const Request& request, const Error64& error) {
  const double share = size_of(request.dtype) == 2 ? 5e-2 : 1e-3;
  if (error.error <= share * std::max(1.0, error.largest)) return error.error;
  throw Error(named(request) + " differs from float64 by " + std::to_string(error.error) +
                  ": not timed, please report it",
              ErrorKind::internal);
}

/// Times one operation, in blocks between which the peak is sampled.
class Stopwatch {
 public:
  Stopwatch(const Operation& operation, PeakMeter& meter) : operation_(operation), meter_(meter) {}

  Summary run(std::int64_t wanted) {
    const double once = estimate();
    inner_ = static_cast<std::int64_t>(std::ceil(kSampleSeconds / std::max(once, 1e-9)));
    const double sample = once * static_cast<double>(inner_);
    const std::int64_t repeats =
        wanted > 0 ? wanted
                   : std::clamp(static_cast<std::int64_t>(kRowSeconds / sample), kFewest, kMost);
    const std::int64_t blocks = std::min(repeats, kBlocks);
    std::vector<double> times;
    for (std::int64_t block = 0; block < blocks; ++block) {
      sample_peak();
      const std::int64_t end = repeats * (block + 1) / blocks;
      // The peak's loop has had the caches: this run warms them, and is not counted.
      if (sample < kRowSeconds / kFewest) time_once();
      while (static_cast<std::int64_t>(times.size()) < end) times.push_back(time_once());
    }
    sample_peak();
    return summarize(times);
  }

  const std::vector<double>& peaks() const { return peaks_; }

 private:
  /// Long work was warmed by its verification; short work has more to gain from it.
  double estimate() {
    const double first = time_once();
    return first > kRowSeconds / kFewest ? first : std::min(time_once(), time_once());
  }

  double time_once() {
    const double begin = now();
    for (std::int64_t n = 0; n < inner_; ++n) operation_.run(runs_++);
    return (now() - begin) / static_cast<double>(inner_);
  }

  void sample_peak() {
    if (operation_.peak) peaks_.push_back(meter_.sample(*operation_.peak));
  }

  const Operation& operation_;
  PeakMeter& meter_;
  std::int64_t inner_ = 1, runs_ = 0;
  std::vector<double> peaks_;
};

BenchRow run_row(const Request& request, PeakMeter& meter) {
  BenchRow row;
  row.request = request;
  row.threads = num_threads();
  const Operation operation = make_operation(request);
  if (operation.verify) row.max_error = checked_error(request, operation.verify());
  Stopwatch stopwatch(operation, meter);
  row.seconds = stopwatch.run(request.repeats);
  const double speed = 1e-9 / row.seconds.median;
  if (operation.flops > 0) row.gflops = operation.flops * speed;
  if (operation.bytes > 0) row.gbs = operation.bytes * speed;
  if (operation.peak) {
    row.peak = summarize(stopwatch.peaks()).median * operation.peak_factor;
    const double reached = *operation.peak == PeakKind::read ? operation.bytes : operation.flops;
    row.share_of_peak = reached * speed / *row.peak;
  }
  return row;
}

void sample_all(PeakMeter& meter) {
  for (int n = 0; n < 3; ++n) {
    for (const PeakKind kind : {PeakKind::float32, PeakKind::bfloat16, PeakKind::read}) {
      meter.sample(kind);
    }
  }
}

}  // namespace

Bench run_bench(const std::vector<Request>& requests, const std::string& target,
                const RowBegins& row_begins) {
  const Target& default_target = find_target(target);
  PeakMeter meter(default_target);
  Bench bench;
  sample_all(meter);
  for (std::size_t n = 0; n < requests.size(); ++n) {
    Request request = requests[n];
    const bool is_default = request.target.empty() && request.threads == 0;
    if (request.target.empty()) request.target = default_target.name;
    row_begins(n, requests.size(), request);
    const ThreadsHeld threads(request.threads);
    PeakMeter own(find_target(request.target));
    bench.rows.push_back(run_row(request, is_default ? meter : own));
    bench.rows.back().target = request.target;
  }
  sample_all(meter);
  bench.machine = {cpu_name(),
                   default_target.name,
                   num_threads(),
                   meter.median(PeakKind::float32),
                   meter.median(PeakKind::bfloat16),
                   meter.median(PeakKind::read)};
  return bench;
}

}  // namespace foveal::measure
