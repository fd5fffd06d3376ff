#pragma once
// Attention calls drawn from a seed: every option crossed with shapes around the kernels' edges.

#include <gtest/gtest.h>

#include <cmath>
#include <random>

#include "foveal/attention.h"
#include "foveal/operations.h"

namespace foveal {

class Cases {
 public:
  explicit Cases(unsigned seed) : random_(seed) {}

  std::int64_t pick(std::initializer_list<std::int64_t> values) {
    return values.begin()[number(0, static_cast<std::int64_t>(values.size()) - 1)];
  }
  std::int64_t number(std::int64_t low, std::int64_t high) {
    return std::uniform_int_distribution<std::int64_t>(low, high)(random_);
  }
  bool chance(int percent) { return number(0, 99) < percent; }

  /// Nearly normal, which costs a tenth: the sum of a word's four pieces, of variance 1,
  /// within 3.5.
  Tensor normal(const Shape& shape, double factor = 1) {
    Tensor tensor = Tensor::zeros(shape, DType::float64);
    double* const numbers = tensor.data<double>();
    const std::int64_t count = tensor.element_count();
    for (std::int64_t n = 0; n < count; ++n) numbers[n] = nearly_normal() * factor;
    return tensor;
  }

 private:
  double nearly_normal() {
    constexpr double kMean = 4 * 32767.5, kDeviation = 37837.2;  // of the sum of four pieces
    constexpr std::uint64_t kPieces = 0xffff0000ffff;            // of 16 bits each
    const std::uint64_t word = random_();
    const std::uint64_t pairs = (word & kPieces) + (word >> 16 & kPieces);
    return (static_cast<double>((pairs & 0xffffffff) + (pairs >> 32)) - kMean) / kDeviation;
  }

