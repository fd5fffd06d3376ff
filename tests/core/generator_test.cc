#include "foveal/generator.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "foveal/error.h"

namespace foveal {
namespace {

std::vector<float> normal(Generator& generator, std::int64_t count) {
  std::vector<float> values(static_cast<std::size_t>(count));
  generator.fill_normal(values.data(), count);
  return values;
}

TEST(GeneratorTest, DrawsTheStandardStream) {
  // The 10000th draw of mt19937 seeded with 5489 is part of its definition.
  Generator generator(5489);
  for (int i = 1; i < 10000; ++i) generator.next_u32();
  EXPECT_EQ(generator.next_u32(), 4123659995U);
}

TEST(GeneratorTest, SeedsByTheLow32Bits) {
  Generator wide((std::uint64_t{1} << 40) + 5);
  Generator narrow(5);
  EXPECT_EQ(wide.initial_seed(), (std::uint64_t{1} << 40) + 5);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(wide.next_u32(), narrow.next_u32());
}

TEST(GeneratorTest, FirstOfTwoDrawsIsTheUpperHalf) {
  Generator words(7);
  Generator pairs(7);
  const std::uint64_t upper = words.next_u32();
  EXPECT_EQ(pairs.next_u64(), upper << 32 | words.next_u32());
}

TEST(GeneratorTest, CopiesContinueOneStream) {
  Generator whole(11);
  Generator first(11);
  Generator second = first;
  EXPECT_EQ(first.next_normal(), whole.next_normal());
  EXPECT_EQ(second.next_normal(), whole.next_normal());
  EXPECT_EQ(second.next_u32(), whole.next_u32());
  EXPECT_EQ(first.next_u32(), whole.next_u32());
}

TEST(GeneratorTest, ACloneIsAStreamOfItsOwn) {
  Generator whole(11), first(11);
  whole.next_normal();  // leaves the second one of a pair
  first.next_normal();
  Generator clone = first.clone();
  EXPECT_EQ(clone.initial_seed(), 11U);
  const double cached = whole.next_normal();
  const std::uint32_t word = whole.next_u32();
  EXPECT_EQ(clone.next_normal(), cached);
  EXPECT_EQ(clone.next_u32(), word);
  EXPECT_EQ(first.next_normal(), cached);  // the clone's draws weren't its own
  EXPECT_EQ(first.next_u32(), word);
}

TEST(GeneratorTest, AStreamGoesOnFromWhereAnotherIsInAllItsHandles) {
  Generator generator(11);
  Generator handle = generator;
  const Generator before = generator.clone();
  const std::uint64_t first = generator.next_u64();
  generator.seed(3);
  generator.continue_from(before);
  EXPECT_EQ(handle.next_u64(), first);
  generator.continue_from(generator);
  EXPECT_NE(handle.next_u64(), first);
  EXPECT_EQ(generator.initial_seed(), 11U);
}

TEST(GeneratorTest, UniformValuesHave24And53Bits) {
  Generator generator(3);
  for (int i = 0; i < 10000; ++i) {
    const float narrow = generator.next_float();
    EXPECT_GE(narrow, 0);
    EXPECT_LT(narrow, 1);
    EXPECT_EQ(std::ldexp(narrow, 24), std::floor(std::ldexp(narrow, 24)));
    const double wide = generator.next_double();
    EXPECT_GE(wide, 0);
    EXPECT_LT(wide, 1);
    EXPECT_EQ(std::ldexp(wide, 53), std::floor(std::ldexp(wide, 53)));
  }
}

TEST(GeneratorTest, SecondNormalValueOutlivesLargeDrawsUntilSeeded) {
  Generator plain(21);
  const double first = plain.next_normal();
  const double second = plain.next_normal();

  Generator interrupted(21);
  interrupted.next_normal();
  normal(interrupted, 32);
  EXPECT_EQ(interrupted.next_normal(), second);

  Generator seeded(99);
  seeded.next_normal();
  seeded.seed(21);
  EXPECT_EQ(seeded.next_normal(), first);
  EXPECT_EQ(seeded.next_normal(), second);
}

TEST(GeneratorTest, ShortNormalDrawsMeanTheSameInPieces) {
  Generator whole(5);
  Generator pieces(5);
  const std::vector<float> expected = normal(whole, 15);
  std::vector<float> joined;
  for (std::int64_t count : {0, 1, 3, 7, 4}) {
    for (float value : normal(pieces, count)) joined.push_back(value);
  }
  EXPECT_EQ(joined, expected);
}

TEST(GeneratorTest, LongNormalDrawsAgreeUpToTheLastSixteen) {
  for (std::int64_t count : {17, 31, 40, 100}) {
    Generator odd(8);
    Generator even(8);
    const std::vector<float> a = normal(odd, count);
    const std::vector<float> b = normal(even, count / 16 * 16);
    for (std::int64_t i = 0; i < (count - 16) / 16 * 16; ++i) EXPECT_EQ(a[i], b[i]) << count;
  }
}

TEST(GeneratorTest, NormalValuesHaveMeanZeroAndVarianceOne) {
  Generator generator(17);
  for (std::int64_t count : {10, 160000}) {
    double sum = 0;
    double squares = 0;
    for (std::int64_t repeat = 0; repeat < 160000 / count; ++repeat) {
      for (float value : normal(generator, count)) {
        sum += static_cast<double>(value);
        squares += static_cast<double>(value) * static_cast<double>(value);
      }
    }
    EXPECT_NEAR(sum / 160000, 0, 0.01);
    EXPECT_NEAR(squares / 160000, 1, 0.02);
  }
}

TEST(GeneratorTest, NegativeCountIsAnError) {
  Generator generator(1);
  float value = 0;
  EXPECT_THROW(generator.fill_uniform(&value, -1), Error);
  EXPECT_THROW(generator.fill_normal(&value, -1), Error);
}

}  // namespace
}  // namespace foveal
