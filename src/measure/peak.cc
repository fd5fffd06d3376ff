#include "measure/peak.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/memory.h"
#include "core/thread_pool.h"
#include "measure/clock.h"

namespace foveal::measure {
namespace {

constexpr std::int64_t kBlock = 1 << 18;       // numbers of one task that reads
constexpr std::int64_t kArrayBytes = 1 << 29;  // larger than any cache this library meets

/// Keeps what a loop computed from being left out.
volatile float sink;

/// So many numbers, a multiple of a block, as an array to read takes here.
std::int64_t array_size() {
  const auto usable = static_cast<std::int64_t>(usable_memory() / 8);
  return std::max<std::int64_t>(std::min(kArrayBytes, usable) / 4 / kBlock, 1) * kBlock;
}

}  // namespace

double PeakMeter::multiply_adds(const PeakKernel& kernel) const {
  constexpr double kTaskOperations = 2e7, kSeconds = 0.015;
  const auto rounds = static_cast<std::int64_t>(kTaskOperations / kernel.operations);
  const auto task = [&](std::int64_t) { sink = kernel.run(rounds); };
  const double first = now();
  task(0);
  // One call for all: a thread that loses its CPU for a while then costs what it costs a row.
  const double each = now() - first;
  const std::int64_t tasks = num_threads() * static_cast<std::int64_t>(std::ceil(kSeconds / each));
  const double begin = now();
  parallel_for(tasks, task);
  return static_cast<double>(tasks * rounds) * kernel.operations / (now() - begin) / 1e9;
}

double PeakMeter::read() {
  // Written once: pages that nobody wrote to all show the same zeros, from the cache.
  if (!numbers_.defined()) numbers_ = Tensor::full({array_size()}, 1);
  const float* const numbers = std::as_const(numbers_).data<float>();
  const std::int64_t size = numbers_.element_count();
  const double begin = now();
  parallel_for(size / kBlock,
               [&](std::int64_t block) { sink = target_.read(numbers + block * kBlock, kBlock); });
  return static_cast<double>(size) * sizeof(float) / (now() - begin) / 1e9;
}

double PeakMeter::sample(PeakKind kind) {
  double speed = 0;
  if (kind == PeakKind::read) {
    speed = read();
  } else {
    speed = multiply_adds(kind == PeakKind::float32 ? target_.peak_float32 : target_.peak_bfloat16);
  }
  samples_[static_cast<std::size_t>(kind)].push_back(speed);
  return speed;
}

double PeakMeter::median(PeakKind kind) const {
  return summarize(samples_[static_cast<std::size_t>(kind)]).median;
}

}  // namespace foveal::measure
