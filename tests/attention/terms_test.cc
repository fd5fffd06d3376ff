// What scores and weights get beside their product, looked at alone: dropout's draw, a bias of any
// strides, softcap and ALiBi number by number.

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "attention/cases.h"
#include "attention/guarded.h"
#include "attention/naive.h"
#include "foveal/operations.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

Tensor unit_rows(std::int64_t heads, std::int64_t rows, std::int64_t size, DType dtype) {
  Tensor rows_of_one = Tensor::zeros({1, heads, rows, size}, DType::float64);
  for (std::int64_t h = 0; h < heads; ++h) {
    for (std::int64_t n = 0; n < std::min(rows, size); ++n) rows_of_one.set({0, h, n, n}, 1);
  }
  return rows_of_one.to(dtype);
}

/// Scores are 0, V and dO unit rows: the output's and dV's elements are the weights, one each.
void expect_drawn(const AttentionOptions& options, DType dtype) {
  constexpr std::int64_t kHeads = 3, kQueries = 71, kKeys = 75;
  const Tensor query = Tensor::zeros({1, kHeads, kQueries, 4}, dtype);
  const Tensor key = Tensor::zeros({1, kHeads, kKeys, 4}, dtype);
  const Tensor value = unit_rows(kHeads, kKeys, kKeys, dtype);
  const AttentionResult result = attention(query, key, value, options);
  const Tensor dv = attention_backward(unit_rows(kHeads, kQueries, kKeys, dtype), query, key, value,
                                       result, options)
                        .v;
  for (std::int64_t h = 0; h < kHeads; ++h) {
    for (std::int64_t i = 0; i < kQueries; ++i) {
      for (std::int64_t j = 0; j < kKeys; ++j) {
        const double factor =
            drawn_factor(options, h, i + options.query_offset.value_or(0), j + options.key_offset);
        ASSERT_NEAR(result.output.at({0, h, i, j}), factor / kKeys, 1e-3)
            << h << " " << i << " " << j;
        ASSERT_NEAR(dv.at({0, h, j, i}), factor / kKeys, 1e-3) << h << " " << i << " " << j;
      }
    }
  }
}

TEST(Terms, DropoutDrawsForEachPlace) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
      for (const std::int64_t key_offset : {0, 1, 2, 3, 64, 4097}) {
        AttentionOptions options{.dropout = 0.3, .seed = 0x123456789ABCDEF0, .offset = 5};
        options.return_lse = true;
        options.target = target->name;
        options.key_offset = key_offset;
        options.query_offset = key_offset == 2 ? 0x7FFFFF00 : 9;
        if (key_offset == 3) options.offset = 0x300000007;
        if (key_offset == 64) options.dropout = 1;
        SCOPED_TRACE(std::string(target->name) + " " + to_string(dtype) + " from key " +
                     std::to_string(options.key_offset));
        expect_drawn(options, dtype);
        if (HasFatalFailure()) return;
      }
    }
  }
}

struct Bias {
  const char* name;
  Tensor tensor;
};

/// One of each kind of strides, right before a page that must not be touched.
std::vector<Bias> biases(Cases& cases, std::int64_t heads, std::int64_t queries,
                         std::int64_t keys) {
  const auto numbers = [&](const Shape& shape) {
    return guarded(cases.normal(shape).to(DType::float32), Guard::after);
  };
  return {
      {"a row a query", numbers({1, heads, queries, keys})},
      {"a number a key", numbers({1, heads, 1, keys})},
      {"a number a query", numbers({1, heads, queries, 1})},
      {"a number", numbers({1, heads, 1, 1})},
      {"a row a key", numbers({1, heads, keys, queries}).transpose(2, 3)},
      {"a part of longer rows",
       numbers({1, heads, queries + 3, keys + 5}).slice(2, 3, queries + 3).slice(3, 5, keys + 5)},
      {"every other head", numbers({1, queries, keys, heads}).transpose(1, 3).transpose(2, 3)}};
}

void expect_equal_gradients(const AttentionGradients& got, const AttentionGradients& want) {
  EXPECT_TRUE(equal(got.q, want.q));
  EXPECT_TRUE(equal(got.k, want.k));
  EXPECT_TRUE(equal(got.v, want.v));
}

