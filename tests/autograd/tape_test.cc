// What a program sees of the record: leaves, backward, errors, threads, memory.

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>

#include "foveal/foveal.h"
#include "tensor/operation.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::expect_error;

Tensor leaf(const NestedList& values) { return tensor(values, DType::float64).requires_grad_(); }

TEST(Tape, TheReadmesExample) {
  const Tensor x = tensor({{1.0, 2.0, 3.0}}), target = tensor({{0.0, 1.0}});
  Tensor w = tensor({{0.1, 0.2}, {0.3, 0.4}, {0.5, 0.6}}).requires_grad_();
  const Tensor loss = sum(softmax(matmul(x, w), -1) * target);
  EXPECT_TRUE(loss.requires_grad() && !loss.is_leaf() && w.is_leaf());
  EXPECT_FALSE(w.grad().defined());
  loss.backward();
  EXPECT_EQ(w.grad().shape(), w.shape());
  EXPECT_EQ(w.grad().dtype(), DType::float32);
  const double p = 1 / (1 + std::exp(0.6));  // the scores differ by 0.6
  EXPECT_NEAR(w.grad().at({2, 1}), 3 * p * (1 - p), 1e-6);
  EXPECT_NEAR(w.grad().at({2, 0}), -3 * p * (1 - p), 1e-6);
}

TEST(Tape, GradientsAddUpUntilTheyAreZeroed) {
  Tensor w = leaf({1.0, 2.0});
  const Tensor handle = w;
  for (int n = 1; n <= 3; ++n) {
    sum(w * w).backward();
    EXPECT_EQ(handle.grad().to_vector(), (std::vector<double>{2.0 * n, 4.0 * n}));
  }
  w.zero_grad();
  EXPECT_FALSE(handle.grad().defined());
}

TEST(Tape, LeavesKeepMemoryOfTheirOwn) {
  Tensor a = leaf({1.0, 2.0}), b = leaf({3.0, 4.0});
  const Tensor both = a + b;
  const Tensor given = tensor({1.0, 1.0}, DType::float64);
  both.backward(given, true);
  EXPECT_FALSE(a.grad().shares_storage(b.grad()) || a.grad().shares_storage(given));
  (both + a * 2.0).backward(given);
  EXPECT_EQ(a.grad().to_vector(), (std::vector<double>{4, 4}));
  EXPECT_EQ(b.grad().to_vector(), (std::vector<double>{2, 2}));
  EXPECT_EQ(given.to_vector(), (std::vector<double>{1, 1}));
}

TEST(Tape, ATensorUsedInManyPlacesGetsAllTheirGradients) {
  Tensor x = leaf({0.5});
  Tensor y = x;
  for (int n = 0; n < 10; ++n) y = y + y * x;  // x (1 + x)^10
  sum(y).backward();
  EXPECT_NEAR(x.grad().item(), std::pow(1.5, 10) + 5 * std::pow(1.5, 9), 1e-9);
}

TEST(Tape, AGradientThatIsZeroIsThere) {
  Tensor w = leaf({1.0, 2.0}), v = leaf({3.0, 4.0});
  Tensor filled = v * 2.0;
  filled.fill_(1);
  sum(pow(w, 0) + filled).backward();
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{0, 0}));
  EXPECT_EQ(v.grad().to_vector(), (std::vector<double>{0, 0}));
}

TEST(Tape, NotEverythingRequiresAGradient) {
  Tensor w = leaf({1.0, 2.0});
  EXPECT_FALSE(tensor({1.0}).requires_grad());
  EXPECT_FALSE(gt(w, 1.0).requires_grad());
  EXPECT_FALSE(w.to(DType::int64).requires_grad());
  EXPECT_FALSE(w.detach().requires_grad());
  EXPECT_TRUE(w.detach().shares_storage(w));
  w.requires_grad_(false);
  EXPECT_FALSE((w * 2.0).requires_grad());
  expect_error([] { tensor({1, 2}).requires_grad_(); }, {"requires_grad_", "int64", "to(float32)"});
  Tensor made = leaf({1.0}) * 2.0;
  expect_error([&] { made.requires_grad_(false); }, {"multiply", "leaf", "detach"});
}

TEST(Tape, NoGradRecordsNothingInItsThreadAlone) {
  Tensor w = leaf({1.0});
  const NoGrad off;
  EXPECT_FALSE((w * 2.0).requires_grad());
  {
    const NoGrad inner;
  }
  EXPECT_FALSE((w * 2.0).requires_grad());
  bool recorded = false;
  std::thread other([&] { recorded = (w * 2.0).requires_grad(); });
  other.join();
  EXPECT_TRUE(recorded);
}

