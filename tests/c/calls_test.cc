// What calls of foveal/c.h leave behind: errors of threads, stops, backwards, plans, states, texts.

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <thread>

#include "c/right_call.h"
#include "foveal/plan.h"
#include "foveal/target.h"
#include "foveal/threads.h"
#include "foveal/version.h"

namespace foveal {
namespace {

using CCalls = CEdges;

TEST_F(CCalls, AStopEndsTheCall) {
  const Tensor large = Tensor::ones({4, 8, 300, 16});
  Tensor into = Tensor::zeros({4, 8, 300, 16});
  q = k = v = described(large);
  output = described(into);
  result.lse = nullptr;
  int asked = 0;
  options.stop_user = &asked;
  options.threads = 1;  // so that the caller takes all tasks
  options.stop = [](void* user) { return ++*static_cast<int*>(user) > 2 ? 7 : 0; };
  EXPECT_EQ(call(), FOVEAL_STOPPED);
  EXPECT_EQ(asked, 3);
  EXPECT_STRNE(foveal_last_error(), "");
  foveal_plan* plan = nullptr;
  ASSERT_EQ(foveal_plan_create(query, key, value, &options, &plan), 0) << foveal_last_error();
  options = {};  // the plan has its own
  asked = 0;
  EXPECT_EQ(foveal_plan_run(plan, query, key, value, &result), FOVEAL_STOPPED);
  asked = -1000000;
  EXPECT_EQ(foveal_plan_run(plan, query, key, value, &result), 0) << foveal_last_error();
  EXPECT_GT(asked, -1000000);
  EXPECT_EQ(foveal_plan_destroy(plan), 0);
}

TEST_F(CCalls, ErrorsAreTheThreadsOwn) {
  query = nullptr;
  EXPECT_EQ(call(), FOVEAL_DATA);
  const std::string before = foveal_last_error();
  std::thread([] {
    EXPECT_STREQ(foveal_last_error(), "");
    EXPECT_NE(foveal_set_num_threads(0), 0);
    expect_words(foveal_last_error(), {"threads"});
  }).join();
  EXPECT_EQ(foveal_last_error(), before);
  EXPECT_NE(foveal_version(), 0U);
  EXPECT_EQ(foveal_last_error(), before);  // asking changes nothing
  query = &q;
  EXPECT_EQ(call(), 0);
  EXPECT_STREQ(foveal_last_error(), "");
}

TEST_F(CCalls, ALongErrorIsCut) {
  const std::string name(5000, 'x');
  options.target = name.c_str();
  EXPECT_EQ(call(), FOVEAL_USAGE);
  const std::string text = foveal_last_error();
  EXPECT_LT(text.size(), 2000U);
  EXPECT_TRUE(text.ends_with("xx..."));
}

TEST_F(CCalls, ABackwardOfAnotherCall) {
  ASSERT_EQ(call(), 0);
  foveal_gradients gradients = {};
  Tensor grad = Tensor::full({2, 3, 5, 4}, 9);
  foveal_tensor into = described(grad);
  EXPECT_EQ(foveal_attention_backward(query, query, key, value, &result, &options, &gradients),
            FOVEAL_USAGE);
  expect_words(foveal_last_error(), {"gradients asks for nothing"});
  gradients.query = &into;
  gradients.bias = &more;
  EXPECT_EQ(foveal_attention_backward(query, query, key, value, &result, &options, &gradients),
            FOVEAL_DATA);
  expect_words(foveal_last_error(), {"gradients.bias", "bias is undefined"});
  gradients.bias = nullptr;
  options.mask = "causal";
  EXPECT_EQ(foveal_attention_backward(query, query, key, value, &result, &options, &gradients),
            FOVEAL_DATA);
  expect_words(foveal_last_error(), {"differs in: mask"});
  for (const double number : grad.to_vector()) ASSERT_EQ(number, 9);
  std::memset(result.plan, 0, sizeof result.plan);  // put together by hand
  EXPECT_EQ(foveal_attention_backward(query, query, key, value, &result, &options, &gradients), 0)
      << foveal_last_error();
  gradients.add = 1;
  const double once = grad.at({0, 0, 1, 0});
  grad.fill_(3);
  EXPECT_EQ(foveal_attention_backward(query, query, key, value, &result, &options, &gradients), 0);
  EXPECT_NEAR(grad.at({0, 0, 1, 0}), 3 + once, 1e-5);
  gradients.reserved = 1;
  EXPECT_EQ(foveal_attention_backward(query, query, key, value, &result, &options, &gradients),
            FOVEAL_USAGE);
}

TEST_F(CCalls, PlansOfOtherShapes) {
  q.data = k.data = v.data = nullptr;  // not read
  foveal_plan* plan = nullptr;
  ASSERT_EQ(foveal_plan_create(query, key, value, &options, &plan), 0) << foveal_last_error();
  q = k = v = described(x);
  q.shape[2] = 4;
  EXPECT_EQ(foveal_plan_run(plan, query, key, value, &result), FOVEAL_DATA);
  expect_words(foveal_last_error(), {"foveal_plan_run: query", "make a plan for this shape"});
  q = described(x);
  k.shape[2] = v.shape[2] = 4;
  EXPECT_EQ(foveal_plan_run(plan, query, key, value, &result), FOVEAL_DATA);
  EXPECT_EQ(std::string(foveal_last_error()).find("set_lengths"), std::string::npos);
  EXPECT_EQ(foveal_plan_destroy(plan), 0);
  options.mask = "prefix(99)";
  plan = reinterpret_cast<foveal_plan*>(&options);
  EXPECT_EQ(foveal_plan_create(query, key, value, &options, &plan), FOVEAL_DATA);
  EXPECT_EQ(plan, nullptr);
  k.dtype = FOVEAL_FLOAT16;
  EXPECT_EQ(foveal_plan_create(query, key, value, &options, &plan), FOVEAL_DATA);
  expect_words(foveal_last_error(), {"key has dtype float16 but query has float32"});
}

TEST_F(CCalls, StatesHaveNoWeights) {
  Tensor sums = Tensor::zeros({2, 3, 5}), maxima = Tensor::zeros({2, 3, 5});
  foveal_tensor sum = described(sums), maximum = described(maxima);
  foveal_partial state = {&output, &maximum, &sum};
  ASSERT_EQ(foveal_state(query, key, value, &options, &state), 0) << foveal_last_error();
  result.output = &more;
  EXPECT_EQ(foveal_state_finish(&state, &result), FOVEAL_DATA);
  expect_words(foveal_last_error(), {"foveal_state_finish: output has shape (2, 3, 5, 5)"});
  result = {};
  EXPECT_EQ(foveal_state_finish(&state, &result), FOVEAL_USAGE);
  result.lse = &lse;
  EXPECT_EQ(foveal_state_finish(&state, &result), 0) << foveal_last_error();
  result.weights = &more;
  EXPECT_EQ(foveal_state_finish(&state, &result), FOVEAL_DATA);
  expect_words(foveal_last_error(), {"weights", "a state has none"});
  EXPECT_EQ(foveal_state_merge(&state, &state), FOVEAL_DATA);
  expect_words(foveal_last_error(), {"a.output shares memory with b.output"});
}

TEST_F(CCalls, SizesOfZero) {
  const Tensor empty = Tensor::zeros({2, 3, 0, 4});
  k = v = described(empty);
  k.data = v.data = nullptr;
  EXPECT_EQ(call(), 0) << foveal_last_error();  // no keys: zeros
  EXPECT_EQ(room.at({1, 2, 4, 3}), 0);
  q = output = k;
  lse.shape[2] = 0;
  lse.data = nullptr;
  EXPECT_EQ(call(), 0) << foveal_last_error();
}

TEST_F(CCalls, Texts) {
  std::size_t length = 0;
  ASSERT_EQ(foveal_targets(nullptr, 0, &length), 0);
  std::string text(length + 1, 'x');
  ASSERT_EQ(foveal_targets(text.data(), text.size(), nullptr), 0);
  std::string lines;
  for (const std::string& name : targets()) lines += name + "\n";
  EXPECT_EQ(text.c_str(), lines);
  char small[9] = "xxxxxxxx";
  length = 0;
  EXPECT_EQ(foveal_targets(small, 9, &length), FOVEAL_DATA);
  EXPECT_EQ(length, lines.size());
  EXPECT_STREQ(small, "xxxxxxxx");
  EXPECT_EQ(foveal_targets(nullptr, 9, &length), FOVEAL_USAGE);

  foveal_plan* plan = nullptr;
  ASSERT_EQ(foveal_plan_create(query, key, value, &options, &plan), 0);
  ASSERT_EQ(foveal_plan_explain(plan, nullptr, 0, &length), 0);
  text.assign(length + 1, 'x');
  ASSERT_EQ(foveal_plan_explain(plan, text.data(), length + 1, &length), 0) << foveal_last_error();
  EXPECT_EQ(text.c_str(),
            plan_attention(x.shape(), x.shape(), x.shape(), DType::float32).explain());
  EXPECT_EQ(foveal_plan_destroy(plan), 0);
}

TEST(CLibrary, VersionAndThreads) {
  EXPECT_EQ(foveal_version(),
            FOVEAL_VERSION_MAJOR * 65536U + FOVEAL_VERSION_MINOR * 256U + FOVEAL_VERSION_PATCH);
  const int before = num_threads();
  EXPECT_EQ(foveal_set_num_threads(2), 0);
  EXPECT_EQ(num_threads(), 2);
  EXPECT_EQ(foveal_set_num_threads(1025), FOVEAL_DATA);
  EXPECT_EQ(foveal_set_num_threads(before), 0);
}

}  // namespace
}  // namespace foveal
