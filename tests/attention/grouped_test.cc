// Query heads that share a KV head go through its keys together: each gives what it gives alone.

#include <gtest/gtest.h>

#include "attention/cases.h"
#include "case_count.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

const DType kDtypes[] = {DType::float32, DType::bfloat16, DType::float16, DType::float64};

double unit_of(DType dtype) {
  if (dtype == DType::float64) return 0x1p-45;
  if (dtype == DType::float32) return 0x1p-19;
  return dtype == DType::float16 ? 0x1p-9 : 0x1p-6;
}

bool is_grouped(const Case& one) {
  const Plan plan = plan_attention(one.query.shape(), one.key.shape(), one.value.shape(),
                                   one.query.dtype(), one.options);
  return plan.explain().find("rows a tile") != std::string::npos;
}

/// Bias, ALiBi and dropout, which each row has of its own.
void add_row_terms(Cases& cases, const Shape& scores, AttentionOptions& options) {
  const std::int64_t batch = scores[0], heads = scores[1], queries = scores[2], keys = scores[3];
  if (cases.chance(30)) {
    options.bias = cases.normal({cases.chance(50) ? batch : 1, cases.chance(60) ? heads : 1,
                                 cases.chance(60) ? queries : 1, cases.chance(80) ? keys : 1});
    if (cases.chance(20)) options.bias = options.bias.transpose(2, 3).contiguous().transpose(2, 3);
  }
  if (cases.chance(30)) options.alibi_slopes = cases.normal({heads}, 0.1);
  if (cases.chance(30)) {
    options.dropout = 0.3;
    options.seed = static_cast<std::uint64_t>(cases.number(0, 1 << 30));
    if (cases.chance(30)) options.dropout_mask = gt(cases.normal({1, heads, queries, keys}), 0.0);
  }
}

/// Groups of heads with few queries, often more keys than one split takes.
Case make_grouped_case(unsigned seed, DType dtype) {
  Cases cases(seed);
  const std::int64_t batch = cases.number(1, 2), kv = cases.pick({1, 2}),
                     group = cases.pick({1, 3, 4, 12, 32, 70});
  const std::int64_t queries = cases.pick({1, 2, 3, 5, 17, 33, 63}), heads = kv * group;
  const std::int64_t keys =
      cases.chance(30) ? cases.pick({2048, 2049, 2500, 4100}) : cases.pick({0, 1, 63, 64, 65, 200});
  const std::int64_t d = cases.pick({1, 8, 20, 64}), dv = cases.pick({1, 7, 16, 40});
  Case one{cases.normal({batch, heads, queries, d}).to(dtype),
           cases.normal({batch, kv, keys, d}).to(dtype),
           cases.normal({batch, kv, keys, dv}).to(dtype),
           {}};
  AttentionOptions& options = one.options;
  options.return_lse = true;
  if (cases.chance(25)) options.softcap = 5;
  if (cases.chance(30)) options.sinks = cases.normal({heads}).to(dtype);
  if (cases.chance(30)) {
    for (std::int64_t b = 0; b < batch; ++b) options.key_lengths.push_back(cases.number(0, keys));
  }
  if (cases.chance(30)) options.query_offset = cases.number(0, keys);
  const Mask masks[] = {none(), causal(Corner::bottom_right), window(cases.number(0, 90), 3),
                        causal(Corner::bottom_right) & !window(20, -1)};
  options.mask = masks[cases.number(0, 3)];
  if (cases.chance(25) && keys < 1000) {
    options.mask = dense(gt(cases.normal({1, heads, queries, keys}), 0.0));
  }
  add_row_terms(cases, {batch, heads, queries, keys}, options);
  if (cases.chance(15)) {
    one.query = one.query.transpose(1, 2).contiguous().transpose(1, 2);
    one.key = one.key.transpose(1, 2).contiguous().transpose(1, 2);
  }
  return one;
}

