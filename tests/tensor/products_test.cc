// The product kernels on every target, around the edges of blocks and panels.

#include <gtest/gtest.h>

#include "case_count.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "foveal/threads.h"
#include "tensor/samples.h"
#include "tensor/targets.h"

namespace foveal {
namespace {

using samples::for_each_target;
using samples::Sampler;

/// The columns of a and the rows of b summed one by one, in float64.
Tensor plain_product(const Tensor& a, const Tensor& b) {
  const std::int64_t rows = a.size(0), inner = a.size(1), columns = b.size(1);
  Tensor out = Tensor::zeros({rows, columns}, DType::float64);
  const std::vector<double> left = a.to_vector(), right = b.to_vector();
  double* const sums = out.data<double>();
  for (std::int64_t i = 0; i < rows; ++i) {
    for (std::int64_t k = 0; k < inner; ++k) {
      const double factor = left[static_cast<std::size_t>(i * inner + k)];
      const double* const from = right.data() + k * columns;
      for (std::int64_t j = 0; j < columns; ++j) sums[i * columns + j] += factor * from[j];
    }
  }
  return out;
}

/// A matrix of small integers, dense, transposed, or a part of a larger one with steps.
Tensor matrix(Sampler& sampler, std::int64_t rows, std::int64_t columns, DType dtype) {
  switch (sampler.integer(0, 4)) {
    case 0:
      return sampler.dense({columns, rows}, dtype).transpose(0, 1);
    case 1:
      return sampler.dense({rows, columns + 3}, dtype).slice(1, 2, columns + 2);
    case 2:
      return sampler.dense({columns, 2, rows}, dtype).transpose(0, 2).select(1, 1);
    case 3:
      return sampler.dense({rows, 2 * columns}, dtype).slice(1, 1, 2 * columns, 2);
    default:
      return sampler.dense({rows, columns}, dtype);
  }
}

/// Whether the target's products of bfloat16 are sums of pairs, which widened numbers don't give.
bool multiplies_pairs() { return find_target("").gemm_bfloat16.multiply != nullptr; }

TEST(Products, EveryTargetAtTheEdgesOfBlocks) {
  constexpr std::int64_t kRows[] = {1, 2, 5, 8, 95, 96, 97, 130, 200};
  constexpr std::int64_t kColumns[] = {1, 11, 16, 17, 33, 48, 49, 96, 101};
  constexpr std::int64_t kInner[] = {1, 7, 16, 64, 767, 768, 769, 1540};
  Sampler sampler(51);
  for_each_target([&] {
    for (unsigned round = 0; round < case_count(20); ++round) {
      const DType dtype = samples::kFloating[round % 4];
      const std::int64_t rows = kRows[sampler.integer(0, 8)];
      const std::int64_t columns = kColumns[sampler.integer(0, 8)];
      const std::int64_t inner = kInner[sampler.integer(0, 7)];
      const Tensor a = matrix(sampler, rows, inner, dtype);
      const Tensor b = matrix(sampler, inner, columns, dtype);
      // Sums of small integers are exact, whatever their order.
      ASSERT_TRUE(equal(matmul(a, b), plain_product(a, b).to(dtype)))
          << rows << " x " << inner << " x " << columns << ", " << to_string(dtype);
    }
  });
}

TEST(Products, ARowsBitsDependOnNoOtherRowAndNoThread) {
  Generator generator(52);
  const int before = num_threads();
  const auto check = [&](const Tensor& a, const Tensor& b) {
    set_num_threads(1);
    const Tensor whole = matmul(a, b);
    const Tensor room = Tensor::zeros({a.size(0), 2 * a.size(1)}, a.dtype());
    Tensor apart = room.slice(1, 0, 2 * a.size(1), 2);
    apart.copy_(a);
    ASSERT_TRUE(equal(matmul(apart, b), whole));
    for (const int threads : {1, 2, 3, 8}) {
      set_num_threads(threads);
      ASSERT_TRUE(equal(matmul(a, b), whole)) << threads;
      for (const std::int64_t row : {0, 7, 95, 96, 209}) {
        const Tensor alone = matmul(a.slice(0, row, row + 1), b);
        ASSERT_TRUE(equal(alone, whole.slice(0, row, row + 1))) << row;
      }
      // Another layout of the same numbers.
      ASSERT_TRUE(equal(matmul(a.transpose(0, 1).contiguous().transpose(0, 1),
                               b.transpose(0, 1).contiguous().transpose(0, 1)),
                        whole));
    }
  };
  for_each_target([&] {
    const Tensor a = randn({210, 901}, generator), b = randn({901, 130}, generator);
    check(a, b);
    check(a.to(DType::bfloat16), b.to(DType::bfloat16));
  });
  set_num_threads(before);
}

TEST(Products, OneRowTimesATransposedMatrix) {
  Sampler sampler(53);
  for_each_target([&] {
    for (unsigned round = 0; round < case_count(20); ++round) {
      const DType dtype = samples::kFloating[round % 4];
      const std::int64_t inner = sampler.integer(250, 700), columns = sampler.integer(1, 70);
      const Tensor a = sampler.dense({inner, 2}, dtype).transpose(0, 1).slice(0, 1, 2);
      const std::int64_t apart = inner + sampler.integer(0, 5);
      const Tensor b = sampler.dense({columns, apart}, dtype).slice(1, 0, inner).transpose(0, 1);
      const Tensor row = sampler.integer(0, 1) == 0 ? a : a.contiguous();
      ASSERT_TRUE(equal(matmul(row, b), plain_product(a, b).to(dtype)))
          << inner << " x " << columns << ", " << to_string(dtype);
    }
  });
}

TEST(Products, OneLongRowKeepsItsBitsOnAnyNumberOfThreads) {
  Generator generator(54);
  const Tensor row = randn({1, 3000}, generator), weight = randn({700, 3000}, generator);
  const int before = num_threads();
  for_each_target([&] {
    set_num_threads(1);
    const Tensor whole = matmul(row, weight.transpose(0, 1));
    EXPECT_TRUE(
        allclose(whole, plain_product(row, weight.transpose(0, 1)).to(DType::float32), 0, 1e-3));
    for (const int threads : {2, 3, 8}) {
      set_num_threads(threads);
      ASSERT_TRUE(equal(matmul(row, weight.transpose(0, 1)), whole)) << threads;
    }
  });
  set_num_threads(before);
}

TEST(Products, HalvesAreProductsOfFloat32RoundedOnce) {
  Generator generator(54);
  for_each_target([&] {
    for (const DType half : {DType::bfloat16, DType::float16}) {
      if (half == DType::bfloat16 && multiplies_pairs()) continue;
      for (const std::int64_t rows : {1, 7, 96, 205}) {
        const Tensor x = randn({rows, 801}, generator).to(half);
        const Tensor weight = randn({101, 801}, generator).to(half);
        const Tensor bias = randn({101}, generator).to(half);
        const Tensor wide = x.to(DType::float32), wide_weight = weight.to(DType::float32);
        ASSERT_TRUE(equal(linear(x, weight, bias),
                          linear(wide, wide_weight, bias.to(DType::float32)).to(half)));
        const Tensor dense = weight.transpose(0, 1).contiguous();
        const Tensor product = matmul(wide, wide_weight.transpose(0, 1)).to(half);
        ASSERT_TRUE(equal(matmul(x, dense), product));
        ASSERT_TRUE(equal(matmul(x.transpose(0, 1).contiguous().transpose(0, 1), dense), product));
      }
    }
  });
}

TEST(Products, BFloat16IsWithinTheRoundingOfItsSums) {
  Generator generator(55);
  for (const std::int64_t rows : {1, 7, 205}) {
    for (const std::int64_t inner : {1, 32, 801}) {
      const Tensor x = randn({rows, inner}, generator).to(DType::bfloat16);
      const Tensor weight = randn({101, inner}, generator).to(DType::bfloat16);
      const Tensor exact = plain_product(x, weight.transpose(0, 1));
      const Tensor sizes = plain_product(abs(x), abs(weight).transpose(0, 1));
      const Tensor bound =
          abs(exact) * 0x1p-8 + sizes * (static_cast<double>(inner) * 0x1p-23 + 0x1p-40);
      for_each_target([&] {
        const Tensor error = abs(linear(x, weight).to(DType::float64) - exact);
        ASSERT_TRUE(equal(le(error, bound), Tensor::ones({rows, 101}, DType::boolean)))
            << rows << " x " << inner;
      });
    }
  }
}

TEST(Products, BatchesAreProductsOneByOne) {
  Generator generator(53);
  const Tensor a = randn({3, 5, 40, 70}, generator), b = randn({5, 70, 50}, generator);
  const Tensor flat = randn({70, 50}, generator);
  const Tensor all = matmul(a, b), joined = matmul(a, flat);
  for (std::int64_t n = 0; n < 3; ++n) {
    for (std::int64_t h = 0; h < 5; ++h) {
      const Tensor left = a.select(0, n).select(0, h);
      EXPECT_TRUE(equal(all.select(0, n).select(0, h), matmul(left, b.select(0, h))));
      EXPECT_TRUE(equal(joined.select(0, n).select(0, h), matmul(left, flat)));
    }
  }
}

}  // namespace
}  // namespace foveal
