// A packed batch takes every option as each of its sequences does alone, and refuses what one of
// them would.

#include <gtest/gtest.h>

#include "attention/backward_cases.h"
#include "attention/engine/arrays.h"
#include "attention/guarded.h"
#include "attention/shrink.h"
#include "case_count.h"
#include "errors.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

using Starts = std::vector<std::int64_t>;

/// Sequences of one length each for queries and for keys, so that a bias may have axes of its own.
struct Packed {
  BackwardCase whole;
  std::int64_t count = 0, queries = 0, keys = 0;

  Starts query_starts() const { return starts(queries); }
  Starts key_starts() const { return starts(keys); }

  /// Rows of sequence n.
  Tensor of(const Tensor& tensor, std::int64_t n, std::int64_t length) const {
    return tensor.slice(2, n * length, (n + 1) * length).contiguous();
  }

  BackwardCase alone(std::int64_t n) const {
    const Case& all = whole.forward;
    BackwardCase one;
    one.forward = {of(all.query, n, queries), of(all.key, n, keys), of(all.value, n, keys),
                   all.options};
    one.forward.options.query_starts = one.forward.options.key_starts = {};
    one.grad_output = of(whole.grad_output, n, queries);
    return one;
  }

 private:
  Starts starts(std::int64_t length) const {
    Starts starts;
    for (std::int64_t n = 0; n <= count; ++n) starts.push_back(n * length);
    return starts;
  }
};

Shape scores_or_one(Cases& cases, const Shape& scores) {
  Shape shape;
  for (const std::int64_t size : scores) shape.push_back(cases.chance(40) ? 1 : size);
  const auto left_out = static_cast<std::size_t>(cases.number(0, 2));
  return {shape.begin() + static_cast<std::ptrdiff_t>(left_out), shape.end()};
}

Mask mask_for(Cases& cases, const Shape& scores) {
  const std::int64_t keys = scores[3];
  switch (cases.number(0, 4)) {
    case 0:
      return causal(Corner::bottom_right);
    case 1:
      return padding({cases.number(0, keys)});
    case 2:
      return dense(gt(cases.normal(scores_or_one(cases, scores)), -0.5));
    case 3: {
      Starts ids;
      for (std::int64_t j = 0; j < keys; ++j) ids.push_back(j / 7);
      return document(ids);
    }
    default:
      return none();
  }
}

Packed make_packed(unsigned seed, DType dtype) {
  Cases cases(seed);
  Packed packed;
  packed.count = cases.number(1, 4);
  packed.queries = cases.pick({1, 2, 5, 17, 70});
  packed.keys = cases.pick({1, 3, 40, 65, 100});
  const std::int64_t kv = cases.pick({1, 2}), heads = kv * cases.pick({1, 2});
  const Shape scores{1, heads, packed.queries, packed.keys};
  const std::int64_t queries = packed.count * packed.queries, keys = packed.count * packed.keys;
  packed.whole.forward = {cases.normal({1, heads, queries, 12}).to(dtype),
                          cases.normal({1, kv, keys, 12}).to(dtype),
                          cases.normal({1, kv, keys, 6}).to(dtype),
                          {}};
  packed.whole.grad_output = cases.normal({1, heads, queries, 6}).to(dtype);
  AttentionOptions& options = packed.whole.forward.options;
  options.return_lse = true;
  options.mask = mask_for(cases, scores);
  options.bias = cases.normal(scores_or_one(cases, scores)).to(dtype);
  options.gradients.bias = true;
  if (cases.chance(50)) {
    options.dropout = 0.4;
    options.dropout_mask = gt(cases.normal(scores_or_one(cases, scores)), 0.0);
  }
  options.query_starts = packed.query_starts();
  options.key_starts = packed.key_starts();
  return packed;
}