/// The same with each head's row statistics gathered, which goes head by head.
AttentionResult head_by_head(Case one) {
  one.options.statistics.entropy = true;
  EXPECT_FALSE(is_grouped(one));
  return attention(one.query, one.key, one.value, one.options);
}

TEST(Grouped, EachHeadIsWhatItIsAlone) {
  int grouped = 0;
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(40); ++seed) {
      Case one = make_grouped_case(seed, kDtypes[seed % 4]);
      one.options.target = target->name;
      SCOPED_TRACE("seed " + std::to_string(seed) + " " + target->name);
      grouped += is_grouped(one) ? 1 : 0;
      const AttentionResult want = head_by_head(one);
      const AttentionResult got = attention(one.query, one.key, one.value, one.options);
      const double unit = unit_of(one.query.dtype());
      expect_close(got.output, want.output, unit * (1 + largest(one.value)), "output");
      expect_close(got.lse, want.lse, 0x1p-17 * (1 + largest(want.lse)), "lse");
      const AttentionResult merged =
          finish(attention_state(one.query, one.key, one.value, one.options));
      expect_close(merged.output, want.output, unit * (1 + largest(one.value)), "state");
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
  EXPECT_TRUE(grouped > 0 || case_count(40) < 10) << "no case was grouped";
}

TEST(Grouped, BitsDontDependOnThreadsOrNeighbours) {
  for (unsigned seed = 0; seed < case_count(15); ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Case one = make_grouped_case(seed, kDtypes[seed % 4]);
    one.options.threads = 1;
    const AttentionResult single = attention(one.query, one.key, one.value, one.options);
    one.options.threads = 3;
    const AttentionResult several = attention(one.query, one.key, one.value, one.options);
    EXPECT_TRUE(equal(single.output, several.output));
    EXPECT_TRUE(equal(single.lse, several.lse));
    if (!one.options.key_lengths.empty()) one.options.key_lengths.resize(1);
    const auto first = [](const Tensor& tensor) { return tensor.slice(0, 0, 1); };
    if (one.options.bias.defined()) one.options.bias = first(one.options.bias);
    const AttentionResult alone =
        attention(first(one.query), first(one.key), first(one.value), one.options);
    EXPECT_TRUE(equal(alone.output, first(single.output)));
  }
}

TEST(Grouped, ValuesMayBeAViewOfTheKeys) {
  // As in latent attention: D 576, V the first 512 numbers of K.
  Cases cases(3);
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    Case one{
        cases.normal({1, 20, 1, 576}).to(dtype), cases.normal({1, 1, 150, 576}).to(dtype), {}, {}};
    one.value = one.key.slice(3, 0, 512);
    one.options.return_lse = true;
    EXPECT_TRUE(is_grouped(one));
    const AttentionResult want = head_by_head(one);
    const AttentionResult got = attention(one.query, one.key, one.value, one.options);
    expect_close(got.output, want.output, 8 * unit_of(dtype), "output");
  }
}

TEST(Grouped, HugeNumbersAreComputedAgain) {
  Cases cases(3);
  for (const double size : {1e30, 3e37}) {
    Case one{cases.normal({1, 12, 2, 8}, 1e-3).to(DType::float32),
             cases.normal({1, 1, 70, 8}).to(DType::float32),
             {},
             {}};
    one.value = cases.normal({1, 1, 70, 8}, size).to(DType::float32);
    one.options.return_lse = true;
    EXPECT_TRUE(is_grouped(one));
    const AttentionResult want = head_by_head(one);
    const AttentionResult got = attention(one.query, one.key, one.value, one.options);
    expect_close(got.output, want.output, 0x1p-18 * largest(one.value), "output");
    one.query = one.query * 1e20F;
    one.key = one.key * 1e20F;
    const AttentionResult large = attention(one.query, one.key, one.value, one.options);
    expect_close(large.output, head_by_head(one).output, 0x1p-18 * largest(one.value), "large");
  }
}

}  // namespace
}  // namespace foveal
