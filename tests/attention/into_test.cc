// Results, gradients and states in the caller's memory: the same numbers, in any strides, and
// nothing else written.

#include <gtest/gtest.h>

#include "attention/backward_cases.h"
#include "case_count.h"
#include "errors.h"
#include "foveal/autograd.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"
#include "same_bits.h"

namespace foveal {
namespace {

const DType kDtypes[] = {DType::float32, DType::float64, DType::bfloat16, DType::float16};

/// Memory around a tensor of `shape`: its axes in another order, each row with room behind it.
struct Framed {
  Tensor memory, view;

  Framed(const Shape& shape, DType dtype, unsigned order) {
    constexpr std::int64_t kRoom = 3;
    std::vector<std::int64_t> axes;
    for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) {
      axes.push_back(static_cast<std::int64_t>(axis));
    }
    for (unsigned n = 0; n < order; ++n) std::next_permutation(axes.begin(), axes.end());
    Shape laid;
    for (const std::int64_t axis : axes) laid.push_back(shape[static_cast<std::size_t>(axis)]);
    laid.push_back(shape.back() + kRoom);
    memory = Tensor::full(laid, 7, dtype);
    std::vector<std::int64_t> back(shape.size());
    for (std::size_t n = 0; n < axes.size(); ++n) {
      back[static_cast<std::size_t>(axes[n])] = static_cast<std::int64_t>(n);
    }
    back.back() = static_cast<std::int64_t>(axes.size());
    const Tensor all = memory.permute(back);
    view = all.slice(all.rank() - 1, 0, shape.back());
  }

  /// Whether the room behind each row is as it was.
  bool frame_is_whole() const {
    const std::int64_t axis = memory.rank() - 1;
    const Tensor room = memory.slice(axis, view.size(-1), memory.size(axis));
    for (const double number : room.to_vector()) {
      if (number != 7) return false;
    }
    return true;
  }
};

/// Each tensor of a result.
std::vector<Tensor*> parts_of(AttentionResult& result) {
  Statistics& s = result.statistics;
  return {&result.output, &result.lse, &result.weights, &s.top_k_keys, &s.top_k_weights,
          &s.entropy,     &s.maximum,  &s.column_mass,  &s.rows};
}

TEST(Into, GivesWhatAttentionGivesInAnyStrides) {
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(60); ++seed) {
      Cases cases(seed);
      Case one = make_case(cases, kDtypes[seed % 4]);
      one.options.target = target->name;
      one.options.return_lse = seed % 3 != 0;
      if (seed % 5 == 0) {
        one.options.return_weights = true;
        one.options.statistics.top_k = 2;
        one.options.statistics.entropy = one.options.statistics.maximum = true;
        one.options.statistics.column_mass = true;
        if (one.query.size(2) > 0) one.options.statistics.rows = {0};
      }
      SCOPED_TRACE("seed " + std::to_string(seed));
      AttentionResult want = attention(one.query, one.key, one.value, one.options);
      AttentionResult got;
      std::vector<Framed> frames;
      const std::vector<Tensor*> wanted = parts_of(want), given = parts_of(got);
      for (std::size_t n = 0; n < wanted.size(); ++n) {
        if (!wanted[n]->defined() || cases.chance(20)) continue;  // left for it to make
        frames.emplace_back(wanted[n]->shape(), wanted[n]->dtype(), seed + n);
        *given[n] = frames.back().view;
      }
      attention_into(got, one.query, one.key, one.value, one.options);
      for (std::size_t n = 0; n < wanted.size(); ++n) {
        ASSERT_EQ(wanted[n]->defined(), given[n]->defined()) << n;
        if (wanted[n]->defined()) {
          ASSERT_TRUE(same_bits(*wanted[n], *given[n])) << n;
        }
      }
      for (const Framed& frame : frames) ASSERT_TRUE(frame.frame_is_whole());
    }
  }
}