/// A bias of any strides gives the bits of a dense one, which gives what the formula does.
void check_biases(const std::string& target, DType dtype, std::int64_t queries, std::int64_t keys) {
  constexpr std::int64_t kHeads = 2;
  Cases cases(static_cast<unsigned>(queries * keys));
  const Tensor query = cases.normal({1, kHeads, queries, 16}).to(dtype);
  const Tensor key = cases.normal({1, kHeads, keys, 16}).to(dtype);
  const Tensor grad = cases.normal({1, kHeads, queries, 16}).to(dtype);
  for (const Bias& bias : biases(cases, kHeads, queries, keys)) {
    SCOPED_TRACE(target + " " + to_string(dtype) + " " + bias.name + " " + std::to_string(queries) +
                 " " + std::to_string(keys));
    AttentionOptions options;
    options.target = target;
    options.return_lse = true;
    if (queries % 2 == 0) options.mask = causal(Corner::bottom_right);
    options.bias = bias.tensor + Tensor::zeros({1, kHeads, queries, keys});
    const AttentionResult want = attention(query, key, key, options);
    const AttentionGradients gradients = attention_backward(grad, query, key, key, want, options);
    const NaiveResult naive = naive_attention(query, key, key, options);
    const double unit = dtype == DType::bfloat16 ? 0x1p-12 : 0x1p-22;
    expect_close(want.output, naive.output, unit * 40 * largest(key), "output");
    options.bias = bias.tensor;
    const AttentionResult got = attention(query, key, key, options);
    EXPECT_TRUE(equal(got.output, want.output));
    EXPECT_TRUE(equal(got.lse, want.lse));
    expect_equal_gradients(attention_backward(grad, query, key, key, got, options), gradients);
  }
}

TEST(Terms, ABiasMayHaveAnyStrides) {
  for (const Target* target : usable_targets()) {
    for (const DType dtype : {DType::float32, DType::bfloat16}) {
      for (const auto& [queries, keys] : {std::pair<std::int64_t, std::int64_t>{65, 130},
                                          {33, 77},
                                          {64, 64},
                                          {98, 63},
                                          {24, 200}}) {
        check_biases(target->name, dtype, queries, keys);
        if (HasFatalFailure() || HasNonfatalFailure()) return;
      }
    }
  }
}

template <class T>
const ForwardKernels<T>& kernels_of(const Target& target) {
  if constexpr (sizeof(T) == sizeof(double)) {
    return target.forward_float64;
  } else {
    return target.forward_float32;
  }
}

/// The kernel's scores of queries that are numbers and one key, 1: with their terms, one each.
template <class T>
std::vector<T> scores_of(const Target& target, ForwardTask<T> task, const std::vector<T>& queries) {
  const ForwardKernels<T>& kernels = kernels_of<T>(target);
  const T key = 1;
  std::vector<T> workspace(static_cast<std::size_t>(kernels.workspace(1, 1))), scores;
  task.query_stride = task.key_stride = task.value_stride = 1;
  task.head_size = task.value_size = 1;
  task.workspace = workspace.data();
  const std::int64_t first_query = task.first_query;
  for (std::size_t first = 0; first < queries.size(); first += kernels.query_tile) {
    task.query = queries.data() + first;
    task.first_query = first_query + static_cast<std::int64_t>(first);
    task.query_count =
        std::min(kernels.query_tile, static_cast<std::int64_t>(queries.size() - first));
    kernels.scores_begin(task);
    const T* const row = kernels.scores_tile(task, {0, 1, nullptr, &key, &key});
    scores.insert(scores.end(), row, row + task.query_count);
  }
  return scores;
}

/// S / c from 1e-6 to 1e4, both signs.
template <class T>
void check_softcap(const Target& target, T cap, double tolerance) {
  std::vector<T> numbers;
  for (double x = 1e-6; x < 1e4; x *= 1.003) {
    numbers.push_back(static_cast<T>(x * cap));
    numbers.push_back(static_cast<T>(-x * cap));
  }
  ForwardTask<T> task;
  task.softcap = cap;
  const std::vector<T> got = scores_of(target, task, numbers);
  for (std::size_t n = 0; n < numbers.size(); ++n) {
    const double want = cap * std::tanh(static_cast<double>(numbers[n]) / cap);
    ASSERT_LE(std::fabs(got[n] - want), tolerance * std::fabs(want))
        << target.name << " " << cap << " " << numbers[n];
  }
}