void expect_each_alone(const Packed& packed) {
  const auto& [query, key, value, options] = packed.whole.forward;
  const AttentionResult whole = attention(query, key, value, options);
  const AttentionGradients gradients =
      attention_backward(packed.whole.grad_output, query, key, value, whole, options);
  Tensor bias = Tensor::zeros(options.bias.shape(), DType::float64);
  for (std::int64_t n = 0; n < packed.count; ++n) {
    const BackwardCase one = packed.alone(n);
    const auto& [q, k, v, own_options] = one.forward;
    const AttentionResult own = attention(q, k, v, own_options);
    const AttentionGradients g = attention_backward(one.grad_output, q, k, v, own, own_options);
    EXPECT_TRUE(equal(packed.of(whole.output, n, packed.queries), own.output)) << n;
    EXPECT_TRUE(equal(packed.of(whole.lse, n, packed.queries), own.lse)) << n;
    const double unit = query.dtype() == DType::bfloat16 ? 0x1p-6 : 0x1p-18;
    expect_close(packed.of(gradients.q, n, packed.queries), g.q, unit * (1 + largest(g.q)), "q");
    expect_close(packed.of(gradients.k, n, packed.keys), g.k, unit * (1 + largest(g.k)), "k");
    expect_close(packed.of(gradients.v, n, packed.keys), g.v, unit * (1 + largest(g.v)), "v");
    bias = bias + g.bias.to(DType::float64);
  }
  const double unit = query.dtype() == DType::bfloat16 ? 0x1p-5 : 0x1p-16;
  expect_close(gradients.bias, bias, unit * (1 + largest(bias)), "bias");
}

TEST(Packed, TakesBiasMaskAndDropoutMaskOfEachSequence) {
  const DType dtypes[] = {DType::float32, DType::bfloat16};
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(30); ++seed) {
      Packed packed = make_packed(seed, dtypes[seed % 2]);
      packed.whole.forward.options.target = target->name;
      SCOPED_TRACE("seed " + std::to_string(seed) + ": " + describe(packed.whole.forward));
      expect_each_alone(packed);
      if (HasFatalFailure() || HasNonfatalFailure()) return;
    }
  }
}

/// A tile's lanes go on past a sequence's last query and key, but nothing is read there.
TEST(Packed, StaysWithinBiasAndDropoutMask) {
  for (const Target* target : usable_targets()) {
    for (const Guard guard : {Guard::before, Guard::after}) {
      for (unsigned seed = 0; seed < case_count(60); ++seed) {
        Packed packed = make_packed(seed, seed % 2 == 0 ? DType::float32 : DType::bfloat16);
        AttentionOptions& options = packed.whole.forward.options;
        options.target = target->name;
        options.bias = guarded(options.bias, guard);
        if (options.dropout_mask.defined()) {
          options.dropout_mask = guarded(options.dropout_mask, guard);
        }
        differentiate(packed.whole);
      }
    }
  }
}

/// Conversions of a forward, its statistics, a backward and a state over `count` sequences.
std::int64_t conversions_for(std::int64_t count, std::int64_t queries, DType dtype) {
  Cases cases(1);
  Packed packed;
  packed.count = count;
  packed.queries = queries;
  packed.keys = 5;
  const Tensor query = cases.normal({1, 2, count * queries, 4}).to(dtype);
  const Tensor key = cases.normal({1, 2, count * 5, 4}).to(dtype);
  AttentionOptions options;
  options.return_lse = true;
  options.bias = cases.normal({2, 1, 5});
  options.sinks = cases.normal({2});
  options.query_starts = packed.query_starts();
  options.key_starts = packed.key_starts();
  const std::int64_t before = conversion_count();
  const AttentionResult result = attention(query, key, key, options);
  attention_backward(query, query, key, key, result, options);
  attention_state(query, key, key, options);
  options.statistics.column_mass = true;
  attention(query, key, key, options);
  return conversion_count() - before;
}

TEST(Packed, ConvertsOnceACallWhateverTheNumberOfSequences) {
  for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
    for (const std::int64_t queries : {1, 20}) {  // decoded, and not
      const std::int64_t of_one = conversions_for(1, queries, dtype);
      EXPECT_GT(of_one, 0);
      EXPECT_EQ(conversions_for(40, queries, dtype), of_one) << to_string(dtype) << " " << queries;
    }
  }
}

/// What a plan of three sequences, 4 queries and 5, 5 and 6 keys, says to `options`.
std::string complaint(AttentionOptions options) {
  if (options.query_starts.empty()) options.query_starts = {0, 4, 8, 12};
  if (options.key_starts.empty()) options.key_starts = {0, 5, 10, 16};
  return message_of([&] {
    plan_attention({1, 2, 12, 8}, {1, 2, 16, 8}, {1, 2, 16, 8}, DType::float32, options);
  });
}