  std::mt19937_64 random_;
};

struct Case {
  Tensor query, key, value;
  AttentionOptions options;
};

/// A bias that swallows every score that it is added to, in float32 too, or is lost in it.
inline double huge_or_tiny(Cases& cases) {
  constexpr double kLeast = -3.4028234663852886e38;  // float32's
  const double numbers[] = {0, 0, -1e12, -1e30, kLeast, kLeast / 2, 1e30, 1e-30, -1e-44};
  return numbers[cases.number(0, 8)];
}

/// Rows of K that are equal to others, so that scores are.
inline void repeat_keys(Cases& cases, Tensor& key) {
  const std::int64_t keys = key.size(2);
  for (std::int64_t j = 1; j < keys; ++j) {
    if (!cases.chance(30)) continue;
    const std::int64_t from = cases.number(0, j - 1);
    key.slice(2, j, j + 1).copy_(key.slice(2, from, from + 1));
  }
}

inline Case make_case(Cases& cases, DType dtype) {
  const std::int64_t batch = cases.chance(2) ? 0 : cases.number(1, 2);
  const std::int64_t kv = cases.chance(2) ? 0 : cases.pick({1, 2, 3});
  const std::int64_t heads = kv * cases.pick({1, 1, 2, 4});
  const std::int64_t queries =
      cases.pick({0, 1, 2, 15, 16, 17, 23, 24, 25, 47, 48, 49, 63, 64, 65, 97, 129});
  const std::int64_t keys =
      cases.chance(50) ? queries : cases.pick({0, 1, 3, 31, 63, 64, 65, 127, 130, 200});
  const std::int64_t d = cases.chance(4) ? cases.pick({96, 128, 255, 1024})
                                         : cases.pick({1, 2, 3, 5, 8, 16, 20, 33, 64, 80}),
                     dv = cases.chance(70) ? d : cases.pick({0, 1, 3, 7, 32, 50});
  Case one;
  one.query = cases.normal({batch, heads, queries, d}, cases.chance(10) ? 30 : 1).to(dtype);
  one.key = cases.normal({batch, kv, keys, d}).to(dtype);
  if (cases.chance(15)) repeat_keys(cases, one.key);
  one.value = cases.normal({batch, kv, keys, dv}).to(dtype);
  if (cases.chance(30)) one.query = one.query.transpose(1, 2).contiguous().transpose(1, 2);
  AttentionOptions& options = one.options;
  if (cases.chance(30)) options.scale = 0.05 * static_cast<double>(cases.number(1, 20));
  if (cases.chance(20)) options.softcap = static_cast<double>(cases.pick({1, 20}));
  if (cases.chance(25)) {
    options.bias = cases
                       .normal({cases.chance(50) ? batch : 1, cases.chance(50) ? heads : 1,
                                cases.chance(70) ? queries : 1, keys})
                       .to(dtype);
    if (cases.chance(20)) {
      options.bias = options.bias.to(DType::float32);
      float* const numbers = options.bias.data<float>();
      const std::int64_t count = options.bias.element_count();
      for (std::int64_t n = 0; n < count; ++n) {
        numbers[n] = static_cast<float>(huge_or_tiny(cases));
      }
    }
  }
  if (cases.chance(20)) options.alibi_slopes = abs(cases.normal({heads})).to(dtype);
  if (cases.chance(20)) options.sinks = cases.normal({heads}).to(dtype);
  if (cases.chance(20)) {
    options.dropout = cases.chance(10) ? 1 : 0.3;
    options.seed = static_cast<std::uint64_t>(cases.number(0, 1 << 30)) * 4294967311u;
    options.offset = static_cast<std::uint64_t>(cases.number(0, 9));
    if (cases.chance(30)) options.offset *= 0x40000001;
    if (cases.chance(40)) {
      options.dropout = std::min(options.dropout, 0.5);
      options.dropout_mask = gt(
          cases.normal({cases.chance(50) ? batch : 1, heads, queries, cases.chance(80) ? keys : 1}),
          0.0);
    }
  }
  switch (cases.number(0, 6)) {
    case 0:
      options.mask = causal(Corner::top_left);
      break;
    case 1:
      options.mask = causal(Corner::bottom_right) & window(cases.number(0, 70), -1);
      break;
    case 2: {
      std::vector<std::int64_t> lengths;
      for (std::int64_t b = 0; b < batch; ++b) lengths.push_back(cases.number(0, keys));
      options.mask = padding(lengths);
      break;
    }
    case 3:
      options.mask = window(cases.number(0, 40), cases.number(0, 40)) |
                     prefix(std::min<std::int64_t>(keys, 3));
      break;
    case 4:
      options.mask = dense(gt(cases.normal({1, heads, queries, keys}), 0.0));
      break;
    default:
      break;
  }
  options.return_lse = true;
  return one;
}

/// How much larger a sum of `size` terms errs than one of 64: by the root of its length.
inline double sum_error(std::int64_t size) {
  return std::max(1.0, std::sqrt(static_cast<double>(size) / 64));
}

/// What scores are rounded in proportion to: their size, but for those that a huge bias swallowed.
inline double score_size(const Case& one, const Tensor& scores) {
  double top = 0;
  for (double value : scores.to_vector()) {
    if (std::fabs(value) < 1e9) top = std::max(top, std::fabs(value));
  }
  return top * sum_error(one.query.size(3));
}

inline double largest(const Tensor& tensor) {
  double top = 0;
  for (double value : tensor.to_vector()) {
    if (std::isfinite(value)) top = std::max(top, std::fabs(value));
  }
  return top;
}

inline void expect_close(const Tensor& got, const Tensor& want, double tolerance,
                         const char* what) {
  ASSERT_EQ(got.shape(), want.shape()) << what;
  const std::vector<double> a = got.to_vector(), b = want.to_vector();
  for (std::size_t n = 0; n < a.size(); ++n) {
    if (a[n] == b[n] || (std::isnan(a[n]) && std::isnan(b[n]))) continue;
    ASSERT_LE(std::fabs(a[n] - b[n]), tolerance)
        << what << " at " << n << ": " << a[n] << " " << b[n];
  }
}

/// lse of rows that a huge bias swallowed are as large as that, and rounded in proportion.
inline void expect_lse(const Tensor& got, const Tensor& want, double tolerance) {
  ASSERT_EQ(got.shape(), want.shape()) << "lse";
  const std::vector<double> a = got.to_vector(), b = want.to_vector();
  for (std::size_t n = 0; n < a.size(); ++n) {
    if (a[n] == b[n]) continue;
    const double size = std::fabs(b[n]) < 1e9 ? 1 : std::fabs(b[n]);
    ASSERT_LE(std::fabs(a[n] - b[n]), tolerance * size)
        << "lse at " << n << ": " << a[n] << " " << b[n];
  }
}

}  // namespace foveal
