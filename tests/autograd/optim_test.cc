// Optimisers against PyTorch's, and what holds whatever the rule.

#include "foveal/optim.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>

#include "errors.h"
#include "foveal/foveal.h"
#include "tensor/samples.h"
#include "tensor/targets.h"

namespace foveal::optim {
namespace {

using nlohmann::json;
using samples::expect_error;

const json& golden() {
  static const json file = json::parse(std::ifstream(FOVEAL_TEST_DATA "/optimisers.json"));
  return file;
}

std::vector<Tensor> drawn(Generator& generator, DType dtype) {
  std::vector<Tensor> result;
  for (const json& shape : golden().at("shapes")) {
    result.push_back(randn(shape.get<Shape>(), generator, dtype));
  }
  return result;
}

/// grad() becomes `gradient` (grad() adds up, so it is let go of first).
void give_gradient(Tensor& parameter, const Tensor& gradient) {
  parameter.zero_grad();
  if (gradient.defined()) sum(parameter * gradient).backward();
}

std::unique_ptr<Optimizer> made(const json& test_case, const std::vector<Tensor>& parameters) {
  const json& given = test_case.at("options");
  const auto option = [&given](const char* name, auto usual) { return given.value(name, usual); };
  const std::string name = test_case.at("optimiser");
  if (name == "SGD") {
    const SGDOptions usual;
    return std::make_unique<SGD>(
        parameters, SGDOptions{.learning_rate = option("lr", usual.learning_rate),
                               .momentum = option("momentum", usual.momentum),
                               .dampening = option("dampening", usual.dampening),
                               .weight_decay = option("weight_decay", usual.weight_decay),
                               .nesterov = option("nesterov", usual.nesterov)});
  }
  const auto adam = [&](auto options) {
    options.learning_rate = option("lr", options.learning_rate);
    options.betas = option("betas", options.betas);
    options.eps = option("eps", options.eps);
    options.weight_decay = option("weight_decay", options.weight_decay);
    return options;
  };
  if (name == "Adam") return std::make_unique<Adam>(parameters, adam(AdamOptions()));
  return std::make_unique<AdamW>(parameters, adam(AdamWOptions()));
}

std::vector<double> numbers(const std::vector<Tensor>& tensors) {
  std::vector<double> result;
  for (const Tensor& tensor : tensors) {
    for (const double number : tensor.to_vector()) result.push_back(number);
  }
  return result;
}

/// |ours - theirs| <= 2^-22 max|p| for float32, 2^-51 for float64.
void expect_agrees(const std::vector<Tensor>& parameters, const std::vector<double>& theirs) {
  const std::vector<double> ours = numbers(parameters);
  ASSERT_EQ(ours.size(), theirs.size());
  double largest = 0;
  for (const double number : theirs) largest = std::max(largest, std::abs(number));
  const double allowed = parameters[0].dtype() == DType::float32 ? 0x1p-22 : 0x1p-51;
  for (std::size_t i = 0; i < ours.size(); ++i) {
    EXPECT_NEAR(ours[i], theirs[i], allowed * largest) << "number " << i;
  }
}

/// One of the golden file's runs, stopped and taken up again by a new optimiser at `restart`.
void run_case(const json& test_case, int restart) {
  const DType dtype = test_case.at("dtype") == "float32" ? DType::float32 : DType::float64;
  Generator first(1), second(2);
  std::vector<Tensor> parameters = drawn(first, dtype);
  for (Tensor& parameter : parameters) parameter.requires_grad_();
  std::unique_ptr<Optimizer> optimizer = made(test_case, parameters);
  for (int step = 1; step <= golden().at("steps"); ++step) {
    std::vector<Tensor> gradients = drawn(second, dtype);
    gradients[2] = gradients[2] * 1e-4;
    if (step % 3 == 0) gradients[1] = Tensor();
    for (std::size_t n = 0; n < parameters.size(); ++n) give_gradient(parameters[n], gradients[n]);
    if (step == restart) {
      std::unique_ptr<Optimizer> next = made(test_case, parameters);
      next->load_state_dict(optimizer->state_dict());
      optimizer = std::move(next);
    }
    optimizer->step();
    const auto shown = test_case.at("parameters").find(std::to_string(step));
    if (shown == test_case.at("parameters").end()) continue;
    SCOPED_TRACE("step " + std::to_string(step));
    expect_agrees(parameters, *shown);
  }
}

TEST(Optimizers, GoWherePyTorchsGo) {
  for (const json& test_case : golden().at("cases")) {
    SCOPED_TRACE(test_case.at("optimiser").get<std::string>() + " " +
                 test_case.at("options").dump() + " " + test_case.at("dtype").get<std::string>());
    for (const int restart : {0, 1, 2, 5}) run_case(test_case, restart);
  }
}

TEST(Optimizers, GradientsAreClippedAsPyTorchDoes) {
  for (const json& test_case : golden().at("clips")) {
    Generator generator(3);
    std::vector<Tensor> parameters;
    const std::vector<Tensor> gradients = drawn(generator, DType::float32);
    for (const Tensor& gradient : gradients) {
      parameters.push_back(Tensor::zeros(gradient.shape()).requires_grad_());
      give_gradient(parameters.back(), gradient);
    }
    parameters.push_back(Tensor::zeros({4}).requires_grad_());  // without a gradient
    const double norm = clip_grad_norm_(parameters, test_case.at("max_norm"));
    EXPECT_NEAR(norm, test_case.at("norm"), 1e-6);
    parameters.pop_back();
    std::vector<Tensor> clipped;
    for (const Tensor& parameter : parameters) clipped.push_back(parameter.grad());
    expect_agrees(clipped, test_case.at("gradients"));
  }
}

TEST(Optimizers, ANormThatIsNotFiniteMakesWhatPyTorchMakes) {
  const double infinity = std::numeric_limits<double>::infinity();
  Tensor p = Tensor::zeros({3}).requires_grad_();
  give_gradient(p, tensor({1.0, infinity, -2.0}));
  EXPECT_EQ(clip_grad_norm_({p}, 1), infinity);
  EXPECT_EQ(p.grad().at({0}), 0);
  EXPECT_TRUE(std::isnan(p.grad().at({1})));
  EXPECT_TRUE(std::isnan(clip_grad_norm_({p}, 1)));
  EXPECT_TRUE(std::isnan(p.grad().at({0})));
  p.zero_grad();
  EXPECT_EQ(clip_grad_norm_({p}, 1), 0);
  EXPECT_EQ(clip_grad_norm_({}, 1), 0);
  expect_error([&] { clip_grad_norm_({p}, -1); }, {"max_norm is -1", "0 or more"});
  expect_error([&] { clip_grad_norm_({p, Tensor()}, 1); }, {"parameters[1] is undefined"});
}

/// What one Adam step makes of parameters and gradients of `count` numbers.
Tensor stepped(std::int64_t count, DType dtype) {
  Generator generator(5);
  Tensor p = randn({count}, generator).to(dtype).requires_grad_();
  AdamW optimizer({p}, {.learning_rate = 0.1, .weight_decay = 0.1});
  for (int step = 0; step < 2; ++step) {
    give_gradient(p, randn({count}, generator).to(dtype));
    clip_grad_norm_({p}, 3);
    optimizer.step();
  }
  return p.detach().clone();
}

TEST(Optimizers, TheNumberOfThreadsChangesNoBits) {
  for (const DType dtype : samples::kFloating) {
    const Tensor before = stepped(100001, dtype);
    samples::for_each_thread_count([&] { EXPECT_TRUE(equal(stepped(100001, dtype), before)); });
  }
}

TEST(Optimizers, HalfTypesAreWorkedOnInFloat32) {
  Generator generator(6);
  for (const DType dtype : {DType::bfloat16, DType::float16}) {
    const Tensor start = randn({1500}, generator).to(dtype),
                 gradient = randn({1500}, generator).to(dtype);
    Tensor half = start.clone().requires_grad_();
    Tensor wide = start.to(DType::float32).requires_grad_();
    AdamW of_half({half}, {.learning_rate = 0.1}), of_wide({wide}, {.learning_rate = 0.1});
    give_gradient(half, gradient);
    give_gradient(wide, gradient.to(DType::float32));
    of_half.step();
    of_wide.step();
    EXPECT_TRUE(equal(half, wide.detach().to(dtype)));
    EXPECT_TRUE(equal(of_half.state_dict()[2].second, of_wide.state_dict()[2].second));
    EXPECT_EQ(of_half.state_dict()[1].second.dtype(), DType::float32);
  }
}

TEST(Optimizers, StridesMakeNoDifference) {
  Generator generator(7);
  const Tensor start = randn({6, 5}, generator), gradient = randn({6, 5}, generator);
  Tensor dense = start.clone().requires_grad_();
  Tensor strided = start.transpose(0, 1).clone().transpose(0, 1).detach().requires_grad_();
  ASSERT_FALSE(strided.is_contiguous());
  for (Tensor* p : {&dense, &strided}) {
    SGD optimizer({*p}, {.learning_rate = 0.5, .momentum = 0.5});
    give_gradient(*p, gradient);
    clip_grad_norm_({*p}, 1);
    optimizer.step();
  }
  EXPECT_TRUE(equal(dense, strided));
  EXPECT_FALSE(equal(dense, start));
}

TEST(Optimizers, AStepIsAWriteThatIsNotRecorded) {
  Tensor p = tensor({1.0, 2.0}).requires_grad_(), still = tensor({3.0}).requires_grad_();
  SGD optimizer({p, still}, {.learning_rate = 0.5});
  const Tensor loss = sum(p * p);
  loss.backward({}, true);
  const std::uint64_t before = p.version(), untouched = still.version();
  optimizer.step();
  EXPECT_EQ(p.version(), before + 1);
  EXPECT_EQ(still.version(), untouched);
  EXPECT_TRUE(p.is_leaf() && p.requires_grad());
  EXPECT_EQ(p.to_vector(), (std::vector<double>{0, 0}));
  expect_error([&] { loss.backward(); }, {"mul"});  // what it saved was written
  optimizer.zero_grad();
  EXPECT_FALSE(p.grad().defined());
}

TEST(Optimizers, TheLearningRateMayFollowASchedule) {
  Tensor p = tensor({1.0}).requires_grad_();
  SGD optimizer({p}, {.learning_rate = 0.5});
  optimizer.set_learning_rate(0.25);
  EXPECT_EQ(optimizer.learning_rate(), 0.25);
  give_gradient(p, tensor({1.0}));
  optimizer.step();
  EXPECT_EQ(p.item(), 0.75);
  expect_error([&] { optimizer.set_learning_rate(-1); }, {"SGD: learning_rate is -1"});
}

TEST(Optimizers, AModuleThatIsConvertedGoesOn) {
  Generator generator(8);
  nn::Linear layer(3, 2, true, generator);
  AdamW optimizer(layer.parameters(), {.learning_rate = 0.1});
  const Tensor x = randn({4, 3}, generator);
  sum(layer.forward(x)).backward();
  optimizer.step();
  layer.to(DType::float64);
  const Tensor before = layer.weight.detach().clone();
  optimizer.step();  // with the gradient from before
  EXPECT_FALSE(equal(layer.weight, before));
  layer.zero_grad();
  sum(layer.forward(x.to(DType::float64))).backward();
  optimizer.step();
  const StateDict state = optimizer.state_dict();
  EXPECT_EQ(find(state, "0.exp_avg")->dtype(), DType::float64);
  EXPECT_EQ(find(state, "1.step")->item(), 3);
}

// --- state

TEST(OptimizerState, GoesThroughAFile) {
  Tensor p = tensor({1.0, 2.0}).requires_grad_(), q = tensor({3.0}).requires_grad_();
  AdamW optimizer({p, q});
  EXPECT_TRUE(optimizer.state_dict().empty());
  give_gradient(q, tensor({1.0}));
  optimizer.step();
  const std::string path = testing::TempDir() + "optimizer_state.safetensors";
  save_safetensors(path, optimizer.state_dict());
  const StateDict tensors = load_safetensors(path).tensors;
  std::filesystem::remove(path);
  ASSERT_EQ(tensors.size(), 3U);  // p wasn't moved
  AdamW again({p, q});
  again.load_state_dict(tensors);
  for (const auto& [name, tensor] : optimizer.state_dict()) {
    EXPECT_TRUE(equal(tensor, *find(again.state_dict(), name))) << name;
    EXPECT_FALSE(find(again.state_dict(), name)->shares_storage(*find(tensors, name)));
  }
}

TEST(OptimizerState, ErrorsListAllThatIsWrongAndChangeNothing) {
  Tensor p = tensor({1.0, 2.0}).requires_grad_(), q = tensor({3.0}).requires_grad_();
  Adam optimizer({p, q});
  give_gradient(p, tensor({1.0, 1.0}));
  give_gradient(q, tensor({1.0}));
  optimizer.step();
  StateDict state = optimizer.state_dict();
  const std::vector<double> before = state[1].second.to_vector();
  state[0].second = tensor(1.5);         // 0.step
  state[1].second = Tensor::zeros({3});  // 0.exp_avg
  state[2].second = tensor({1, 2});      // 0.exp_avg_sq, int64
  state[4].first = "elsewhere";          // 1.exp_avg
  state[5].second = Tensor();            // 1.exp_avg_sq
  state.emplace_back("1.step", tensor(1));
  expect_error([&] { optimizer.load_state_dict(state); },
               {"Adam::load_state_dict", "0.step is 1.5", "0.exp_avg has shape (3)", "(2)",
                "0.exp_avg_sq has dtype int64", "1.exp_avg is missing", "elsewhere is unexpected",
                "1.exp_avg_sq is an undefined tensor", "1.step is given twice"});
  EXPECT_EQ(optimizer.state_dict()[0].second.item(), 1);
  EXPECT_EQ(optimizer.state_dict()[1].second.to_vector(), before);
  optimizer.load_state_dict({});
  EXPECT_TRUE(optimizer.state_dict().empty());
}

// --- what constructors refuse

TEST(Optimizers, ConstructorsNameWhatIsWrong) {
  Tensor p = tensor({1.0, 2.0}).requires_grad_();
  const float blob[2] = {1, 2};
  Tensor read_only = Tensor::from_blob(static_cast<const void*>(blob), {2}, {}, DType::float32);
  read_only.requires_grad_();
  const auto refuses = [](const std::vector<Tensor>& parameters,
                          const std::vector<std::string>& parts) {
    expect_error([&] { const AdamW optimizer(parameters); }, parts);
  };
  refuses({}, {"AdamW: parameters is empty", "model.parameters()"});
  refuses({p, Tensor()}, {"AdamW: parameters[1] is undefined"});
  refuses({p, tensor({1.0})}, {"AdamW: parameters[1] requires no gradient", "requires_grad_()"});
  refuses({p * 2.0}, {"AdamW: parameters[0] was made by an operation", "leaf"});
  refuses({p, p}, {"AdamW: parameters[1] is the same tensor as parameters[0]", "give it once"});
  refuses({read_only}, {"AdamW: parameters[0]", "read-only"});
}

TEST(Optimizers, OptionsNameWhatIsWrong) {
  const Tensor p = tensor({1.0, 2.0}).requires_grad_();
  const double nan = std::nan("");
  const auto adam = [&p](const AdamOptions& options, const std::vector<std::string>& parts) {
    expect_error([&] { const Adam optimizer({p}, options); }, parts);
  };
  adam({.learning_rate = -1}, {"Adam: learning_rate is -1", "finite number, 0 or more"});
  adam({.learning_rate = nan}, {"Adam: learning_rate is nan"});
  adam({.betas = {1, 0.9}}, {"Adam: betas.first is 1", "from 0 to below 1"});
  adam({.betas = {0.9, -0.1}}, {"Adam: betas.second is -0.1"});
  adam({.eps = -1e-8}, {"Adam: eps is -1e-08"});
  adam({.weight_decay = -1}, {"Adam: weight_decay is -1"});
  const auto sgd = [&p](const SGDOptions& options, const std::vector<std::string>& parts) {
    expect_error([&] { const SGD optimizer({p}, options); }, parts);
  };
  sgd({.momentum = -0.5}, {"SGD: momentum is -0.5"});
  sgd({.dampening = nan}, {"SGD: dampening is nan"});
  sgd({.nesterov = true}, {"SGD: nesterov", "momentum above 0 and no dampening"});
  sgd({.momentum = 0.9, .dampening = 0.1, .nesterov = true}, {"SGD: nesterov", "dampening 0.1"});
  expect_error([&] { const AdamW optimizer({p}, {.weight_decay = -1}); }, {"AdamW: weight_decay"});
}

}  // namespace
}  // namespace foveal::optim