TEST(Into, GradientsAreWrittenOrAddedInAnyStrides) {
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(40); ++seed) {
      Cases cases(seed);
      BackwardCase one = make_backward_case(cases, kDtypes[seed % 4]);
      auto& [query, key, value, options] = one.forward;
      options.target = target->name;
      if (seed % 3 == 0) {
        for (std::int64_t b = 0; b < query.size(0); ++b) {
          options.key_lengths.push_back(cases.number(0, key.size(2)));
        }
      }
      SCOPED_TRACE("seed " + std::to_string(seed));
      const Plan plan =
          plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options);
      const AttentionResult result = plan.run(query, key, value);
      const AttentionGradients want = plan.backward(one.grad_output, query, key, value, result);
      const bool add = seed % 2 == 1;
      AttentionGradients got;
      std::vector<Framed> frames;
      const auto named_want = named(want);
      Tensor* const given[] = {&got.q, &got.k, &got.v, &got.bias, &got.sinks, &got.alibi_slopes};
      for (std::size_t n = 0; n < named_want.size(); ++n) {
        const Tensor& wanted = named_want[n].second;
        if (!wanted.defined() || cases.chance(20)) continue;
        frames.emplace_back(wanted.shape(), wanted.dtype(), seed + n);
        *given[n] = frames.back().view;
        if (add) given[n]->fill_(2);
      }
      AttentionGradients before = got;
      plan.backward_into(got, one.grad_output, query, key, value, result, add);
      for (std::size_t n = 0; n < named_want.size(); ++n) {
        const Tensor& wanted = named_want[n].second;
        ASSERT_EQ(wanted.defined(), given[n]->defined()) << named_want[n].first;
        if (!wanted.defined()) continue;
        const bool added = add && named(before)[n].second.defined();
        const double unit = query.dtype() == DType::bfloat16 ? 0x1p-7 : 0x1p-10;
        if (added) {
          expect_close(*given[n], (wanted.to(DType::float64) + 2.0), unit * (3 + largest(wanted)),
                       named_want[n].first);
        } else {
          ASSERT_TRUE(same_bits(*given[n], wanted)) << named_want[n].first;
        }
      }
      for (const Framed& frame : frames) ASSERT_TRUE(frame.frame_is_whole());
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Into, StatesAreMergedInPlace) {
  for (unsigned seed = 0; seed < case_count(30); ++seed) {
    Cases cases(seed);
    const Case one = make_case(cases, kDtypes[seed % 4]);
    AttentionOptions options;
    options.softcap = one.options.softcap;
    const std::int64_t cut = cases.number(0, one.key.size(2));
    const auto part = [&](std::int64_t first, std::int64_t last) {
      return attention_state(one.query, one.key.slice(2, first, last),
                             one.value.slice(2, first, last), options);
    };
    const AttentionState left = part(0, cut), right = part(cut, one.key.size(2));
    const AttentionState want = merge(left, right);
    Framed output(left.output.shape(), left.output.dtype(), seed);
    Framed maximum(left.maximum.shape(), left.maximum.dtype(), seed);
    Framed sum(left.sum.shape(), left.sum.dtype(), seed);
    AttentionState into{output.view, maximum.view, sum.view};
    into.output.copy_(left.output);
    into.maximum.copy_(left.maximum);
    into.sum.copy_(left.sum);
    merge_into(into, right);
    ASSERT_TRUE(same_bits(into.output, want.output)) << seed;
    ASSERT_TRUE(same_bits(into.maximum, want.maximum)) << seed;
    ASSERT_TRUE(same_bits(into.sum, want.sum)) << seed;
    for (const Framed* frame : {&output, &maximum, &sum}) ASSERT_TRUE(frame->frame_is_whole());
    const AttentionResult wide = finish(want), narrow = finish(want, one.query.dtype());
    ASSERT_TRUE(same_bits(narrow.output, wide.output.to(one.query.dtype())));
    ASSERT_EQ(narrow.output.dtype(), one.query.dtype());
    ASSERT_EQ(narrow.lse.dtype(), wide.lse.dtype());
  }
}

TEST(Into, StatesAreMadeAndFinishedInAnyStrides) {
  for (const Target* target : usable_targets()) {
    for (unsigned seed = 0; seed < case_count(30); ++seed) {
      Cases cases(seed);
      Case one = make_case(cases, kDtypes[seed % 4]);
      one.options.target = target->name;
      if (seed % 5 == 0) one.options.mask = !none();  // as a state begins, so it stays
      SCOPED_TRACE("seed " + std::to_string(seed));
      const AttentionState want = attention_state(one.query, one.key, one.value, one.options);
      const Framed output(want.output.shape(), want.output.dtype(), seed);
      const Framed maximum(want.maximum.shape(), want.maximum.dtype(), seed);
      const Framed sum(want.sum.shape(), want.sum.dtype(), seed);
      AttentionState got{output.view, maximum.view, seed % 3 == 0 ? Tensor() : sum.view};
      attention_state_into(got, one.query, one.key, one.value, one.options);
      ASSERT_TRUE(same_bits(got.output, want.output));
      ASSERT_TRUE(same_bits(got.maximum, want.maximum));
      ASSERT_TRUE(same_bits(got.sum, want.sum));
      const Plan plan = plan_attention(one.query.shape(), one.key.shape(), one.value.shape(),
                                       one.query.dtype(), one.options);
      plan.state_into(got, one.query, one.key, one.value);  // over what was there
      ASSERT_TRUE(same_bits(got.output, want.output));

      const DType dtype = kDtypes[seed / 4 % 4];
      const AttentionResult whole = finish(want, dtype);
      const Framed finished(whole.output.shape(), dtype, seed);
      const Framed lse(whole.lse.shape(), whole.lse.dtype(), seed);
      AttentionResult into;
      into.output = finished.view;
      if (seed % 2 == 0) into.lse = lse.view;
      finish_into(into, got);
      ASSERT_TRUE(same_bits(into.output, whole.output));
      ASSERT_TRUE(same_bits(into.lse, whole.lse));
      for (const Framed* frame : {&output, &maximum, &sum, &finished, &lse}) {
        ASSERT_TRUE(frame->frame_is_whole());
      }
    }
  }
}

