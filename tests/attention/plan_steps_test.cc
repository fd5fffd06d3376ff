// A plan beyond run: backward, state, other lengths, results of other plans; stop and threads.

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "attention/backward_cases.h"
#include "case_count.h"
#include "errors.h"
#include "foveal/plan.h"
#include "foveal/threads.h"

namespace foveal {
namespace {

Plan plan_for(const Case& one) {
  return plan_attention(one.query.shape(), one.key.shape(), one.value.shape(), one.query.dtype(),
                        one.options);
}

TEST(PlanSteps, BackwardAndStateAreThoseOfTheFreeFunctions) {
  for (unsigned seed = 0; seed < case_count(20); ++seed) {
    Cases cases(seed);
    const BackwardCase one =
        make_backward_case(cases, seed % 2 == 0 ? DType::float32 : DType::bfloat16);
    const auto& [query, key, value, options] = one.forward;
    const Plan plan = plan_for(one.forward);
    const AttentionResult result = plan.run(query, key, value);
    expect_equal_bits(plan.backward(one.grad_output, query, key, value, result),
                      attention_backward(one.grad_output, query, key, value, result, options));
    const AttentionState state = plan.state(query, key, value);
    const AttentionState other = attention_state(query, key, value, options);
    EXPECT_TRUE(equal(state.maximum, other.maximum));
    if (HasFatalFailure()) FAIL() << seed;
  }
}

/// A call with each option that gradients depend on.
struct Asked {
  Cases cases{3};
  Tensor query = cases.normal({2, 2, 6, 8}).to(DType::float32);
  Tensor key = cases.normal({2, 2, 6, 8}).to(DType::float32);
  AttentionOptions options;

  Asked() { options.return_lse = true; }