TEST(Tape, BackwardNeedsAScalarOrAGradient) {
  Tensor w = leaf({1.0, 2.0});
  expect_error([&] { (w * w).backward(); }, {"backward", "(2)", "one element", "sum"});
  expect_error([&] { (w * w).backward(tensor({1.0}, DType::float64)); },
               {"(1)", "(2)", "the same"});
  expect_error([&] { (w * w).backward(tensor({1.0, 1.0})); }, {"float32", "float64"});
  expect_error([&] { tensor({1.0}).backward(); }, {"requires no gradient", "requires_grad_()"});
  expect_error([&] { Tensor().backward(); }, {"undefined"});
  (w * w).backward(tensor({1.0, 10.0}, DType::float64));
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{2, 40}));
  expect_error([&] { sum(w.grad()).backward(); }, {"requires no gradient"});
  expect_error([&] { w.grad().backward(tensor({1.0, 1.0}, DType::float64)); },
               {"is a gradient", "second derivatives"});
}

TEST(Tape, ASecondBackwardNeedsTheFirstToRetain) {
  Tensor w = leaf({2.0});
  const Tensor loss = sum(exp(w));
  loss.backward({}, true);
  loss.backward();
  EXPECT_DOUBLE_EQ(w.grad().item(), 2 * std::exp(2.0));
  expect_error([&] { loss.backward(); }, {"sum", "let go", "retain_graph = true"});
  EXPECT_DOUBLE_EQ(w.grad().item(), 2 * std::exp(2.0));
}

TEST(Tape, ASavedTensorThatWasWrittenIsAnError) {
  Tensor a = tensor({1.0, 2.0}, DType::float64), w = leaf({3.0, 4.0});
  Tensor product = a * w;
  a.fill_(5);
  expect_error([&] { sum(product).backward(); },
               {"multiply", "input 0", "version 0", "is at 1", "clone()"});
  EXPECT_FALSE(w.grad().defined());
  Tensor power = exp(w);
  power.set({0}, 1);
  expect_error([&] { sum(power).backward(); }, {"exp", "output", "version 0", "at 1"});
  // What isn't read may change.
  Tensor sum_of = a + w;
  a.fill_(6);
  sum(sum_of).backward();
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{1, 1}));
}

TEST(Tape, LeavesAreWrittenUnderNoGradAlone) {
  Tensor w = leaf({{1.0, 2.0}, {3.0, 4.0}});
  const std::vector<std::function<void()>> writes = {
      [&] { w.fill_(1); },
      [&] { w.copy_(w.detach() + 1.0); },
      [&] { w.masked_fill_(gt(w, 1.0), 0); },
      [&] { w.select(0, 1).transpose(0, 0).fill_(2); },
      [&] { w.set({0, 0}, 3); },
  };
  for (const auto& write : writes) {
    const std::uint64_t version = w.version();
    expect_error(write, {"leaf that requires a gradient", "NoGrad", "clone()"});
    EXPECT_EQ(w.version(), version);
    const NoGrad off;
    write();
    EXPECT_EQ(w.version(), version + 1);
    EXPECT_TRUE(w.requires_grad() && w.is_leaf());
  }
}

TEST(Tape, AWriteMakesATensorPartOfTheRecord) {
  Tensor w = leaf({1.0, 2.0});
  Tensor out = Tensor::zeros({3, 2}, DType::float64);
  const Tensor before = out.select(0, 1);
  EXPECT_FALSE(before.requires_grad());
  out.slice(0, 1, 2).copy_(w * 3.0);
  EXPECT_TRUE(out.requires_grad() && before.requires_grad() && !before.is_leaf());
  (sum(out) + sum(before)).backward();
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{6, 6}));
  expect_error([&] { gradients({sum(out)}, {before}); }, {"inputs[0]", "view", "written in place"});
}

TEST(Tape, GradientsTouchNoGrad) {
  Tensor a = leaf({1.0, 2.0}), b = leaf({3.0, 4.0}), unused = leaf({5.0});
  const Tensor middle = a * b, loss = sum(middle * middle), other = sum(b) + sum(unused) * 0.0;
  const std::vector<Tensor> grads = gradients({loss, other}, {a, middle, b, a}, true);
  EXPECT_EQ(grads[0].to_vector(), (std::vector<double>{18, 64}));
  EXPECT_EQ(grads[1].to_vector(), (std::vector<double>{6, 16}));
  EXPECT_EQ(grads[2].to_vector(), (std::vector<double>{7, 33}));
  EXPECT_EQ(grads[3].to_vector(), grads[0].to_vector());
  EXPECT_FALSE(a.grad().defined() || b.grad().defined());
  EXPECT_FALSE(gradients({loss}, {unused}, true)[0].defined());
  expect_error([&] { gradients({loss}, {tensor({1.0})}); }, {"inputs[0]", "requires no gradient"});
  expect_error([&] { gradients({middle}, {a}); }, {"outputs[0]", "(2)", "one element"});
  expect_error([&] { sum(grads[0]).backward(); }, {"requires no gradient"});
  expect_error([&] { grads[0].backward(grads[0]); }, {"is a gradient"});
  loss.backward();
  EXPECT_EQ(a.grad().to_vector(), grads[0].to_vector());
}

