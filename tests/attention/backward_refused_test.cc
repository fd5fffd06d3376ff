// Gradients and merged states in the caller's memory where the call is refused: one error that
// names the tensor, and every tensor as it was.

#include <gtest/gtest.h>

#include "attention/backward_cases.h"
#include "errors.h"
#include "foveal/plan.h"

namespace foveal {
namespace {

/// The tensor at the front of memory with room for any tensor here, so that one may lie on another.
Tensor roomy(const Tensor& tensor) {
  const Tensor memory = Tensor::zeros({1024});
  Tensor view = Tensor::from_blob(const_cast<void*>(memory.raw_data()), tensor.shape(), {},
                                  tensor.dtype(), [memory](void*) {});
  view.copy_(tensor);
  return view;
}

/// Memory of `with`, as a tensor like `like`.
Tensor lying_on(const Tensor& with, const Tensor& like) {
  return Tensor::from_blob(const_cast<void*>(with.raw_data()), like.shape(), {}, like.dtype(),
                           [with](void*) {});
}

/// A backward with every option that has a gradient, and each gradient given, full of sevens.
struct Call {
  Cases cases{5};
  Tensor query = draw({2, 2, 3, 8}), key = draw({2, 2, 5, 8}), value = draw({2, 2, 5, 8});
  Tensor grad_output = draw({2, 2, 3, 8});
  AttentionOptions options;
  AttentionResult result;
  AttentionGradients gradients;

  Call() {
    options.return_lse = true;
    options.bias = draw({1, 2, 3, 5});
    options.sinks = draw({2});
    options.alibi_slopes = draw({2});
    options.dropout = 0.3;
    options.dropout_mask = roomy(gt(cases.normal({2, 2, 3, 5}), -0.5));
    options.gradients = {true, true, true};
    result = attention(query, key, value, options);
    result.output = roomy(result.output);
    result.lse = roomy(result.lse);
    gradients = {sevens(query),        sevens(key),           sevens(value),
                 sevens(options.bias), sevens(options.sinks), sevens(options.alibi_slopes)};
  }

  Tensor draw(const Shape& shape) { return roomy(cases.normal(shape).to(DType::float32)); }

  static Tensor sevens(const Tensor& like) { return roomy(Tensor::full(like.shape(), 7)); }

  /// In the order of `kGradients`.
  std::vector<Tensor*> written() {
    AttentionGradients& g = gradients;
    return {&g.q, &g.k, &g.v, &g.bias, &g.sinks, &g.alibi_slopes};
  }

  std::vector<std::pair<std::string, Tensor*>> read() {
    return {{"grad_output", &grad_output},
            {"query", &query},
            {"key", &key},
            {"value", &value},
            {"result.output", &result.output},
            {"result.lse", &result.lse},
            {"bias", &options.bias},
            {"alibi_slopes", &options.alibi_slopes},
            {"sinks", &options.sinks},
            {"dropout_mask", &options.dropout_mask}};
  }

