// Numbers of the options that float32 can't hold: too large is an error that names them, too small
// is 0.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "attention/cases.h"
#include "attention/naive.h"
#include "errors.h"
#include "foveal/operations.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

struct Inputs {
  Tensor query, key;
};

Inputs inputs(DType dtype, std::int64_t queries) {
  Cases cases(3);
  return {cases.normal({1, 2, queries, 8}).to(dtype), cases.normal({1, 2, 70, 8}).to(dtype)};
}

/// What forward, backward and state say, which must be the same.
std::string complaint(DType dtype, const AttentionOptions& given, std::int64_t queries = 3) {
  const auto [query, key] = inputs(dtype, queries);
  AttentionOptions options = given;
  options.return_lse = true;
  const std::string forward = message_of([&] { attention(query, key, key, options); });
  const std::string state = message_of([&] { attention_state(query, key, key, options); });
  const std::string backward = message_of([&] {
    AttentionResult result;
    result.output = query;
    result.lse =
        Tensor::zeros({1, 2, queries}, dtype == DType::float64 ? DType::float64 : DType::float32);
    attention_backward(query, query, key, key, result, options);
  });
  EXPECT_EQ(forward, state);
  EXPECT_EQ(forward, backward);
  return forward;
}

/// Each option that holds `value`, with its name.
std::vector<std::pair<std::string, AttentionOptions>> options_with(double value) {
  const auto number = [value](const Shape& shape) {
    return Tensor::full(shape, value, DType::float64);
  };
  std::vector<std::pair<std::string, AttentionOptions>> all(5);
  all[0].first = "scale is ";
  all[0].second.scale = value;
  all[1].first = "softcap is ";
  all[1].second.softcap = std::fabs(value);
  all[2].first = "alibi_slopes holds ";
  all[2].second.alibi_slopes = number({2});
  all[3].first = "sinks holds ";
  all[3].second.sinks = number({2});
  all[4].first = "bias holds ";
  all[4].second.bias = number({70});
  return all;
}

TEST(Scalars, TooLargeForFloat32AreNamed) {
  for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
    for (const std::int64_t queries : {1, 30}) {
      for (const double value : {1e39, 1e300, 0x1.ffffffp127}) {
        for (const auto& [name, options] : options_with(value)) {
          const std::string text = complaint(dtype, options, queries);
          EXPECT_NE(text.find("attention: " + name), std::string::npos) << text;
          EXPECT_NE(text.find("the computation is in float32"), std::string::npos) << text;
          EXPECT_EQ(complaint(DType::float64, options, queries), "no error") << name << value;
        }
      }
    }
  }
}

TEST(Scalars, OfFloat32sLargestSizeAreTaken) {
  for (auto& [name, options] : options_with(0x1.fffffep127)) {
    // A slope is multiplied by a distance, which is below 70 here.
    if (options.alibi_slopes.defined()) options.alibi_slopes.fill_(0x1.fffffep127 / 70);
    EXPECT_EQ(complaint(DType::float32, options), "no error") << name;
  }
}

TEST(Scalars, SlopesTooLargeForTheirDistancesAreNamed) {
  for (const auto& [dtype, slope] : {std::pair{DType::float32, 1e38}, {DType::float64, 1e307}}) {
    for (const std::int64_t queries : {1, 30}) {
      AttentionOptions options;
      options.alibi_slopes = Tensor::full({2}, slope, DType::float64);
      const std::string text = complaint(dtype, options, queries);
      EXPECT_NE(text.find("alibi_slopes holds 1e+3"), std::string::npos) << text;
      EXPECT_NE(text.find("a distance of up to 70"), std::string::npos) << text;
    }
  }
}

/// Scores stay as they are, to the bit, however far above them the softcap is.
TEST(Scalars, ASoftcapFarAboveDoesNothing) {
  for (const Target* target : usable_targets()) {
    for (const std::int64_t queries : {1, 30}) {
      const auto [query, key] = inputs(DType::float32, queries);
      AttentionOptions options;
      options.return_lse = true;
      options.target = target->name;
      options.softcap = 1e20;
      const AttentionResult want = attention(query, key, key, options);
      options.softcap = 3e38;
      const AttentionResult got = attention(query, key, key, options);
      EXPECT_TRUE(equal(got.output, want.output)) << target->name;
      EXPECT_TRUE(equal(got.lse, want.lse)) << target->name;
    }
  }
}

TEST(Scalars, ThatAreNotFiniteMaskOrAreNamed) {
  AttentionOptions options;
  options.bias = Tensor::full({70}, -INFINITY, DType::float64);
  EXPECT_EQ(complaint(DType::float32, options), "no error");
  for (const double value : {static_cast<double>(INFINITY), static_cast<double>(NAN)}) {
    options = {};
    options.scale = value;
    EXPECT_NE(complaint(DType::float64, options).find("scale is "), std::string::npos);
    options = {};
    options.softcap = value;
    EXPECT_NE(complaint(DType::float64, options).find("softcap is "), std::string::npos);
  }
  options = {};
  options.softcap = -1e-300;
  EXPECT_NE(complaint(DType::float32, options).find("softcap is -1e-300"), std::string::npos);
}

/// 0 and what rounds to it give the same bits.
void expect_same_as(const AttentionOptions& tiny, const AttentionOptions& zero) {
  for (const Target* target : usable_targets()) {
    for (const std::int64_t queries : {1, 30}) {
      AttentionOptions a = tiny, b = zero;
      a.target = b.target = target->name;
      a.return_lse = b.return_lse = true;
      const auto [query, key] = inputs(DType::float32, queries);
      const AttentionResult x = attention(query, key, key, a), y = attention(query, key, key, b);
      EXPECT_TRUE(equal(x.output, y.output)) << target->name << " " << queries;
      EXPECT_TRUE(equal(x.lse, y.lse)) << target->name << " " << queries;
    }
  }
}

TEST(Scalars, ThatUnderflowAreZero) {
  for (const double tiny : {1e-46, -1e-46, 1e-300}) {
    const auto small = options_with(tiny), zero = options_with(0);
    for (const std::size_t n : {0U, 2U, 3U, 4U}) expect_same_as(small[n].second, zero[n].second);
  }
  AttentionOptions options;
  options.dropout = 1e-300;
  const auto [query, key] = inputs(DType::float32, 30);
  const Tensor want = naive_attention(query, key, key, {}).output;
  EXPECT_TRUE(
      allclose(attention(query, key, key, options).output, want.to(DType::float32), 0, 1e-5));
}

TEST(Scalars, AreCheckedAsThePlanIsMade) {
  const Shape query{1, 2, 9, 8}, key{1, 2, 70, 8};
  for (const auto& [name, options] : options_with(1e39)) {
    const std::string text = message_of(
        [&, &asked = options] { plan_attention(query, key, key, DType::float32, asked); });
    const bool tensor = name.find("holds") != std::string::npos;  // read at each run
    EXPECT_EQ(text.find(tensor ? "no error" : "attention: " + name), 0U) << text;
  }
}

}  // namespace
}  // namespace foveal