  /// What a backward with `other` says to the result of a forward with `options`.
  std::string complaint(const AttentionOptions& other) const {
    const AttentionResult result = attention(query, key, key, options);
    return message_of([&] { attention_backward(query, query, key, key, result, other); });
  }
};

TEST(PlanSteps, BackwardRefusesAnotherPlansResult) {
  Asked asked;
  EXPECT_EQ(asked.complaint(asked.options), "no error");
  const auto but = [&](const std::function<void(AttentionOptions&)>& change) {
    AttentionOptions other = asked.options;
    change(other);
    return asked.complaint(other);
  };
  expect_words(but([](AttentionOptions& o) { o.mask = causal(); }), {"differs in: mask:"});
  expect_words(but([](AttentionOptions& o) { o.scale = 2; }), {"differs in: scale"});
  expect_words(but([](AttentionOptions& o) { o.softcap = 2; }), {"softcap"});
  expect_words(but([](AttentionOptions& o) { o.dropout = 0.5; }), {"differs in: dropout:"});
  expect_words(but([](AttentionOptions& o) { o.key_lengths = {6, 5}; }), {"lengths"});
  expect_words(but([](AttentionOptions& o) { o.query_offset = 3; }), {"offsets"});
  expect_words(but([](AttentionOptions& o) { o.sinks = Tensor::ones({2}); }), {"sinks"});
  // What gradients don't depend on.
  EXPECT_EQ(but([](AttentionOptions& o) { o.target = "portable"; }), "no error");
  EXPECT_EQ(but([](AttentionOptions& o) { o.threads = 1; }), "no error");
  EXPECT_EQ(but([](AttentionOptions& o) { o.return_weights = true; }), "no error");
}

TEST(PlanSteps, MasksOfOtherNumbersAreOtherMasks) {
  Asked asked;
  Tensor seen = Tensor::ones({6, 6}, DType::boolean);
  using Ids = std::vector<std::int64_t>;
  const std::pair<Mask, Mask> pairs[] = {
      {window(2, 0), window(3, 0)},
      {document(Ids{0, 0, 0, 1, 1, 1}), document(Ids{0, 0, 1, 1, 1, 1})},
      {padding({6, 5}), padding({5, 6})},
      {causal() & window(2, 0), causal() | window(2, 0)},
      {!window(2, 0), window(2, 0)}};
  for (const auto& [one, other] : pairs) {
    asked.options.mask = one;
    EXPECT_EQ(asked.complaint({.mask = one, .return_lse = true}), "no error");
    expect_words(asked.complaint({.mask = other, .return_lse = true}), {"differs in: mask"});
  }
  asked.options.mask = dense(seen);
  const AttentionResult result = attention(asked.query, asked.key, asked.key, asked.options);
  seen.set({3, 2}, 0);
  expect_words(message_of([&] {
                 attention_backward(asked.query, asked.query, asked.key, asked.key, result,
                                    asked.options);
               }),
               {"differs in: mask"});
}

TEST(PlanSteps, ResultsPutTogetherByHandAreNotChecked) {
  Asked asked;
  const AttentionResult result = attention(asked.query, asked.key, asked.key, asked.options);
  AttentionResult own;
  own.output = result.output;
  own.lse = result.lse;
  const AttentionOptions other{.mask = causal(), .return_lse = true};
  EXPECT_EQ(message_of([&] {
              attention_backward(asked.query, asked.query, asked.key, asked.key, own, other);
            }),
            "no error");
}

TEST(PlanSteps, WhatAStateIsFinishedIntoIsOfNoPlan) {
  Asked asked;
  AttentionResult result = attention(asked.query, asked.key, asked.key, asked.options);
  const AttentionOptions narrower{.mask = causal(), .return_lse = true};
  finish_into(result, attention_state(asked.query, asked.key, asked.key, narrower));
  const AttentionResult want = attention(asked.query, asked.key, asked.key, narrower);
  const auto backward = [&](const AttentionResult& of) {
    return attention_backward(asked.query, asked.query, asked.key, asked.key, of, narrower);
  };
  EXPECT_TRUE(allclose(backward(result).q, backward(want).q, 1e-4, 1e-5));
  EXPECT_EQ(result.plan, PlanFingerprint());
}

TEST(PlanSteps, LengthsMayChangeWithinThePlan) {
  Cases cases(5);
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    const std::int64_t most = 150;
    const Tensor query = cases.normal({2, 4, 1, 16}).to(dtype);
    const Tensor keys = cases.normal({2, 2, most, 16}).to(dtype);
    AttentionOptions options;
    options.mask = causal(Corner::bottom_right) & window(60, -1);
    options.return_lse = true;
    Plan plan = plan_attention(query.shape(), keys.shape(), keys.shape(), dtype, options);
    const Plan before = plan;
    for (const std::int64_t length : {1L, 63L, 64L, 65L, 130L, most, 0L, 17L}) {
      plan.set_lengths(length);
      const Tensor key = keys.narrow(2, 0, length);
      const AttentionResult want = attention(query, key, key, options);
      const AttentionResult got = plan.run(query, key, key);
      EXPECT_TRUE(equal(got.output, want.output)) << length;
      EXPECT_TRUE(equal(got.lse, want.lse)) << length;
    }
    plan.set_lengths(most, {most, 12});
    AttentionOptions padded = options;
    padded.key_lengths = {most, 12};
    EXPECT_TRUE(
        equal(plan.run(query, keys, keys).output, attention(query, keys, keys, padded).output));
    EXPECT_TRUE(
        equal(before.run(query, keys, keys).output, attention(query, keys, keys, options).output));
  }
}

TEST(PlanSteps, LengthsPastThePlanAreRefused) {
  const Shape query{2, 2, 1, 8}, key{2, 2, 9, 8};
  Plan plan = plan_attention(query, key, key, DType::float32);
  const std::string text = plan.explain();
  expect_words(message_of([&] { plan.set_lengths(10); }), {"key_length is 10", "from 0 to 9"});
  expect_words(message_of([&] { plan.set_lengths(-1); }), {"key_length is -1"});
  expect_words(message_of([&] { plan.set_lengths(8, {8, 9}); }), {"key_lengths[1] is 9"});
  expect_words(message_of([&] { plan.set_lengths(8, {8}); }), {"key_lengths has 1"});
  EXPECT_EQ(plan.explain(), text);
  plan.set_lengths(3);
  plan.set_lengths(9);
  EXPECT_EQ(plan.explain(), text);
  AttentionOptions packed;
  packed.query_starts = packed.key_starts = {0, 1};
  Plan other = plan_attention({1, 1, 1, 8}, {1, 1, 1, 8}, {1, 1, 1, 8}, DType::float32, packed);
  expect_words(message_of([&] { other.set_lengths(1); }), {"packed"});
}

/// Says stop when it has been asked so often; remembers who asked.
struct Stop {
  int after = 0;
  int asked = 0;
  std::thread::id thread = std::this_thread::get_id();
  bool elsewhere = false;