/// The sum's gradient goes to `a`, and to exp, which comes after `a * 2` added to that of `a`.
TEST(Tape, WhatALeafKeepsIsNotWhatOthersStillRead) {
  Tensor a = leaf({1.0, 2.0}), b = leaf({0.0, 0.0});
  const Tensor power = exp(b), twice = a * 2.0, both = a + power;
  sum((both + twice) * 3.0).backward();
  EXPECT_EQ(a.grad().to_vector(), (std::vector<double>{9, 9}));
  EXPECT_EQ(b.grad().to_vector(), (std::vector<double>{3, 3}));
}

TEST(Tape, AGradientThatIsGivenMayBeTheOneThatIsAddedTo) {
  Tensor w = leaf({{1.0, 2.0}, {3.0, 4.0}});
  w.backward(tensor({{1.0, 2.0}, {3.0, 4.0}}, DType::float64));
  w.transpose(0, 1).backward(w.grad());
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{2, 5, 5, 8}));
}

TEST(Tape, GradientsHaveMemoryOfTheirOwn) {
  Tensor a = leaf({1.0, 2.0}), b = leaf({3.0, 4.0});
  const Tensor both = a + b;
  std::vector<Tensor> grads = gradients({sum(both)}, {a, b, both, a});
  for (Tensor& grad : grads) {
    EXPECT_EQ(grad.to_vector(), (std::vector<double>{1, 1}));
    grad.fill_(5);  // a repeated number could not be written
  }
  grads[0].fill_(7);
  EXPECT_EQ(grads[1].to_vector(), (std::vector<double>{5, 5}));
  EXPECT_EQ(grads[3].to_vector(), (std::vector<double>{5, 5}));
}

TEST(Tape, RetainGradKeepsThatOfAResult) {
  Tensor w = leaf({1.0, 2.0});
  Tensor square = w * w;
  square.retain_grad();
  const Tensor unkept = square * 3.0;
  sum(unkept).backward();
  EXPECT_EQ(square.grad().to_vector(), (std::vector<double>{3, 3}));
  EXPECT_FALSE(unkept.grad().defined());
  expect_error([] { tensor({1.0}).retain_grad(); }, {"retain_grad", "requires no gradient"});
}

/// Has no gradient, and sees whether its insides are recorded.
class Probe final : public OperationOf<Probe> {
 public:
  const char* name() const override { return "probe"; }
  Form form(Inputs inputs) const override { return {inputs[0].shape(), inputs[0].dtype()}; }
  void compute(Inputs inputs, Tensor& out) const override {
    EXPECT_FALSE(inputs[0].unsqueeze(0).requires_grad());
    out.fill_(0);
  }
  bool has_gradient() const override { return false; }
  Tensors gradient(const Recorded&) const override { return {}; }
};

TEST(Tape, WhatRunsInsideAnOperationIsNotRecorded) {
  EXPECT_FALSE(apply(Probe(), {leaf({1.0})}).requires_grad());
}

TEST(Tape, AGraphOf200000OperationsRunsAndIsFreed) {
  constexpr int kDeep = 200000;
  Tensor w = leaf({1.0});
  {
    Tensor y = w;
    for (int n = 0; n < kDeep; ++n) y = n % 2 == 0 ? y + y : y * 0.5;
    y.backward();
    EXPECT_EQ(w.grad().item(), 1);
  }
  Tensor y = w;
  for (int n = 0; n < kDeep; ++n) y = y + y;  // freed without a backward
}

