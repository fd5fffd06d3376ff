// exp and softmax on every target, against long double.

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "foveal/operations.h"
#include "foveal/random.h"
#include "tensor/samples.h"
#include "tensor/targets.h"

namespace foveal {
namespace {

using samples::Sampler;
using Values = std::vector<double>;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

Values softmax_of(const Values& line) {
  long double largest = -kInfinity, sum = 0;
  for (const double value : line) largest = std::max<long double>(largest, value);
  for (const double value : line) sum += std::exp(value - largest);
  Values result;
  for (const double value : line) {
    result.push_back(static_cast<double>(std::exp(value - largest) / sum));
  }
  return result;
}

TEST(Exponential, ExpIsRightToTheLastBits) {
  Generator generator(91);
  const Tensor wide = randn({3000}, generator, DType::float64) * 200.0;
  samples::for_each_target([&] {
    const Values results = exp(wide).to_vector(), given = wide.to_vector();
    for (std::size_t i = 0; i < given.size(); ++i) {
      const auto expected = static_cast<double>(std::exp(static_cast<long double>(given[i])));
      if (expected == kInfinity) {
        ASSERT_EQ(results[i], expected) << given[i];
        continue;
      }
      // A subnormal result has the spacing of the smallest number.
      ASSERT_NEAR(results[i], expected, 0x1p-52 * expected + 0x1p-1074) << given[i];
    }
    for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
      const Tensor a = wide.to(dtype);
      const DType inner = DType::float32;
      ASSERT_TRUE(equal(exp(a), exp(a.to(DType::float64)).to(inner).to(dtype)));
    }
    const Tensor edges = tensor(
        {-kInfinity, -1e308, -746.0, -745.0, -709.0, 0.0, 709.7, 709.8, 1e308, kInfinity, kNaN},
        DType::float64);
    const Tensor at = exp(edges);
    for (const std::int64_t zero : {0, 1, 2}) EXPECT_EQ(at.at({zero}), 0);
    EXPECT_EQ(at.at({3}), 0x1p-1074);
    EXPECT_EQ(at.at({5}), 1);
    EXPECT_TRUE(std::isfinite(at.at({6})));
    for (const std::int64_t place : {7, 8, 9}) EXPECT_EQ(at.at({place}), kInfinity);
    EXPECT_TRUE(std::isnan(at.at({10})));
  });
}

TEST(Exponential, SoftmaxOfLinesOfEveryLength) {
  Generator generator(92);
  samples::for_each_target([&] {
    for (std::int64_t size = 1; size < 70; ++size) {
      const Tensor a = randn({3, size}, generator, DType::float64) * 10.0;
      for (const DType dtype : samples::kFloating) {
        const Tensor given = a.to(dtype), result = softmax(given, -1);
        for (std::int64_t row = 0; row < 3; ++row) {
          const Values expected = softmax_of(given[row].to_vector());
          const Tensor rounded = Tensor::from_vector(expected, {size}).to(dtype);
          for (std::int64_t i = 0; i < size; ++i) {
            // float64 as exactly as a - maximum is; the others are that, rounded once.
            const double value = rounded.at({i});
            const double error =
                dtype == DType::float64 ? 0x1p-52 * (4 - std::log(value)) * value : 0;
            ASSERT_NEAR(result.at({row, i}), value, error) << size << " " << to_string(dtype);
          }
        }
      }
    }
  });
}

TEST(Exponential, SoftmaxAlongAnyAxisIsThatOfRows) {
  Generator generator(93);
  for (const DType dtype : samples::kFloating) {
    const Tensor a = randn({5, 67, 130}, generator).to(dtype);
    for (std::int64_t axis = 0; axis < 3; ++axis) {
      const Tensor rows = a.transpose(axis, 2).contiguous();
      ASSERT_TRUE(equal(softmax(a, axis).transpose(axis, 2), softmax(rows, 2)));
      ASSERT_TRUE(equal(softmax(rows.transpose(axis, 2), axis), softmax(a, axis)));
      ASSERT_TRUE(softmax(a, axis).is_contiguous());
    }
  }
}

TEST(Exponential, WhatIsMaskedIsNothingAndWhatIsNotANumberStaysInItsLine) {
  samples::for_each_target([] {
    for (const DType dtype : samples::kFloating) {
      for (const std::int64_t size : samples::kEdgeSizes) {
        Tensor a = Tensor::zeros({4, size + 1}, dtype);
        a[0].set({size}, -kInfinity);
        a[1].fill_(-kInfinity);
        a[2].set({size / 2}, kNaN);
        a[3].set({0}, kInfinity);
        const Tensor result = softmax(a, 1);
        for (std::int64_t i = 0; i < size; ++i) {
          EXPECT_EQ(result.at({0, i}),
                    Tensor::full({}, 1.0 / static_cast<double>(size), dtype).item());
        }
        EXPECT_EQ(result.at({0, size}), 0);
        for (std::int64_t i = 0; i <= size; ++i) {
          for (const std::int64_t row : {1, 2, 3}) EXPECT_TRUE(std::isnan(result.at({row, i})));
        }
      }
    }
  });
}

TEST(Exponential, TheSameBitsForAnyNumberOfThreads) {
  Generator generator(94);
  for (const DType dtype : samples::kFloating) {
    const Tensor a = randn({40, 33, 65}, generator).to(dtype);
    Tensor rows, columns, powers;
    samples::for_each_thread_count([&] {
      if (num_threads() == 1) {
        rows = softmax(a, -1);
        columns = softmax(a, 0);
        powers = exp(a);
      }
      ASSERT_TRUE(equal(softmax(a, -1), rows));
      ASSERT_TRUE(equal(softmax(a, 0), columns));
      ASSERT_TRUE(equal(exp(a), powers));
    });
  }
}

}  // namespace
}  // namespace foveal