TEST(Terms, TheSoftcapIsATangent) {
  for (const Target* target : usable_targets()) {
    for (const double cap : {1.0, 30.0, 0.37, 1e-20, 1e20}) {
      check_softcap<float>(*target, static_cast<float>(cap), 4 * 0x1p-23);
      check_softcap<double>(*target, cap, 0x1p-49);
      if (HasFatalFailure()) return;
    }
  }
}

/// Of a score beyond all, and of one far below the cap.
TEST(Terms, TheSoftcapHoldsAtItsEnds) {
  for (const Target* target : usable_targets()) {
    ForwardTask<float> task;
    constexpr float kInfinity = INFINITY;
    for (const float cap : {1.2e-38F, 1.0F, 3e38F}) {
      task.softcap = cap;
      const std::vector<float> got =
          scores_of<float>(*target, task, {kInfinity, -kInfinity, NAN, cap * 1e-6F, 0});
      EXPECT_NEAR(got[0] / cap, cap > 1e38F ? std::tanh(0x1.fffffep127 / cap) : 1, 1e-6) << cap;
      EXPECT_NEAR(got[1] / cap, cap > 1e38F ? -std::tanh(0x1.fffffep127 / cap) : -1, 1e-6) << cap;
      EXPECT_TRUE(std::isnan(got[2]));
      EXPECT_EQ(got[3], cap * 1e-6F);
      EXPECT_EQ(got[4], 0);
    }
  }
}

/// Places that float32 doesn't hold: distances are whole numbers first, and rounded once.
template <class T>
void check_distances(const Target& target, std::int64_t first_query) {
  ForwardTask<T> task;
  task.first_query = first_query;
  task.alibi_slope = 1;
  const std::vector<T> got = scores_of(target, task, std::vector<T>(70, 0));
  for (std::size_t n = 0; n < got.size(); ++n) {
    const std::int64_t place = first_query + static_cast<std::int64_t>(n);
    ASSERT_EQ(got[n], -static_cast<T>(std::abs(place))) << target.name << " " << place;
  }
}

TEST(Terms, DistancesAreExact) {
  for (const Target* target : usable_targets()) {
    for (const std::int64_t first :
         {std::int64_t{0}, std::int64_t{-35}, std::int64_t{(1 << 24) - 30},
          std::int64_t{-(1 << 25) + 1}, (std::int64_t{1} << 31) - 90}) {
      check_distances<float>(*target, first);
      check_distances<double>(*target, first);
      if (HasFatalFailure()) return;
    }
  }
}

/// Steep slopes, and rows whose keys end long before those of their neighbours, or are all far: the
/// maximum is raised for keys that a row then doesn't see.
TEST(Terms, SteepSlopesMeetMasks) {
  for (const Target* target : usable_targets()) {
    for (const double slope : {0.02, 0.6, 5.0, 90.0}) {
      Cases cases(4);
      Case one;
      one.query = cases.normal({1, 1, 320, 8}).to(DType::float32);
      one.key = cases.normal({1, 1, 320, 8}).to(DType::float32);
      one.value = cases.normal({1, 1, 320, 8}).to(DType::float32);
      Tensor seen = Tensor::ones({320, 320}, DType::boolean);
      for (std::int64_t i = 0; i < 320; ++i) {
        for (std::int64_t j = i % 3 == 0 ? i % 11 + 1 : 320; j < 320; ++j) seen.set({i, j}, 0);
      }
      for (const Mask& mask : {causal(), dense(seen), causal() & dense(seen), none()}) {
        one.options.mask = mask;
        one.options.alibi_slopes = Tensor::full({1}, slope, DType::float32);
        one.options.return_lse = true;
        one.options.target = target->name;
        const AttentionResult got = attention(one.query, one.key, one.value, one.options);
        const NaiveResult want = naive_attention(one.query, one.key, one.value, one.options);
        SCOPED_TRACE(std::string(target->name) + " " + std::to_string(slope) + " " +
                     to_string(mask).substr(0, 20));
        expect_close(got.output, want.output, 0x1p-16, "output");
        expect_lse(got.lse, want.lse, 0x1p-22 * (32 + largest(want.lse)));
        if (HasFatalFailure()) return;
      }
    }
  }
}

}  // namespace
}  // namespace foveal
