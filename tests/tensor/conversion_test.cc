// The kernels that widen and round the 16-bit types, on every target.

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "float_states.h"
#include "foveal/dtype.h"
#include "foveal/tensor.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

template <class Half>
class Conversion : public testing::Test {
 protected:
  static ConversionKernels kernels(const Target& target) {
    return std::is_same_v<Half, BFloat16> ? target.bfloat16 : target.float16;
  }

  /// Rounded one by one, from a float64, as dtype_test.cc holds against the definition.
  static std::uint16_t rounded(float value) { return Half(static_cast<double>(value)).bits; }
};

using HalfTypes = testing::Types<BFloat16, Float16>;
TYPED_TEST_SUITE(Conversion, HalfTypes);

TYPED_TEST(Conversion, EveryNumberWidens) {
  std::vector<std::uint16_t> all(1 << 16);
  for (std::size_t n = 0; n < all.size(); ++n) all[n] = static_cast<std::uint16_t>(n);
  for (const Target* target : usable_targets()) {
    std::vector<float> wide(all.size());
    this->kernels(*target).widen(all.data(), 1 << 16, wide.data());
    for (std::size_t n = 0; n < all.size(); ++n) {
      TypeParam half;
      half.bits = all[n];
      const auto expected = static_cast<float>(half);
      if (std::isnan(expected)) {
        ASSERT_TRUE(std::isnan(wide[n])) << target->name << " " << n;
      } else {
        ASSERT_EQ(std::bit_cast<std::uint32_t>(wide[n]), std::bit_cast<std::uint32_t>(expected))
            << target->name << " " << n;
      }
    }
  }
}

/// Random ones, those halfway between two of the 16-bit type, and those beside these.
template <class Half>
std::vector<float> numbers_to_round() {
  std::mt19937 engine(81);
  std::vector<float> numbers;
  for (int n = 0; n < 300000; ++n)
    numbers.push_back(std::bit_cast<float>(static_cast<std::uint32_t>(engine())));
  // Halfway between two numbers, and beside it.
  for (std::uint32_t bits = 0; bits < 0x8000; ++bits) {
    Half low, high;
    low.bits = static_cast<std::uint16_t>(bits);
    high.bits = static_cast<std::uint16_t>(bits + 1);
    const float tie = static_cast<float>(low) / 2 + static_cast<float>(high) / 2;
    for (const float value : {tie, std::nextafter(tie, 0.0F), std::nextafter(tie, 1e38F)}) {
      numbers.push_back(value);
      numbers.push_back(-value);
    }
  }
  return numbers;
}

TYPED_TEST(Conversion, NumbersRoundToNearestEven) {
  const std::vector<float> numbers = numbers_to_round<TypeParam>();
  const auto count = static_cast<std::int64_t>(numbers.size());
  for (const Target* target : usable_targets()) {
    std::vector<std::uint16_t> halves(numbers.size());
    this->kernels(*target).narrow(numbers.data(), count, halves.data());
    for (std::size_t n = 0; n < numbers.size(); ++n) {
      ASSERT_EQ(halves[n], this->rounded(numbers[n])) << target->name << " " << numbers[n];
    }
  }
}

TYPED_TEST(Conversion, TheCallersRoundingAndSubnormalsChangeNothing) {
  const std::vector<float> numbers = numbers_to_round<TypeParam>();
  std::vector<std::uint16_t> all(1 << 16);
  for (std::size_t n = 0; n < all.size(); ++n) all[n] = static_cast<std::uint16_t>(n);
  for (const Target* target : usable_targets()) {
    SCOPED_TRACE(target->name);
    const auto converted = [&] {
      std::vector<float> wide(all.size());
      this->kernels(*target).widen(all.data(), 1 << 16, wide.data());
      std::vector<std::uint16_t> halves(numbers.size());
      this->kernels(*target).narrow(numbers.data(), static_cast<std::int64_t>(numbers.size()),
                                    halves.data());
      std::vector<std::uint32_t> bits(halves.begin(), halves.end());
      for (const float number : wide) bits.push_back(std::bit_cast<std::uint32_t>(number));
      return bits;
    };
    const auto expected = converted();
    for_each_float_state([&] { ASSERT_EQ(converted(), expected); });
  }
}

/// Every number of the 16-bit type, as a tensor.
template <class Half>
Tensor every_number() {
  std::vector<Half> all(1 << 16);
  for (std::size_t n = 0; n < all.size(); ++n) all[n].bits = static_cast<std::uint16_t>(n);
  return Tensor::from_vector(all, {1 << 16});
}

bool same_bytes(const Tensor& a, const Tensor& b) {
  const auto bytes = static_cast<std::size_t>(a.element_count()) * size_of(a.dtype());
  return std::memcmp(a.raw_data(), b.raw_data(), bytes) == 0;
}

TYPED_TEST(Conversion, TensorsConvertWhateverTheCallersStateIs) {
  const Tensor all = every_number<TypeParam>();
  for (const DType wide : {DType::float32, DType::float64, DType::boolean}) {
    for (const Tensor& from : {all, all.slice(0, 1, 1 << 16, 3)}) {
      const Tensor there = from.to(wide), back = there.to(all.dtype());
      for_each_float_state([&] {
        ASSERT_TRUE(same_bytes(from.to(wide), there)) << to_string(wide);
        ASSERT_TRUE(same_bytes(there.to(all.dtype()), back)) << to_string(wide);
      });
    }
  }
  std::mt19937_64 engine(5);
  std::vector<std::int64_t> integers;
  for (int n = 0; n < 20000; ++n) {
    integers.push_back(static_cast<std::int64_t>(engine()) >> (engine() % 64));
  }
  const Tensor whole = Tensor::from_vector(integers, {20000});
  const Tensor halves = whole.to(all.dtype());
  for_each_float_state([&] { ASSERT_TRUE(same_bytes(whole.to(all.dtype()), halves)); });
}

TYPED_TEST(Conversion, NothingIsWrittenPastTheEnd) {
  for (const Target* target : usable_targets()) {
    for (std::int64_t count = 0; count < 70; ++count) {
      std::vector<float> wide(static_cast<std::size_t>(count) + 1, 3.0F);
      std::vector<std::uint16_t> halves(wide.size(), 7);
      const std::vector<float> ones(wide.size(), 1.0F);
      this->kernels(*target).narrow(ones.data(), count, halves.data());
      ASSERT_EQ(halves.back(), 7);
      halves.back() = 0;
      this->kernels(*target).widen(halves.data(), count, wide.data());
      for (std::int64_t n = 0; n < count; ++n) ASSERT_EQ(wide[static_cast<std::size_t>(n)], 1.0F);
      ASSERT_EQ(wide.back(), 3.0F);
    }
  }
}

}  // namespace
}  // namespace foveal