/// Whatever stood in the memory that is given.
TEST(Into, StatesOfSequencesWithoutKeysAreEmpty) {
  Cases cases(3);
  const Tensor query = cases.normal({1, 2, 80, 8}).to(DType::float32);
  const Tensor key = cases.normal({1, 2, 4, 8}).to(DType::float32);
  AttentionOptions options;
  for (const std::vector<std::int64_t>& ends : {std::vector<std::int64_t>{0, 1, 80}, {0, 79, 80}}) {
    options.query_starts = ends;
    options.key_starts = {0, 0, 4};
    const Framed output({1, 2, 80, 8}, DType::float32, 0);
    const Framed maximum({1, 2, 80}, DType::float32, 0), sum({1, 2, 80}, DType::float32, 0);
    AttentionState got{output.view, maximum.view, sum.view};
    attention_state_into(got, query, key, key, options);
    const AttentionState want = attention_state(query, key, key, options);
    EXPECT_TRUE(same_bits(got.output, want.output));
    EXPECT_TRUE(same_bits(got.maximum, want.maximum));
    EXPECT_TRUE(same_bits(got.sum, want.sum));
    EXPECT_EQ(got.maximum.at({0, 1, 0}), -INFINITY);
    EXPECT_EQ(got.sum.at({0, 1, 0}), 0);
    EXPECT_EQ(got.output.at({0, 1, 0, 5}), 0);
  }
}

TEST(Into, GradientsWithoutAPlanAreThoseOfOne) {
  for (unsigned seed = 0; seed < case_count(10); ++seed) {
    Cases cases(seed);
    const BackwardCase one = make_backward_case(cases, kDtypes[seed % 4]);
    const auto& [query, key, value, options] = one.forward;
    const AttentionResult result = attention(query, key, value, options);
    const AttentionGradients want =
        attention_backward(one.grad_output, query, key, value, result, options);
    AttentionGradients got;
    const Framed frame(want.q.shape(), want.q.dtype(), seed);
    got.q = frame.view;
    attention_backward_into(got, one.grad_output, query, key, value, result, options);
    ASSERT_TRUE(same_bits(got.q, want.q)) << seed;
    ASSERT_TRUE(same_bits(got.k, want.k)) << seed;
    ASSERT_TRUE(frame.frame_is_whole());
    AttentionGradients twice;
    twice.v = Tensor::full(want.v.shape(), -0.0, want.v.dtype());  // plus -0 is -0
    for (int n = 0; n < 2; ++n) {
      attention_backward_into(twice, one.grad_output, query, key, value, result, options, true);
    }
    ASSERT_TRUE(same_bits(twice.v, want.v * 2.0)) << seed;
  }
}

struct Inputs {
  Cases cases{4};
  Tensor query = cases.normal({2, 2, 3, 8}).to(DType::float32);
  Tensor key = cases.normal({2, 2, 5, 8}).to(DType::float32);

  std::string complaint(AttentionResult result, AttentionOptions options = {}) const {
    return message_of([&] { attention_into(result, query, key, key, options); });
  }
};