  static bool ask(void* user) {
    Stop& self = *static_cast<Stop*>(user);
    self.elsewhere = self.elsewhere || std::this_thread::get_id() != self.thread;
    return ++self.asked > self.after;
  }
};

TEST(PlanSteps, StopEndsACall) {
  Cases cases(1);
  const Tensor x = cases.normal({2, 4, 300, 16}).to(DType::float32);
  for (const int threads : {1, 3}) {
    Stop stop;
    stop.after = 1 << 30;
    AttentionOptions options;
    options.return_lse = true;
    options.threads = threads;
    options.stop = Stop::ask;
    options.stop_user = &stop;
    const AttentionResult whole = attention(x, x, x, options);
    EXPECT_GT(stop.asked, 0);
    EXPECT_FALSE(stop.elsewhere);
    EXPECT_TRUE(equal(whole.output, attention(x, x, x).output));
    for (const int after : {0, threads == 1 ? 2 : 0}) {
      stop.after = after;
      stop.asked = 0;
      try {
        attention(x, x, x, options);
        ADD_FAILURE() << "went on: " << threads << " threads, " << after << ", " << stop.asked;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), ErrorKind::stopped);
        EXPECT_EQ(std::string(error.what()).find("attention: stopped"), 0U) << error.what();
      }
      stop.asked = 0;
      EXPECT_THROW(attention_backward(x, x, x, x, whole, options), Error);
      stop.asked = 0;
      EXPECT_THROW(attention_state(x, x, x, options), Error);
      EXPECT_FALSE(stop.elsewhere);
    }
    // The next call is none the worse.
    EXPECT_TRUE(equal(whole.output, attention(x, x, x).output));
  }
}

TEST(PlanSteps, StopIsAskedOnTheCallersThreadUnderAHostsRunnerToo) {
  const auto runner = [](std::int64_t count, ParallelBody body, void* context, void*) {
    std::thread other([&] {
      for (std::int64_t n = 1; n < count; n += 2) body(context, n);
    });
    other.join();  // first, while nothing is stopped
    for (std::int64_t n = 0; n < count; n += 2) body(context, n);
  };
  set_parallel_runner(runner);
  Cases cases(1);
  const Tensor x = cases.normal({2, 4, 300, 16}).to(DType::float32);
  Stop stop;
  stop.after = 1;
  AttentionOptions options;
  options.threads = 2;
  options.stop = Stop::ask;
  options.stop_user = &stop;
  EXPECT_THROW(attention(x, x, x, options), Error);
  EXPECT_FALSE(stop.elsewhere);
  set_parallel_runner(nullptr);
}

TEST(PlanSteps, ThreadsAreThoseOfTheCall) {
  static std::atomic<int> runs{0};
  set_parallel_runner([](std::int64_t count, ParallelBody body, void* context, void*) {
    ++runs;
    for (std::int64_t n = 0; n < count; ++n) body(context, n);
  });
  Cases cases(1);
  const Tensor x = cases.normal({2, 4, 300, 16}).to(DType::float32);
  AttentionOptions options;
  options.threads = 1;  // then no runner is called
  runs = 0;
  const Tensor one = attention(x, x, x, options).output;
  EXPECT_EQ(runs, 0);
  options.threads = 3;
  EXPECT_TRUE(equal(attention(x, x, x, options).output, one));
  EXPECT_GT(runs, 0);
  set_parallel_runner(nullptr);
  options.threads = -1;
  expect_words(message_of([&] { attention(x, x, x, options); }), {"threads is -1"});
}

