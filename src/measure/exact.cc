#include "measure/exact.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>

namespace foveal::measure {

Tensor exact_copy(const Tensor& tensor, std::int64_t b, std::int64_t h) {
  return tensor.select(0, b).select(0, h).to(DType::float64).contiguous();
}

double dot(const double* a, const double* b, std::int64_t size) {
  constexpr int kSums = 4;
  double sums[kSums] = {};
  std::int64_t d = 0;
  for (; d + kSums <= size; d += kSums) {
    for (int n = 0; n < kSums; ++n) sums[n] += a[d + n] * b[d + n];
  }
  for (; d < size; ++d) sums[0] += a[d] * b[d];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

std::vector<std::int64_t> sampled(std::int64_t count) {
  constexpr std::int64_t kMost = 64;
  const std::int64_t wanted = std::min(count, kMost);
  std::vector<std::int64_t> places;
  for (std::int64_t n = 0; n < wanted; ++n) {
    // From 0 to count - 1, without a product that overflows.
    const double place =
        static_cast<double>(n) / static_cast<double>(std::max<std::int64_t>(wanted - 1, 1));
    places.push_back(std::llround(place * static_cast<double>(count - 1)));
  }
  return places;
}

void Error64::add(double got, double want) {
  const double difference = std::fabs(got - want);
  // A NaN is kept: it compares with nothing.
  if (!(difference <= error)) error = std::isnan(error) ? error : difference;
  largest = std::max(largest, std::fabs(want));
  squares += difference * difference;
  ++count;
}

void Error64::add(const Error64& other) {
  if (!(other.error <= error)) error = std::isnan(error) ? error : other.error;
  largest = std::max(largest, other.largest);
  squares += other.squares;
  count += other.count;
}

double Error64::rms() const {
  return count == 0 ? 0 : std::sqrt(squares / static_cast<double>(count));
}

ExactHead::ExactHead(const PlanData& plan, const Tensor& query, const Tensor& key,
                     const Tensor& value, std::int64_t b, std::int64_t h)
    : mask_(*plan.sequences.front().mask),
      b_(b),
      h_(h),
      keys_(plan.problem.key_length),
      head_size_(plan.problem.head_size),
      value_size_(plan.problem.value_size),
      scale_(1 / std::sqrt(static_cast<double>(head_size_))),
      query_(exact_copy(query, b, h)),
      key_(exact_copy(key, b, plan.problem.kv_head(h))),
      value_(exact_copy(value, b, plan.problem.kv_head(h))) {}

bool ExactHead::visible(std::int64_t i, std::int64_t j) const {
  return (mask_.word(b_, h_, i, j / 64 * 64) >> (j % 64) & 1) != 0;
}

double ExactHead::score(std::int64_t i, std::int64_t j) const {
  return dot(query(i), key(j), head_size_) * scale_;
}

ExactHead::Row ExactHead::row(std::int64_t i) const {
  constexpr double kHidden = -std::numeric_limits<double>::infinity();
  Row row;
  row.weights.assign(static_cast<std::size_t>(keys_), kHidden);
  row.output.assign(static_cast<std::size_t>(value_size_), 0);
  double maximum = kHidden, sum = 0;
  for (std::int64_t j0 = 0; j0 < keys_; j0 += 64) {
    for (std::uint64_t bits = mask_.word(b_, h_, i, j0); bits != 0; bits &= bits - 1) {
      const std::int64_t j = j0 + __builtin_ctzll(bits);
      const double s = row.weights[static_cast<std::size_t>(j)] = score(i, j);
      maximum = std::max(maximum, s);
      row.largest_score = std::max(row.largest_score, std::fabs(s));
    }
  }
  for (double& weight : row.weights) {
    weight = weight == kHidden ? 0 : std::exp(weight - maximum);
    sum += weight;
  }
  row.lse = maximum + std::log(sum);
  if (maximum == kHidden) return row;
  for (std::int64_t j = 0; j < keys_; ++j) {
    double& weight = row.weights[static_cast<std::size_t>(j)];
    if (weight == 0) continue;
    weight /= sum;
    const double* const v = value(j);
    for (std::int64_t d = 0; d < value_size_; ++d) row.output[d] += weight * v[d];
  }
  return row;
}

Error64 output_error(const PlanData& plan, const Tensor& query, const Tensor& key,
                     const Tensor& value, const Tensor& output) {
  const Problem& problem = plan.problem;
  Error64 error;
  std::unique_ptr<ExactHead> head;
  std::int64_t current = -1;
  for (const std::int64_t row : sampled(problem.batch * problem.heads * problem.query_length)) {
    const std::int64_t index = row / problem.query_length, i = row % problem.query_length;
    const std::int64_t b = index / problem.heads, h = index % problem.heads;
    if (index != current) head = std::make_unique<ExactHead>(plan, query, key, value, b, h);
    current = index;
    const std::vector<double> want = head->row(i).output;
    const Tensor got = output.select(0, b).select(0, h).select(0, i).to(DType::float64);
    for (std::int64_t d = 0; d < problem.value_size; ++d) {
      error.add(got.at({d}), want[static_cast<std::size_t>(d)]);
    }
  }
  return error;
}

}  // namespace foveal::measure
