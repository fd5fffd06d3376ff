// Tensors large enough for threads, chunks and transposed copies, against one element at a time.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

#include "case_count.h"
#include "foveal/operations.h"
#include "tensor/samples.h"
#include "tensor/targets.h"

namespace foveal {
namespace {

using samples::Sampler;
using Values = std::vector<double>;
using Unary = std::function<double(double)>;
using Binary = std::function<double(double, double)>;

/// Shapes of more elements than one thread takes: long rows, short ones, many axes.
Shape large_shape(Sampler& sampler, std::int64_t round) {
  const std::int64_t edge = sampler.integer(0, 3);
  switch (round % 4) {
    case 0:
      return {66000 + edge};
    case 1:
      return {250 + edge, 131 + edge};
    case 2:
      return {3, 5, 70 + edge, 33 + edge};
    default:
      return {20000 + edge, 2};
  }
}

Shape without(Shape shape, std::int64_t axis) {
  shape.erase(shape.begin() + axis);
  return shape;
}

void expect_each(const Tensor& out, const Tensor& a, const Unary& function) {
  const Values results = out.to_vector(), given = a.to_vector();
  for (std::size_t i = 0; i < given.size(); ++i) ASSERT_EQ(results[i], function(given[i])) << i;
}

/// `a` and `b` of out's shape, after expand.
void expect_each(const Tensor& out, const Tensor& a, const Tensor& b, const Binary& function) {
  const Values results = out.to_vector(), left = a.expand(out.shape()).to_vector();
  const Values right = b.expand(out.shape()).to_vector();
  for (std::size_t i = 0; i < left.size(); ++i) {
    ASSERT_EQ(results[i], function(left[i], right[i])) << i;
  }
}

TEST(Large, CopiesOfEveryLayoutAndDtype) {
  Sampler sampler(71);
  for (int round = 0; round < 96; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const Tensor a = sampler.tensor(large_shape(sampler, round / 6), dtype);
    const auto same = [](double value) { return value; };
    expect_each(a.clone(), a, same);
    ASSERT_TRUE(a.clone().is_contiguous());
    Tensor into = sampler.tensor(a.shape(), dtype);
    const Strides& strides = into.strides();
    if (std::find(strides.begin(), strides.end(), 0) == strides.end()) {
      into.copy_(a);
      expect_each(into, a, same);
    }
  }
}

TEST(Large, TransposesAtTheEdgesOfSquares) {
  Sampler sampler(72);
  for (const DType dtype : samples::kAll) {
    for (const std::int64_t rows : {1, 15, 64, 129, 513}) {
      for (const std::int64_t columns : {1, 16, 63, 65, 200}) {
        const Tensor a = sampler.dense({2, rows, columns}, dtype);
        const Tensor turned = a.transpose(1, 2).clone();
        ASSERT_TRUE(turned.is_contiguous());
        ASSERT_TRUE(equal(turned.transpose(1, 2), a));
        ASSERT_EQ(turned.to_vector(), a.transpose(1, 2).to_vector());
      }
    }
  }
}

TEST(Large, ConversionsBetweenAllDtypes) {
  Sampler sampler(73);
  samples::for_each_target([&] {
    int round = 0;
    for (const DType from : samples::kAll) {
      for (const DType to : samples::kAll) {
        const Tensor a = sampler.tensor(large_shape(sampler, round++), from);
        expect_each(a.to(to), a, [to](double value) {
          return to == DType::boolean ? static_cast<double>(value != 0) : value;
        });
      }
    }
  });
}

TEST(Large, ArithmeticAndComparisonBroadcast) {
  Sampler sampler(74);
  samples::for_each_target([&] {
    for (unsigned round = 0; round < case_count(14); ++round) {
      const DType dtype = samples::kNumbers[round % 5];
      const Tensor a = sampler.tensor(large_shape(sampler, round), dtype);
      Shape part(a.shape().begin() + sampler.integer(0, a.rank() - 1), a.shape().end());
      for (std::int64_t& size : part) {
        if (sampler.integer(0, 2) == 0) size = 1;
      }
      const Tensor b = sampler.tensor(part, dtype);
      expect_each(a + b, a, b, std::plus<>());
      expect_each(b - a, b, a, std::minus<>());
      expect_each(a * b, a, b, std::multiplies<>());
      expect_each(lt(a, b), a, b, std::less<>());
      expect_each(a * 3.0, a, [](double value) { return value * 3; });
      expect_each(-a, a, std::negate<>());
      expect_each(abs(a), a, [](double value) { return std::abs(value); });
      const Tensor mask = gt(b, 0.0);
      expect_each(masked_fill(a, mask, 7), a, mask,
                  [](double value, double masked) { return masked != 0 ? 7 : value; });
    }
  });
}

TEST(Large, ReductionsOfEveryLayoutAndDtype) {
  Sampler sampler(76);
  for (unsigned round = 0; round < case_count(24); ++round) {
    const DType dtype = samples::kAll[round % 6];
    const Tensor a = sampler.tensor(large_shape(sampler, round / 6), dtype);
    const std::int64_t axis = sampler.integer(0, a.rank() - 1);
    Tensor sums = Tensor::zeros(without(a.shape(), axis), DType::float64), maxima = sums - 9.0;
    const Tensor wide = a.to(DType::float64);
    for (const Tensor& entry : unbind(wide, axis)) {
      sums = sums + entry;
      maxima = masked_fill(maxima, gt(entry, maxima), 0) + masked_fill(entry, le(entry, maxima), 0);
    }
    const DType summed = dtype == DType::boolean ? DType::int64 : dtype;
    ASSERT_TRUE(equal(sum(a, axis), sums.to(summed)));
    ASSERT_TRUE(equal(max(a, axis), maxima.to(dtype)));
    double total = 0;
    for (const double value : a.to_vector()) total += value;
    ASSERT_EQ(sum(a).item(), Tensor::full({}, total, summed).item());
  }
}

TEST(Large, EqualAndAllcloseSeeEveryElement) {
  Sampler sampler(77);
  for (int round = 0; round < 24; ++round) {
    const DType dtype = samples::kAll[round % 6];
    const Tensor a = sampler.tensor(large_shape(sampler, round / 6), dtype);
    Tensor b = a.clone();
    ASSERT_TRUE(equal(a, b) && allclose(a, b));
    Shape index;
    for (const std::int64_t size : a.shape()) index.push_back(sampler.integer(0, size - 1));
    b.set(index, b.at(index) == 0 ? 1 : 0);
    ASSERT_FALSE(equal(a, b) || equal(b, a) || allclose(a, b));
  }
}

TEST(Large, TheSameBitsForAnyNumberOfThreads) {
  Sampler sampler(75);
  const Tensor a = sampler.dense({97, 33, 31}, DType::float32) * 0.37;
  const Tensor b = sampler.dense({33, 97, 31}, DType::float32).transpose(0, 1) * 1.7;
  Tensor sums, quotients, turned, narrow, along, total;
  samples::for_each_thread_count([&] {
    if (num_threads() == 1) {
      sums = a + b;
      quotients = a / b;
      turned = a.transpose(0, 2).contiguous();
      narrow = b.to(DType::bfloat16);
      along = sum(a, 1);
      total = sum(b);
    }
    ASSERT_TRUE(equal(sum(a, 1), along));
    ASSERT_TRUE(equal(sum(b), total));
    ASSERT_TRUE(equal(a + b, sums));
    // 0 / 0 is NaN: compared by their bits, as integers would be.
    ASSERT_TRUE(equal(masked_fill(a / b, eq(b, 0.0), 0), masked_fill(quotients, eq(b, 0.0), 0)));
    ASSERT_TRUE(equal(a.transpose(0, 2).contiguous(), turned));
    ASSERT_TRUE(equal(b.to(DType::bfloat16), narrow));
  });
}

TEST(Large, TheFirstBadElementIsNamedWhateverTheThreads) {
  Tensor a = Tensor::zeros({200000});
  a.set({40000}, 0x1p63);
  a.set({90000}, 0x1p64);
  a.set({199999}, std::numeric_limits<double>::infinity());
  samples::for_each_thread_count([&] {
    for (int round = 0; round < 20; ++round) {
      samples::expect_error([&] { a.to(DType::int64); }, {"to(int64)", "9.22337e+18"});
    }
  });
}

}  // namespace
}  // namespace foveal