TEST(Tape, SavedMemoryIsLetGoOfAsTheBackwardPasses) {
  constexpr int kSteps = 50;
  static int alive = 0;
  alive = 0;
  static bool reached_first = false;
  Tensor w = leaf({1.0});
  std::vector<double> numbers(kSteps, 1.5);
  std::vector<int> alive_when_freed;
  Tensor y = w;
  for (int n = 0; n < kSteps; ++n) {
    ++alive;
    y = y * Tensor::from_blob(&numbers[n], {1}, {}, DType::float64, [&, n](void*) {
          --alive;
          alive_when_freed.push_back(alive);
          reached_first = reached_first || n == 0;
          // The first operation's gradient comes last; the leaf has none while later ones go.
          EXPECT_TRUE(n == 0 || !w.grad().defined()) << n;
        });
  }
  EXPECT_EQ(alive, kSteps);
  y.backward();
  EXPECT_EQ(alive, 0);
  EXPECT_TRUE(reached_first);
  for (int n = 0; n < kSteps; ++n) EXPECT_EQ(alive_when_freed[n], kSteps - 1 - n);
}

TEST(Tape, ThreadsRecordAndRunAtOnce) {
  Tensor w = leaf({1.0, 2.0, 3.0});
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&w] {
      for (int n = 0; n < 100; ++n) sum(exp(w * 0.0) * w).backward();
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(w.grad().to_vector(), (std::vector<double>{400, 400, 400}));
}

TEST(Tape, ABatchOfOneGraphRunsTwiceAtOnce) {
  Tensor w = leaf({1.0});
  const Tensor loss = sum(exp(w));
  std::vector<std::thread> threads;
  for (int n = 0; n < 4; ++n) threads.emplace_back([&] { loss.backward({}, true); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_NEAR(w.grad().item(), 4 * std::exp(1.0), 1e-12);
}

/// The first to finish lets go of what was saved: the others find it, or say that it's gone.
TEST(Tape, OneGraphMayRunInManyThreadsWithoutRetaining) {
  for (int round = 0; round < 50; ++round) {
    Tensor w = leaf({1.0, 2.0});
    const Tensor shared = exp(w) * w;
    std::atomic<int> done{0};
    std::vector<std::thread> threads;
    for (int n = 0; n < 3; ++n) {
      threads.emplace_back([&] {
        const Tensor loss = sum(shared * 2.0);
        try {
          loss.backward();
          ++done;
        } catch (const Error& error) {
          EXPECT_NE(std::string(error.what()).find("let go of"), std::string::npos);
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_GE(done, 1);
  }
}

TEST(Tape, ThreadsMayFreeWhatTheyShare) {
  for (int round = 0; round < 50; ++round) {
    Tensor w = leaf({1.0});
    Tensor shared = w;
    for (int n = 0; n < 20; ++n) shared = shared * w;
    std::vector<std::thread> threads;
    for (int n = 0; n < 3; ++n) {
      threads.emplace_back([loss = shared + 1.0]() mutable {
        loss.backward({}, true);
        loss = Tensor();
      });
    }
    shared = Tensor();
    for (std::thread& thread : threads) thread.join();
  }
}

TEST(CheckGradients, PutsBackWhatAnErrorLeaves) {
  const Tensor x = tensor({0.3, 0.7}, DType::float64);
  int calls = 0;
  const auto fails = [&calls](const std::vector<Tensor>& in) {
    if (++calls == 3) throw Error("in the middle");
    return in[0] * 2.0;
  };
  expect_error([&] { check_gradients(fails, {x}); }, {"in the middle"});
  EXPECT_EQ(x.to_vector(), (std::vector<double>{0.3, 0.7}));
}

TEST(CheckGradients, InputsMayShareMemory) {
  const Tensor x = tensor({0.3, 0.7}, DType::float64);
  const auto product = [](const std::vector<Tensor>& in) { return in[0] * in[1]; };
  EXPECT_TRUE(check_gradients(product, {x, x}).agrees);
  EXPECT_TRUE(check_gradients(product, {x, x.slice(0, 0, 1)}).agrees);
  EXPECT_EQ(x.to_vector(), (std::vector<double>{0.3, 0.7}));
}

TEST(CheckGradients, FindsAGradientThatIsWrong) {
  const Tensor x = tensor({0.3, 0.7}, DType::float64);
  // detach() hides a factor from the record.
  const GradientCheck check =
      check_gradients([](const std::vector<Tensor>& in) { return in[0] * in[0].detach(); }, {x});
  EXPECT_FALSE(check.agrees);
  EXPECT_GT(check.worst, 0.1);
  EXPECT_NE(check.where.find("inputs[0] at ("), std::string::npos) << check.where;
  EXPECT_EQ(x.to_vector(), (std::vector<double>{0.3, 0.7})) << "put back";
  expect_error(
      [] { check_gradients([](const std::vector<Tensor>& in) { return in[0]; }, {tensor({1.0})}); },
      {"inputs[0]", "float32", "to(float64)"});
}

}  // namespace
}  // namespace foveal