  void run(bool planned, bool add) {
    if (!planned) {
      return attention_backward_into(gradients, grad_output, query, key, value, result, options,
                                     add);
    }
    plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options)
        .backward_into(gradients, grad_output, query, key, value, result, add);
  }
};

const std::string kGradients[] = {"gradients.q",    "gradients.k",     "gradients.v",
                                  "gradients.bias", "gradients.sinks", "gradients.alibi_slopes"};

std::vector<Tensor> copies(const std::vector<Tensor*>& tensors) {
  std::vector<Tensor> copies;
  for (const Tensor* tensor : tensors) {
    copies.push_back(tensor->defined() ? tensor->clone() : Tensor());
  }
  return copies;
}

void expect_as_before(const std::vector<Tensor*>& tensors, const std::vector<Tensor>& before) {
  for (std::size_t n = 0; n < tensors.size(); ++n) {
    ASSERT_EQ(tensors[n]->defined(), before[n].defined()) << n;
    if (before[n].defined()) {
      EXPECT_TRUE(equal(*tensors[n], before[n])) << n;
    }
  }
}

/// What `spoil` makes of the call is refused by both functions, writing and adding, in these words
/// at the message's beginning and later on; no tensor changes.
template <class Spoil>
void expect_refused(Spoil spoil, const std::string& begins, const std::vector<std::string>& words) {
  for (const bool planned : {false, true}) {
    for (const bool add : {false, true}) {
      Call call;
      spoil(call);
      std::vector<Tensor*> all = call.written();
      for (const auto& [name, tensor] : call.read()) all.push_back(tensor);
      const std::vector<Tensor> before = copies(all);
      const std::string text = message_of([&] { call.run(planned, add); });
      const std::string function = planned ? "Plan::backward_into: " : "attention_backward_into: ";
      EXPECT_TRUE(text.starts_with(function + begins)) << text << "\nnot: " << function << begins;
      expect_words(text, words);
      expect_as_before(all, before);
    }
  }
}

TEST(BackwardRefused, ThisCallIsNot) {
  for (const bool planned : {false, true}) {
    Call call;
    EXPECT_EQ(message_of([&] { call.run(planned, false); }), "no error");
    for (const Tensor* tensor : call.written()) {
      EXPECT_FALSE(equal(*tensor, Tensor::full(tensor->shape(), 7)));
    }
  }
}

TEST(BackwardRefused, AGradientOnWhatIsRead) {
  for (std::size_t n = 0; n < std::size(kGradients); ++n) {
    for (std::size_t m = 0; m < 10; ++m) {
      const std::string name = Call().read()[m].first;
      expect_refused(
          [&](Call& call) {
            Tensor& gradient = *call.written()[n];
            gradient = lying_on(*call.read()[m].second, gradient);
          },
          kGradients[n] + " shares memory with " + name + ":", {"memory of its own"});
    }
  }
}

TEST(BackwardRefused, AGradientOnAnother) {
  for (std::size_t n = 0; n < std::size(kGradients); ++n) {
    for (std::size_t m = n + 1; m < std::size(kGradients); ++m) {
      expect_refused(
          [&](Call& call) {
            Tensor& gradient = *call.written()[m];
            gradient = lying_on(*call.written()[n], gradient);
            gradient.fill_(7);
          },
          kGradients[n] + " shares memory with " + kGradients[m] + ":", {"memory of its own"});
    }
  }
}

TEST(BackwardRefused, AGradientThatNobodyAskedFor) {
  const auto refused = [](auto unask, const std::string& name) {
    expect_refused([&](Call& call) { unask(call.options.gradients); },
                   name + " is given but not asked for", {"gradients", "leave it undefined"});
  };
  refused([](GradientOptions& asked) { asked.bias = false; }, "gradients.bias");
  refused([](GradientOptions& asked) { asked.sinks = false; }, "gradients.sinks");
  refused([](GradientOptions& asked) { asked.alibi_slopes = false; }, "gradients.alibi_slopes");
}

TEST(BackwardRefused, AGradientOfAnotherForm) {
  for (std::size_t n = 0; n < std::size(kGradients); ++n) {
    const Shape shape = Call().written()[n]->shape();
    const auto refused = [&](const Tensor& given, const std::vector<std::string>& words) {
      expect_refused([&](Call& call) { *call.written()[n] = given.clone(); },
                     kGradients[n] + " has shape " + to_string(given.shape()), words);
    };
    Shape longer = shape;
    ++longer.back();
    refused(Tensor::full(longer, 7), {"must have " + to_string(shape)});
    longer.back() = 1;  // what broadcasts doesn't fit either
    refused(Tensor::full(longer, 7), {"must have " + to_string(shape)});
    refused(Tensor::full(shape, 7, DType::float64), {"float64", "and float32"});
    refused(Tensor::full(shape, 7, DType::bfloat16), {"bfloat16", "and float32"});
    expect_refused(
        [&](Call& call) {
          *call.written()[n] = Tensor::full(longer, 7).expand(shape);  // stride 0
        },
        kGradients[n] + " has shape " + to_string(shape), {"last stride 0: it must be 1"});
  }
  expect_refused(
      [](Call& call) {
        const Tensor mine = call.gradients.q;
        const void* const memory = mine.raw_data();
        call.gradients.q =
            Tensor::from_blob(memory, mine.shape(), {}, mine.dtype(), [mine](const void*) {});
      },
      "gradients.q has shape (2, 2, 3, 8)", {"read-only memory"});
  expect_refused([](Call& call) { call.gradients.k = call.gradients.k.slice(2, 0, 4); },
                 "gradients.k has shape (2, 2, 4, 8)", {"must have (2, 2, 5, 8)"});
  expect_refused(
      [](Call& call) { call.gradients.v = Tensor::full({2, 1, 5, 8}, 7).expand({2, 2, 5, 8}); },
      "gradients.v has shape (2, 2, 5, 8)", {"rows share memory"});
}

TEST(BackwardRefused, WhatIsLeftToMakeIsNotMade) {
  expect_refused(
      [](Call& call) {
        call.gradients.q = call.gradients.bias = {};
        call.gradients.v = lying_on(call.gradients.k, call.gradients.v);
      },
      "gradients.k shares memory with gradients.v", {});
}

TEST(BackwardRefused, AResultOfAnotherCall) {
  const auto refused = [](auto change, const std::string& differing) {
    expect_refused([&](Call& call) { change(call.options); },
                   "result comes from a call that differs in: " + differing, {"options"});
  };
  refused([](AttentionOptions& options) { options.mask = window(1, 1); }, "mask");
  refused([](AttentionOptions& options) { options.scale = 0.25; }, "scale, softcap");
  refused([](AttentionOptions& options) { options.softcap = 2; }, "scale, softcap");
  refused([](AttentionOptions& options) { options.dropout = 0.4; }, "dropout");
  refused([](AttentionOptions& options) { options.key_lengths = {5, 4}; }, "shapes, lengths");
  refused([](AttentionOptions& options) { options.query_offset = 7; }, "shapes, lengths");
}

TEST(BackwardRefused, InputsThatDontFit) {
  expect_refused([](Call& call) { call.result.lse = {}; }, "result.lse is undefined",
                 {"return_lse"});
  expect_refused([](Call& call) { call.result.output = {}; }, "result.output is undefined", {});
  expect_refused([](Call& call) { call.grad_output = call.grad_output.slice(2, 0, 2); },
                 "grad_output has shape (2, 2, 2, 8)", {"(2, 2, 3, 8)"});
  expect_refused([](Call& call) { call.grad_output = call.grad_output.to(DType::float64); },
                 "grad_output has shape (2, 2, 3, 8) and dtype float64", {"float32"});
  expect_refused([](Call& call) { call.result.lse = call.result.lse.to(DType::float64); },
                 "result.lse has shape (2, 2, 3) and dtype float64", {"float32"});
}

/// merge_into refuses what `spoil` makes of two states, which stay as they were.
template <class Spoil>
void expect_unmerged(Spoil spoil, const std::vector<std::string>& words) {
  Call call;
  AttentionState a = attention_state(call.query, call.key, call.value);
  AttentionState b = attention_state(call.query, call.value, call.key);
  spoil(a, b);
  const std::vector<Tensor*> all{&a.output, &a.maximum, &a.sum, &b.output, &b.maximum, &b.sum};
  const std::vector<Tensor> before = copies(all);
  const std::string text = message_of([&] { merge_into(a, b); });
  EXPECT_TRUE(text.starts_with("merge_into")) << text;
  expect_words(text, words);
  expect_as_before(all, before);
}

TEST(MergeRefused, WritesNothing) {
  using State = AttentionState;
  expect_unmerged([](State& a, State& b) { b.output = a.output; },
                  {"a.output shares memory with b.output"});
  expect_unmerged([](State& a, State& b) { b.maximum = a.maximum; },
                  {"a.maximum shares memory with b.maximum"});
  expect_unmerged([](State& a, State& b) { b.maximum = a.sum; },
                  {"a.sum shares memory with b.maximum"});
  expect_unmerged([](State& a, State&) { a.sum = a.maximum; },
                  {"a.maximum shares memory with a.sum"});
  expect_unmerged([](State& a, State&) { a.sum = a.output.select(3, 0).clone().select(1, 0); },
                  {"a", "sum", "(2, 3)"});
  expect_unmerged([](State&, State& b) { b.output = b.output.slice(2, 0, 2); }, {"b"});
  expect_unmerged(
      [](State&, State& b) {
        b = {b.output.slice(2, 0, 2), b.maximum.slice(2, 0, 2), b.sum.slice(2, 0, 2)};
      },
      {"b has output (2, 2, 2, 8)", "a has (2, 2, 3, 8)", "must match"});
  expect_unmerged(
      [](State&, State& b) {
        b = {b.output.to(DType::float64), b.maximum.to(DType::float64), b.sum.to(DType::float64)};
      },
      {"b has output", "float64", "float32", "must match"});
  expect_unmerged([](State& a, State&) { a.sum = {}; }, {"a", "sum", "undefined"});
  expect_unmerged([](State&, State& b) { b.maximum = {}; }, {"b", "maximum", "undefined"});
  expect_unmerged(
      [](State& a, State&) { a.maximum = a.maximum.transpose(1, 2).contiguous().transpose(1, 2); },
      {"a.maximum", "last stride"});
  expect_unmerged(
      [](State& a, State&) { a.output = Tensor::ones({2, 1, 3, 8}).expand({2, 2, 3, 8}); },
      {"a.output", "rows share memory"});
}

}  // namespace
}  // namespace foveal
