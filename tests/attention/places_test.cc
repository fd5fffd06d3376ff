// Places: a call cut into shards of queries and of keys gives, put together again, what the whole
// call gives; entries with key_lengths are what each is alone.

#include <gtest/gtest.h>

#include <limits>

#include "attention/shard_cases.h"
#include "case_count.h"
#include "errors.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

const DType kDtypes[] = {DType::float32, DType::float64, DType::bfloat16};

double unit_of(DType dtype) {
  if (dtype == DType::float64) return 0x1p-44;
  return dtype == DType::float32 ? 0x1p-17 : 0x1p-6;
}

std::string describe(const PlacedCase& placed) {
  const auto& [query, key, value, options] = placed.whole.forward;
  return to_string(query.shape()) + " " + to_string(key.shape()) + " " + to_string(options.mask);
}

TEST(Places, ShardsMergeToTheWhole) {
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(60); ++seed) {
      PlacedCase placed = make_placed_case(seed, kDtypes[seed % 3]);
      auto& [query, key, value, options] = placed.whole.forward;
      options.target = target->name;
      SCOPED_TRACE("seed " + std::to_string(seed) + ": " + describe(placed));
      Cases cases(seed + 1000000);
      const AttentionResult whole = attention(query, key, value, options);
      const std::vector<Rows> key_parts = cut(cases, key.size(2));
      for (const Rows& queries : cut(cases, query.size(2))) {
        AttentionState state;
        for (const Rows& keys : key_parts) {
          const AttentionState part =
              attention_state(rows_of(query, queries), rows_of(key, keys), rows_of(value, keys),
                              shard_options(placed, queries, keys));
          state = state.output.defined() ? merge(state, part) : part;
        }
        const AttentionResult merged = finish(state);
        const double unit = unit_of(query.dtype());
        expect_close(merged.output.to(query.dtype()), rows_of(whole.output, queries),
                     unit * (1 + largest(value)), "output");
        expect_close(merged.lse, rows_of(whole.lse.unsqueeze(3), queries).squeeze(3), unit * 16,
                     "lse");
      }
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

/// Adds the shard's gradients where its rows are in the whole.
void add_rows(Tensor& sum, const Rows& rows, const Tensor& part) {
  Tensor own = sum.slice(2, rows.first, rows.last);
  own.copy_(own + part.to(sum.dtype()));
}

AttentionGradients zero_gradients(const PlacedCase& placed) {
  const auto& [query, key, value, options] = placed.whole.forward;
  const auto zeros = [](const Tensor& tensor) {
    return tensor.defined() ? Tensor::zeros(tensor.shape(), DType::float64) : Tensor();
  };
  return {zeros(query),        zeros(key),           zeros(value),
          zeros(options.bias), zeros(options.sinks), zeros(options.alibi_slopes)};
}

AttentionGradients sum_over_shards(const PlacedCase& placed, const AttentionResult& whole,
                                   Cases& cases) {
  const auto& [query, key, value, all] = placed.whole.forward;
  AttentionGradients sums = zero_gradients(placed);
  const std::vector<Rows> key_parts = cut(cases, key.size(2));
  for (const Rows& queries : cut(cases, query.size(2))) {
    for (const Rows& keys : key_parts) {
      AttentionResult result;
      result.output = rows_of(whole.output, queries);
      result.lse = whole.lse.slice(2, queries.first, queries.last);
      const AttentionGradients part = attention_backward(
          rows_of(placed.whole.grad_output, queries), rows_of(query, queries), rows_of(key, keys),
          rows_of(value, keys), result, shard_options(placed, queries, keys));
      add_rows(sums.q, queries, part.q);
      add_rows(sums.k, keys, part.k);
      add_rows(sums.v, keys, part.v);
      if (part.bias.defined()) {
        Tensor own = cells_of(sums.bias, queries, keys);
        own.copy_(own + part.bias.to(DType::float64));
      }
      if (part.sinks.defined()) sums.sinks = sums.sinks + part.sinks.to(DType::float64);
      if (part.alibi_slopes.defined()) {
        sums.alibi_slopes = sums.alibi_slopes + part.alibi_slopes.to(DType::float64);
      }
    }
  }
  return sums;
}

TEST(Places, GradientsOfShardsAddUp) {
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(40); ++seed) {
      PlacedCase placed = make_placed_case(seed + 500, kDtypes[seed % 3]);
      auto& [query, key, value, options] = placed.whole.forward;
      options.target = target->name;
      options.gradients = {options.bias.defined(), options.sinks.defined(),
                           options.alibi_slopes.defined()};
      SCOPED_TRACE("seed " + std::to_string(seed) + ": " + describe(placed));
      const AttentionResult whole = attention(query, key, value, options);
      const auto want =
          named(attention_backward(placed.whole.grad_output, query, key, value, whole, options));
      Cases cases(seed + 1000000);
      const auto got = named(sum_over_shards(placed, whole, cases));
      for (std::size_t n = 0; n < want.size(); ++n) {
        if (!want[n].second.defined()) continue;
        const double unit = 8 * unit_of(query.dtype());
        expect_close(got[n].second, want[n].second.to(DType::float64),
                     unit * (8 + largest(want[n].second)), want[n].first);
      }
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

/// Batch entry b alone, with the keys that it has.
BackwardCase entry_alone(const PlacedCase& placed, std::int64_t b) {
  const auto& [query, key, value, all] = placed.whole.forward;
  const std::int64_t length = all.key_lengths[static_cast<std::size_t>(b)];
  const auto entry = [b](const Tensor& tensor) {
    return !tensor.defined() || tensor.size(0) == 1 ? tensor : tensor.slice(0, b, b + 1);
  };
  BackwardCase one;
  one.forward = {entry(query), entry(key).slice(2, 0, length), entry(value).slice(2, 0, length),
                 all};
  one.grad_output = entry(placed.whole.grad_output);
  AttentionOptions& options = one.forward.options;
  options.key_lengths = {};
  if (!all.query_offsets.empty()) {
    options.query_offset = all.query_offsets[static_cast<std::size_t>(b)];
    options.query_offsets = {};
  }
  const Rows queries{0, query.size(2)}, keys{0, length};
  options.bias = cells_of(entry(all.bias), queries, keys);
  options.dropout_mask = cells_of(entry(all.dropout_mask), queries, keys);
  return one;
}

/// A case whose mask and dropout don't depend on the batch entry's number.
PlacedCase make_padded_case(unsigned seed, DType dtype) {
  PlacedCase placed = make_placed_case(seed, dtype);
  Cases cases(seed + 77);
  auto& [query, key, value, options] = placed.whole.forward;
  const std::int64_t keys = key.size(2);
  options.key_lengths.clear();
  for (std::int64_t b = 0; b < query.size(0); ++b) {
    options.key_lengths.push_back(cases.chance(20) ? keys : cases.number(0, keys));
  }
  const Mask masks[] = {none(), causal(Corner::bottom_right),
                        window(cases.number(0, 60), cases.number(0, 9)),
                        causal(Corner::bottom_right) & !window(20, -1)};
  options.mask = masks[cases.number(0, 3)];
  if (cases.chance(50)) {  // places as they are without any
    options.query_offset = {};
    options.query_offsets = {};
    options.key_offset = 0;
  }
  if (options.dropout > 0 && !options.dropout_mask.defined()) options.dropout = 0;
  options.gradients = {options.bias.defined(), false, false};
  return placed;
}

/// What nobody has holds NaN, which must not reach anything.
void spoil_unused_rows(PlacedCase& placed) {
  auto& [query, key, value, options] = placed.whole.forward;
  constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
  for (std::int64_t b = 0; b < key.size(0); ++b) {
    const std::int64_t length = options.key_lengths[static_cast<std::size_t>(b)];
    key.slice(0, b, b + 1).slice(2, length, key.size(2)).fill_(kNaN);
    value.slice(0, b, b + 1).slice(2, length, key.size(2)).fill_(kNaN);
  }
}

void expect_zeros_past(const Tensor& tensor, const Numbers& lengths, std::int64_t axis) {
  if (!tensor.defined()) return;
  for (std::int64_t b = 0; b < tensor.size(0); ++b) {
    const Tensor tail = tensor.slice(0, b, b + 1)
                            .slice(axis, lengths[static_cast<std::size_t>(b)], tensor.size(axis));
    for (const double number : tail.to_vector()) ASSERT_EQ(number, 0) << b;
  }
}

/// What was asked for of batch entry b is what the entry alone, with `length` keys, gives.
void expect_same_statistics(const AttentionResult& whole, const AttentionResult& own,
                            std::int64_t b, std::int64_t length) {
  const auto expect_same = [&](const Tensor& all, const Tensor& one, const char* name) {
    ASSERT_EQ(all.defined(), one.defined()) << name;
    if (!one.defined()) return;
    EXPECT_TRUE(equal(all.slice(0, b, b + 1), one)) << name << " of entry " << b;
  };
  // The same where the last axis is the keys.
  const auto expect_same_keys = [&](const Tensor& all, const Tensor& one, const char* name) {
    expect_same(all.defined() ? all.slice(all.rank() - 1, 0, length) : all, one, name);
  };
  const Statistics &all = whole.statistics, &one = own.statistics;
  expect_same(all.top_k_keys, one.top_k_keys, "top_k_keys");
  expect_same(all.top_k_weights, one.top_k_weights, "top_k_weights");
  expect_same(all.entropy, one.entropy, "entropy");
  expect_same(all.maximum, one.maximum, "maximum");
  expect_same_keys(all.column_mass, one.column_mass, "column_mass");
  expect_same_keys(all.rows, one.rows, "rows");
  expect_same_keys(whole.weights, own.weights, "weights");
}

TEST(Places, AnEntryWithKeyLengthsIsThatEntryAlone) {
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(60); ++seed) {
      PlacedCase placed = make_padded_case(seed, kDtypes[seed % 3]);
      auto& [query, key, value, options] = placed.whole.forward;
      options.target = target->name;
      options.statistics.column_mass = options.statistics.entropy = seed % 2 == 0;
      options.statistics.maximum = seed % 2 == 0;
      if (seed % 3 == 0) options.statistics.rows = {query.size(2) - 1, 0};
      options.statistics.top_k = seed % 4 == 0 ? 2 : 0;
      options.return_weights = seed % 5 == 0;
      SCOPED_TRACE("seed " + std::to_string(seed) + ": " + describe(placed));
      spoil_unused_rows(placed);
      const AttentionResult whole = attention(query, key, value, options);
      const AttentionGradients gradients =
          attention_backward(placed.whole.grad_output, query, key, value, whole, options);
      expect_zeros_past(gradients.k, options.key_lengths, 2);
      expect_zeros_past(gradients.v, options.key_lengths, 2);
      expect_zeros_past(whole.weights, options.key_lengths, 3);
      expect_zeros_past(whole.statistics.column_mass, options.key_lengths, 2);
      expect_zeros_past(whole.statistics.rows, options.key_lengths, 3);
      for (std::int64_t b = 0; b < query.size(0); ++b) {
        const BackwardCase one = entry_alone(placed, b);
        const auto& [q, k, v, own_options] = one.forward;
        const AttentionResult own = attention(q, k, v, own_options);
        EXPECT_TRUE(equal(whole.output.slice(0, b, b + 1), own.output)) << b;
        EXPECT_TRUE(equal(whole.lse.slice(0, b, b + 1), own.lse)) << b;
        const std::int64_t length = k.size(2);
        expect_same_statistics(whole, own, b, length);
        const AttentionGradients g = attention_backward(one.grad_output, q, k, v, own, own_options);
        const double unit = unit_of(query.dtype());
        expect_close(gradients.q.slice(0, b, b + 1), g.q, unit * (1 + largest(g.q)), "q");
        expect_close(gradients.k.slice(0, b, b + 1).slice(2, 0, length), g.k,
                     unit * (1 + largest(g.k)), "k");
        expect_close(gradients.v.slice(0, b, b + 1).slice(2, 0, length), g.v,
                     unit * (1 + largest(g.v)), "v");
      }
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

TEST(Places, SaidAsTheyAreAnywayChangeNothing) {
  for (unsigned seed = 0; seed < case_count(60); ++seed) {
    Cases cases(seed);
    Case one = make_case(cases, kDtypes[seed % 3]);
    if (one.options.dropout > 0) continue;  // then the query's place is drawn with, not its row
    if (to_string(one.options.mask).find("top_left") != std::string::npos) continue;
    const std::int64_t offset = one.key.size(2) - one.query.size(2);
    if (offset < 0) continue;
    SCOPED_TRACE("seed " + std::to_string(seed));
    const AttentionResult plain = attention(one.query, one.key, one.value, one.options);
    one.options.query_offset = offset;
    const AttentionResult placed = attention(one.query, one.key, one.value, one.options);
    EXPECT_TRUE(equal(plain.lse, placed.lse));
    expect_close(placed.output, plain.output, 0, "output");
    if (HasFatalFailure() || HasNonfatalFailure()) return;
  }
}

TEST(Places, PaddingAndPrefixCountPlaces) {
  Cases cases(8);
  const Tensor query = cases.normal({2, 1, 3, 8}), key = cases.normal({2, 1, 10, 8});
  const auto seen = [&](const Mask& mask, std::int64_t key_offset) {
    return attention(query, key, key, {.mask = mask, .key_offset = key_offset}).output;
  };
  // Of keys at places 4 to 13, lengths 7 and 20 leave three and all; 3 leaves none.
  EXPECT_TRUE(equal(seen(padding({7, 20}), 4), seen(padding({3, 10}), 0)));
  EXPECT_TRUE(equal(seen(padding({3, 14}), 4), seen(padding({0, 10}), 0)));
  EXPECT_TRUE(equal(seen(prefix(7), 4), seen(prefix(3), 0)));
}

std::string complaint(const AttentionOptions& options) {
  return message_of(
      [&] { plan_attention({2, 2, 3, 8}, {2, 2, 5, 8}, {2, 2, 5, 8}, DType::float32, options); });
}

TEST(Places, ErrorsSayWhatIsWrong) {
  EXPECT_EQ(complaint({.key_lengths = {5, 0}}), "no error");
  expect_words(complaint({.key_lengths = {5}}), {"key_lengths has 1 numbers", "2 entries"});
  expect_words(complaint({.key_lengths = {5, 6}}), {"key_lengths[1] is 6", "from 0 to 5"});
  expect_words(complaint({.key_lengths = {-1, 5}}), {"key_lengths[0] is -1"});
  expect_words(complaint({.query_offset = -1}), {"query_offset is -1", "0 or more"});
  expect_words(complaint({.query_offset = std::int64_t{1} << 31}), {"query_offset", "2^31"});
  expect_words(complaint({.query_offsets = {1, 2, 3}}), {"query_offsets has 3", "2 entries"});
  expect_words(complaint({.query_offsets = {1, -2}}), {"query_offsets[1] is -2"});
  expect_words(complaint({.key_offset = -4}), {"key_offset is -4"});
  expect_words(complaint({.query_offset = 1, .query_offsets = {1, 1}}), {"both given"});
  expect_words(complaint({.mask = causal(Corner::top_left), .key_offset = 4}),
               {"causal(top_left)", "key_offset is 4", "query_offset"});
  EXPECT_EQ(complaint({.mask = causal(Corner::top_left), .query_offset = 9, .key_offset = 4}),
            "no error");
  EXPECT_EQ(complaint({.mask = causal(), .query_offset = 9}), "no error");
  expect_words(complaint({.mask = causal(), .key_lengths = {3, 4}}),
               {"batch entry 1: mask causal()", "bottom_right"});
  const Mask ids = document(Numbers{0, 0, 1, 1, 1, 2});
  EXPECT_EQ(complaint({.mask = ids, .query_offset = 3}), "no error");
  expect_words(complaint({.mask = ids, .query_offset = 4}),
               {"document", "6 ids", "places up to 6", "one id per place"});
  expect_words(complaint({.mask = ids, .key_offset = 2}), {"document", "places up to 6"});
}

TEST(Places, PaddingBesideACornerIsRemarkedOn) {
  const auto warns = [](const Mask& mask, std::int64_t queries, std::int64_t keys) {
    for (const MaskWarning& warning : lint(mask, 2, queries, keys)) {
      if (warning.text.find("key_lengths") != std::string::npos) return true;
    }
    return false;
  };
  EXPECT_TRUE(warns(causal(Corner::bottom_right) & padding({4, 9}), 1, 9));
  EXPECT_TRUE(warns(window(3, 0) & padding({4, 9}), 1, 9));
  EXPECT_FALSE(warns(causal(Corner::bottom_right) & padding({4, 9}), 9, 9));
  EXPECT_FALSE(warns(padding({4, 9}), 1, 9));
  EXPECT_FALSE(warns(causal(Corner::top_left) & padding({4, 9}), 1, 9));
}

}  // namespace
}  // namespace foveal