TEST(Packed, ChecksBiasAndDropoutMask) {
  const auto bias = [](const Shape& shape, DType dtype = DType::float32) {
    AttentionOptions options;
    options.bias = Tensor::zeros(shape, dtype);
    return complaint(options);
  };
  const auto kept = [](const Shape& shape, DType dtype = DType::boolean) {
    AttentionOptions options;
    options.dropout_mask = Tensor::zeros(shape, dtype);
    return complaint(options);
  };
  EXPECT_EQ(bias({1, 2, 4, 1}), "no error");
  EXPECT_EQ(kept({1, 2, 4, 1}), "no error");
  expect_words(bias({1, 1, 2, 4, 1}), {"bias has shape (1, 1, 2, 4, 1)", "at most four axes"});
  expect_words(kept({1, 1, 2, 4, 1}), {"dropout_mask has shape", "at most four axes"});
  expect_words(bias({4, 1}, DType::int64), {"bias", "int64", "floating"});
  expect_words(kept({4, 1}, DType::float32), {"dropout_mask", "float32", "bool"});
  expect_words(bias({4, 5}), {"bias has shape (4, 5)", "(1, 2, 4, 6)", "packed sequence 2"});
  expect_words(kept({12, 16}), {"dropout_mask", "(1, 2, 4, 5)", "packed sequence 0"});
  expect_words(bias({3, 1, 1}), {"bias", "packed sequence 0"});
  expect_words(bias({3, 1, 1, 1}), {"bias", "packed sequence 0"});
}

TEST(Packed, ChecksMasks) {
  const auto with = [](const Mask& mask) { return complaint({.mask = mask}); };
  EXPECT_EQ(with(prefix(5) & padding({5})), "no error");
  expect_words(with(prefix(6)), {"packed sequence 0: mask prefix(6)", "5 keys"});
  expect_words(with(padding({1, 2})), {"packed sequence 0: mask padding", "2 lengths"});
  expect_words(with(padding({6})), {"packed sequence 0: mask padding", "from 0 to 5"});
  expect_words(with(document(Starts{0, 0, 1, 1, 1})), {"packed sequence 2: mask document"});
  expect_words(with(dense(Tensor::ones({4, 5}, DType::boolean))),
               {"packed sequence 2: mask dense", "(1, 2, 4, 6)"});
  expect_words(with(causal()), {"packed sequence 0: mask causal()"});
}

TEST(Packed, WithoutSequencesChecksWhatItCan) {
  AttentionOptions options;
  options.query_starts = options.key_starts = {0};
  const auto plan = [&] {
    return message_of(
        [&] { plan_attention({1, 2, 0, 8}, {1, 2, 0, 8}, {1, 2, 0, 8}, DType::float32, options); });
  };
  EXPECT_EQ(plan(), "no error");
  options.bias = Tensor::zeros({1}, DType::int64);
  expect_words(plan(), {"bias", "int64"});
  options.bias = {};
  options.dropout_mask = Tensor::zeros({1, 1, 1, 1, 1}, DType::boolean);
  expect_words(plan(), {"dropout_mask", "four axes"});
}

TEST(Packed, SaysWhatIsWrongWithOffsets) {
  const auto say = [](const Starts& queries, const Starts& keys) {
    AttentionOptions options;
    options.query_starts = queries;
    options.key_starts = keys;
    return message_of([&] {
      plan_attention({1, 2, 12, 8}, {1, 2, 16, 8}, {1, 2, 16, 8}, DType::float32, options);
    });
  };
  EXPECT_EQ(say({0, 12}, {0, 16}), "no error");
  expect_words(say({0, 12}, {}), {"query_starts is given but key_starts is not"});
  expect_words(say({}, {0, 16}), {"key_starts is given but query_starts is not"});
  expect_words(say({1, 12}, {0, 16}),
               {"query_starts begins with 1", "from 0 to the total length 12"});
  expect_words(say({0, 12}, {0, 15}), {"key_starts ends with 15", "16"});
  expect_words(say({0, 8, 4, 12}, {0, 1, 2, 16}), {"query_starts falls from 8 to 4"});
  expect_words(say({0, 4, 12}, {0, 16}), {"3 offsets", "2", "n + 1"});
  AttentionOptions options;
  options.query_starts = {0, 3};
  options.key_starts = {0, 3};
  const Tensor x = Tensor::ones({2, 1, 3, 4});
  expect_words(message_of([&] { attention(x, x, x, options); }), {"batch is 2"});
  options = {};
  options.statistics.rows = {0};
  const Tensor none = Tensor::ones({1, 1, 0, 4});
  expect_words(message_of([&] { attention(none, none, none, options); }), {"there are no queries"});
}

}  // namespace
}  // namespace foveal
