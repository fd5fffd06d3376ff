#pragma once
// Single rows of attention in float64, with the mask asked bit by bit: what a measured result is
// held to before it is timed.

#include <vector>

#include "attention/plan/plan_data.h"

namespace foveal::measure {

/// One query head and its KV head in float64; it looks at the plan's mask alone, not at its tiles.
class ExactHead {
 public:
  ExactHead(const PlanData& plan, const Tensor& query, const Tensor& key, const Tensor& value,
            std::int64_t b, std::int64_t h);

  struct Row {
    std::vector<double> weights;  ///< P, of all keys; zeros where none is visible
    std::vector<double> output;
    double lse = 0;            ///< -inf where no key is visible
    double largest_score = 0;  ///< in magnitude, of the visible ones
  };
  Row row(std::int64_t i) const;

  bool visible(std::int64_t i, std::int64_t j) const;
  /// S[i][j] before the mask.
  double score(std::int64_t i, std::int64_t j) const;
  double scale() const { return scale_; }
  const double* query(std::int64_t i) const { return query_.data<double>() + i * head_size_; }
  const double* key(std::int64_t j) const { return key_.data<double>() + j * head_size_; }
  const double* value(std::int64_t j) const { return value_.data<double>() + j * value_size_; }

 private:
  const BoundMask& mask_;
  std::int64_t b_, h_, keys_, head_size_, value_size_;
  double scale_;
  Tensor query_, key_, value_;  // (L, D), row-major
};

double dot(const double* a, const double* b, std::int64_t size);

/// Head `h` of batch entry `b` of (B, H, L, D), as a row-major float64 (L, D).
Tensor exact_copy(const Tensor& tensor, std::int64_t b, std::int64_t h);

/// Up to 64 of 0 .. count - 1, spread evenly, the first and the last among them.
std::vector<std::int64_t> sampled(std::int64_t count);

/// The largest difference so far, and the largest right number, both in magnitude.
struct Error64 {
  double error = 0, largest = 0, squares = 0;
  std::int64_t count = 0;

  void add(double got, double want);
  /// What another one has gathered.
  void add(const Error64& other);
  double rms() const;
};

/// `output` (B, H, L_q, D_v) at sampled rows.
Error64 output_error(const PlanData& plan, const Tensor& query, const Tensor& key,
                     const Tensor& value, const Tensor& output);

}  // namespace foveal::measure