TEST(Into, ErrorsNameTheTensorAndNothingIsWritten) {
  Inputs in;
  const auto with = [](const Tensor& output) {
    AttentionResult result;
    result.output = output;
    return result;
  };
  const Shape shape{2, 2, 3, 8};
  EXPECT_EQ(in.complaint(with(Tensor::zeros(shape))), "no error");
  expect_words(in.complaint(with(Tensor::zeros({2, 2, 3, 7}))),
               {"attention_into: output has shape (2, 2, 3, 7)", "must have (2, 2, 3, 8)"});
  expect_words(in.complaint(with(Tensor::zeros(shape, DType::float64))), {"float64", "float32"});
  expect_words(in.complaint(with(Tensor::zeros({2, 2, 8, 3}).transpose(2, 3))),
               {"last stride 3", "must be 1"});
  expect_words(in.complaint(with(Tensor::zeros({2, 1, 3, 8}).expand(shape))), {"share memory"});
  expect_words(in.complaint(with(in.query)), {"output shares memory with query"});
  expect_words(in.complaint(with(in.key.slice(2, 1, 4))), {"output shares memory with key"});
  AttentionResult lse;
  lse.lse = Tensor::full({2, 2, 3}, 9);
  expect_words(in.complaint(lse), {"result.lse is given but not asked for"});
  lse.output = Tensor::full(shape, 9);
  lse.lse = lse.output.select(3, 0);
  expect_words(in.complaint(lse, {.return_lse = true}), {"output shares memory with lse"});
  lse.lse = Tensor::zeros({2, 2, 3, 8}).select(3, 0);
  expect_words(in.complaint(lse, {.return_lse = true}), {"lse", "last stride 8"});
  for (const double number : lse.output.to_vector()) EXPECT_EQ(number, 9);
  in.query.requires_grad_();
  expect_words(in.complaint({}), {"requires a gradient", "NoGrad"});
  const Inputs plain;
  expect_words(plain.complaint(with(Tensor::zeros(shape).requires_grad_())),
               {"requires a gradient", "NoGrad"});
  const NoGrad inside;
  EXPECT_EQ(in.complaint({}), "no error");
}

TEST(Into, TensorsMayInterleaveWithoutTouching) {
  Inputs in;
  // Q, K, V and O side by side, a row of a token: (B, L, 4, H, D).
  const Tensor all = in.cases.normal({2, 5, 4, 2, 8}).to(DType::float32);
  const auto heads = [&](std::int64_t n) { return all.select(2, n).transpose(1, 2); };
  AttentionResult result;
  result.output = heads(3);
  const Tensor want = attention(heads(0), heads(1), heads(2)).output;
  attention_into(result, heads(0), heads(1), heads(2));
  EXPECT_TRUE(same_bits(heads(3), want));
  result.output = heads(2);
  expect_words(message_of([&] { attention_into(result, heads(0), heads(1), heads(2)); }),
               {"output shares memory with value"});
}

TEST(Into, WritesCountInTheTensorsVersion) {
  Inputs in;
  AttentionResult result;
  result.output = Tensor::zeros({2, 2, 3, 8});
  const std::uint64_t before = result.output.version();
  attention_into(result, in.query, in.key, in.key);
  EXPECT_GT(result.output.version(), before);
}

TEST(Into, StatesRefuseWhatTheyCannotWrite) {
  Inputs in;
  const AttentionState state = attention_state(in.query, in.key, in.key);
  const auto complaint = [&](AttentionState into) {
    return message_of([&] { attention_state_into(into, in.query, in.key, in.key); });
  };
  expect_words(complaint({in.query, {}, {}}),
               {"attention_state_into: state.output shares memory with query"});
  expect_words(complaint({{}, state.sum, state.sum}),
               {"state.maximum shares memory with state.sum"});
  expect_words(complaint({{}, Tensor::zeros({2, 2, 4}), {}}), {"state.maximum", "(2, 2, 3)"});

  const auto finishing = [&](const AttentionResult& result) {
    return message_of([&] {
      AttentionResult into = result;
      finish_into(into, state);
    });
  };
  AttentionResult result;
  result.output = state.output;
  expect_words(finishing(result), {"finish_into: output shares memory with state.output"});
  result.output = Tensor::zeros(state.output.shape(), DType::int64);
  expect_words(finishing(result), {"finish_into: output's dtype is int64"});
  result.output = {};
  result.lse = Tensor::zeros(state.sum.shape(), DType::float64);
  expect_words(finishing(result), {"finish_into: lse", "float64", "float32"});
  result.lse = {};
  result.weights = Tensor::zeros({2, 2, 3, 5});
  expect_words(finishing(result),
               {"result.weights is given but not asked for", "a state has none"});
}

TEST(Into, MergeRefusesWhatItCannotWrite) {
  Inputs in;
  AttentionState a = attention_state(in.query, in.key, in.key);
  const AttentionState b = attention_state(in.query, in.key, in.key);
  expect_words(message_of([&] { merge_into(a, a); }), {"a.output shares memory with b.output"});
  AttentionState narrow = attention_state(in.query.slice(2, 0, 2), in.key, in.key);
  expect_words(message_of([&] { merge_into(a, narrow); }), {"merge_into", "must match"});
  a.sum = a.sum.transpose(1, 2).contiguous().transpose(1, 2);
  expect_words(message_of([&] { merge_into(a, b); }), {"a.sum", "last stride"});
  expect_words(message_of([&] { finish(b, DType::int64); }), {"finish: dtype is int64"});
}

}  // namespace
}  // namespace foveal