/// What four threads get of one plan, each into tensors of its own, and of a copy that learns other
/// lengths meanwhile.
void expect_served(const Tensor& query, const Tensor& key, const Tensor& value,
                   const AttentionOptions& options) {
  const Plan plan =
      plan_attention(query.shape(), key.shape(), value.shape(), query.dtype(), options);
  const AttentionResult want = plan.run(query, key, value);
  const AttentionState state = plan.state(query, key, value);
  const AttentionGradients gradients = plan.backward(query, query, key, value, want);
  const bool grows = options.query_starts.empty();
  const std::int64_t fewer = key.size(2) - 20;
  const Tensor first = key.narrow(2, 0, fewer), values = value.narrow(2, 0, fewer);
  const AttentionResult shorter =
      grows ? attention(query, first, values, options) : AttentionResult();
  std::atomic<int> wrong{0};
  const auto serve = [&] {
    Plan own = plan;
    AttentionResult result = plan.run(query, key, value);
    AttentionGradients into = plan.backward(query, query, key, value, result);
    for (int round = 0; round < 3; ++round) {
      plan.run_into(result, query, key, value);
      plan.backward_into(into, query, query, key, value, result);
      const bool same = equal(result.output, want.output) && equal(result.lse, want.lse) &&
                        equal(into.q, gradients.q) && equal(into.k, gradients.k) &&
                        equal(into.v, gradients.v) &&
                        equal(plan.state(query, key, value).sum, state.sum);
      if (!same) ++wrong;
      if (!grows) continue;
      own.set_lengths(fewer);
      if (!equal(own.run(query, first, values).output, shorter.output)) ++wrong;
      own.set_lengths(key.size(2));
      if (!equal(own.run(query, key, value).output, want.output)) ++wrong;
    }
  };
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) threads.emplace_back(serve);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

TEST(PlanSteps, OnePlanServesSeveralThreads) {
  Cases cases(2);
  const auto normal = [&](const Shape& shape) { return cases.normal(shape).to(DType::float32); };
  AttentionOptions options{.mask = causal(Corner::bottom_right), .return_lse = true};
  const Tensor key = normal({2, 2, 150, 16}), value = normal({2, 2, 150, 16});
  expect_served(normal({2, 4, 100, 16}), key, value, options);  // tiles
  expect_served(normal({2, 4, 2, 16}), key, value, options);    // decodes
  options.query_starts = {0, 70, 72};
  options.key_starts = {0, 60, 150};
  expect_served(normal({1, 4, 72, 16}), normal({1, 2, 150, 16}), normal({1, 2, 150, 16}), options);
}

TEST(PlanSteps, WhatACallNeedsIsCheckedAtItsDoor) {
  // 10^6 queries by 10^6 keys: weights of 4 TB, refused before any work.
  const Tensor x = Tensor::zeros({1, 1, 1000000, 1});
  AttentionOptions options;
  options.return_weights = true;
  expect_words(message_of([&] { attention(x, x, x, options); }),
               {"attention: results take", "GB", "ask for less"});
}

TEST(PlanSteps, BackwardDrawsWhatTheForwardDrew) {
  Cases cases(1);
  const Tensor query = cases.normal({1, 2, 3, 8}), key = cases.normal({1, 2, 10, 8});
  AttentionOptions options;
  options.return_lse = true;
  options.dropout = 0.5;
  const AttentionResult result = attention(query, key, key, options);
  options.query_offset = 7;  // where the queries stand anyway, but draws count from it
  EXPECT_THROW(attention_backward(query, query, key, key, result, options), Error);
  options.query_offset.reset();
  options.scale = 1 / std::sqrt(8.0);  // what it is without being said
  attention_backward(query, query, key, key, result, options);
}

}  // namespace
}  // namespace foveal
