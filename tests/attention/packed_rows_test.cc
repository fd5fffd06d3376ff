// Heads among others in (B, L, H, D) give what heads apart do, bit for bit: rows of K and V are
// copied there before many tiles of queries read them.

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <utility>

#include "attention/cases.h"
#include "attention/engine/packed_rows.h"
#include "case_count.h"
#include "foveal/plan.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"
#include "same_bits.h"

namespace foveal {
namespace {

/// The same numbers with a token's heads side by side, between numbers of others.
Tensor among_others(const Tensor& apart) {
  const Shape& s = apart.shape();
  const Tensor wide = Tensor::full({s[0], s[2], s[1], s[3] + 5}, NAN).to(apart.dtype());
  Tensor rows = wide.slice(3, 2, 2 + s[3]).transpose(1, 2);
  rows.copy_(apart);
  return rows;
}

class PackedRows : public testing::TestWithParam<DType> {
 protected:
  /// Output, lse and gradients of two layouts.
  static void expect_alike(const Tensor& query, const Tensor& key, const Tensor& value,
                           const AttentionOptions& options, const Tensor& grad) {
    const Tensor q = among_others(query), k = among_others(key), v = among_others(value);
    const AttentionResult want = attention(query, key, value, options);
    const AttentionResult got = attention(q, k, v, options);
    ASSERT_TRUE(same_bits(got.output, want.output));
    ASSERT_TRUE(same_bits(got.lse, want.lse));
    const AttentionGradients a = attention_backward(grad, query, key, value, want, options);
    const AttentionGradients b = attention_backward(among_others(grad), q, k, v, got, options);
    ASSERT_TRUE(same_bits(b.q, a.q));
    ASSERT_TRUE(same_bits(b.k, a.k));
    ASSERT_TRUE(same_bits(b.v, a.v));
  }
};

TEST_P(PackedRows, GiveTheSameBits) {
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(6); ++seed) {
      SCOPED_TRACE(std::string(target->name) + ", seed " + std::to_string(seed));
      Cases cases(seed);
      const std::int64_t batch = cases.number(1, 2), group = cases.number(1, 3), kv = 2;
      const std::int64_t queries = cases.number(100, 400), size = cases.number(1, 40);
      const std::int64_t keys = seed % 4 == 0 ? cases.number(1500, 2300) : cases.number(1, 400);
      const std::int64_t value_size = seed % 2 == 0 ? size : cases.number(1, 40);
      const auto draw = [&](std::int64_t heads, std::int64_t length, std::int64_t width) {
        return cases.normal({batch, heads, length, width}).to(GetParam());
      };
      const Tensor query = draw(kv * group, queries, size), value = draw(kv, keys, value_size);
      Tensor key = draw(kv, keys, size);
      AttentionOptions options;
      options.target = target->name;
      options.return_lse = true;
      if (seed % 3 == 1) options.mask = causal(Corner::bottom_right);
      if (seed % 3 == 2) options.mask = window(70, 3);
      if (seed % 5 == 0) options.dropout = 0.2;
      if (seed % 5 == 1) key.set({0, 0, keys / 2, 0}, INFINITY);
      expect_alike(query, key, value, options, draw(kv * group, queries, value_size));
    }
  }
}

TEST_P(PackedRows, OfSequencesAreTheirOwn) {
  for (const Target* target : usable_targets()) {
    Cases cases(3);
    const auto draw = [&] { return cases.normal({1, 3, 900, 16}).to(GetParam()); };
    AttentionOptions options;
    options.target = target->name;
    options.return_lse = true;
    options.mask = causal();
    options.query_starts = options.key_starts = {0, 290, 560, 600, 900};
    const Tensor query = draw(), key = draw(), value = draw();
    expect_alike(query, key, value, options, draw());
  }
}

/// A host's thread that runs tasks of two calls in turns: another's backward after each of the
/// forward's.
TEST_P(PackedRows, OfACallAreNotThoseOfAnother) {
  static std::function<void()> other;
  const int before = num_threads();
  set_num_threads(2);
  for (const Target* target : usable_targets()) {
    SCOPED_TRACE(target->name);
    Cases cases(4);
    const auto draw = [&] { return among_others(cases.normal({1, 2, 300, 16}).to(GetParam())); };
    const Tensor query = draw(), key = draw(), value = draw(), keys = draw();
    AttentionOptions options;
    options.target = target->name;
    options.return_lse = true;
    const AttentionResult want = attention(query, key, value, options);
    other = [&] { attention_backward(value, query, keys, value, want, options); };
    set_parallel_runner([](std::int64_t count, ParallelBody body, void* context, void*) {
      const std::function<void()> between = std::exchange(other, nullptr);
      for (std::int64_t index = 0; index < count; ++index) {
        body(context, index);
        if (between) between();
      }
    });
    const AttentionResult got = attention(query, key, value, options);
    set_parallel_runner(nullptr);
    EXPECT_TRUE(same_bits(got.output, want.output));
  }
  set_num_threads(before);
}

TEST(PackedRowsPay, WhereManyTilesReadWhatIsCopied) {
  const std::int64_t length = 64 * kPlanKeyTile;
  const auto readers = [&](const Mask& mask, std::int64_t first, std::int64_t last) {
    AttentionOptions options;
    options.mask = mask;
    const Shape keys{1, 2, length, 16};
    const Plan plan = plan_attention({1, 6, length, 16}, keys, keys, DType::bfloat16, options);
    const PlanData& data = plan.data();
    const std::int64_t tiles = 3 * data.sequences[0].query_tiles;  // of the group
    return static_cast<double>(readers_of(data, data.sequences[0], 0, 1, first, last)) /
           static_cast<double>(tiles);
  };
  EXPECT_EQ(readers(Mask(), 0, 64), 1);
  EXPECT_NEAR(readers(causal(), 0, 64), 0.5, 0.02);
  EXPECT_NEAR(readers(causal(), 0, 16), 0.875, 0.02);
  EXPECT_NEAR(readers(causal(), 48, 64), 0.125, 0.02);
  EXPECT_LT(readers(window(32, 0), 0, 64), 3.0 / 64);
}

INSTANTIATE_TEST_SUITE_P(DTypes, PackedRows,
                         testing::Values(DType::float32, DType::float64, DType::bfloat16,
                                         DType::float16),
                         [](const auto& dtype) { return to_string(dtype.param); });

}  // namespace
}  // namespace foveal
