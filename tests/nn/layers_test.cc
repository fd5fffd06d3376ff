// LayerNorm, GELU, ModuleList and Sequential: names, defaults, and what they hand on.

#include "foveal/nn/layers.h"

#include <gtest/gtest.h>

#include <cmath>

#include "errors.h"
#include "foveal/autograd.h"
#include "foveal/error.h"
#include "foveal/random.h"

namespace foveal::nn {
namespace {

std::vector<std::string> names(const StateDict& tensors) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : tensors) result.push_back(name);
  return result;
}

using Names = std::vector<std::string>;

TEST(LayersTest, LayerNormBeginsWithOnesAndZeros) {
  const LayerNorm layer(2);
  EXPECT_EQ(names(layer.state_dict()), (Names{"weight", "bias"}));
  EXPECT_TRUE(layer.weight.requires_grad() && layer.bias.requires_grad());
  EXPECT_EQ(layer.eps, 1e-5);
  const double expected = 1 / std::sqrt(1 + 1e-5);
  const Tensor y = layer.forward(tensor({{1.0, 3.0}, {5.0, 5.0}}));
  EXPECT_TRUE(allclose(y, tensor({{-expected, expected}, {0.0, 0.0}})));
}

TEST(LayersTest, LayerNormScalesShiftsAndKnowsItsEps) {
  LayerNorm layer(2, 3);
  {
    const NoGrad off;
    layer.weight.copy_(tensor({2.0, 4.0}));
    layer.bias.copy_(tensor({1.0, 10.0}));
  }
  EXPECT_TRUE(allclose(layer.forward(tensor({1.0, 3.0})), tensor({0.0, 12.0})));  // 1 / sqrt(1 + 3)
  EXPECT_THROW(layer.forward(Tensor::zeros({3})), Error);
  EXPECT_EQ(message_of([] { const LayerNorm none(0); }),
            "LayerNorm: width is 0: it must be 1 or more");
  EXPECT_EQ(message_of([] { const LayerNorm none(1, -1); }),
            "LayerNorm: eps is -1: it must be 0 or more");
}

TEST(LayersTest, GeluHasTwoForms) {
  Generator generator(1);
  const Tensor x = randn({50}, generator);
  EXPECT_TRUE(equal(GELU().forward(x), gelu(x)));
  EXPECT_TRUE(equal(GELU(GeluForm::tanh).forward(x), gelu(x, GeluForm::tanh)));
  EXPECT_FALSE(equal(gelu(x), gelu(x, GeluForm::tanh)));
  EXPECT_TRUE(GELU().parameters().empty());
}

TEST(LayersTest, SequentialHandsOnWhatEachMakes) {
  Generator generator(2);
  Sequential layers;
  const Tensor x = randn({3, 4}, generator);
  EXPECT_TRUE(equal(layers.forward(x), x));
  Linear& first = layers.append(std::make_unique<Linear>(4, 8, true, generator));
  layers.append(std::make_unique<GELU>());
  const Linear& last = layers.append(std::make_unique<Linear>(8, 2, false, generator));
  EXPECT_TRUE(equal(layers.forward(x), last.forward(gelu(first.forward(x)))));
  EXPECT_EQ(names(layers.state_dict()), (Names{"0.weight", "0.bias", "2.weight"}));
  layers.eval();
  EXPECT_FALSE(first.is_training());
  layers.to(DType::float64);
  EXPECT_EQ(first.weight.dtype(), DType::float64);
  EXPECT_EQ(message_of([&] { layers.append(std::unique_ptr<Module>()); }),
            "append: module is null: give one from std::make_unique");
}

TEST(LayersTest, SequentialIsAModuleOfModules) {
  Generator generator(3);
  Sequential outer;
  Sequential& inner = outer.append(std::make_unique<Sequential>());
  inner.append(std::make_unique<LayerNorm>(4));
  EXPECT_EQ(names(outer.state_dict()), (Names{"0.0.weight", "0.0.bias"}));
  sum(outer.forward(randn({2, 4}, generator))).backward();
  EXPECT_TRUE(outer.parameters()[1].grad().defined());
}

TEST(LayersTest, ModuleListHoldsItsOwnAndOthers) {
  Generator generator(4);
  Linear elsewhere(2, 2, false, generator);
  ModuleList list;
  Linear& first = list.append(std::make_unique<Linear>(2, 3, true, generator));
  list.append(elsewhere);
  list.append(std::make_unique<GELU>());
  EXPECT_EQ(names(list.state_dict()), (Names{"0.weight", "0.bias", "1.weight"}));
  ASSERT_EQ(list.size(), 3);
  EXPECT_EQ(&list[0], &first);
  EXPECT_EQ(&list[1], &elsewhere);
  std::vector<const Module*> walked;
  for (const Module* module : list) walked.push_back(module);
  EXPECT_EQ(walked, (std::vector<const Module*>{&list[0], &list[1], &list[2]}));
  for (const std::int64_t index : {-1, 3}) {
    EXPECT_EQ(message_of([&] { list[index].eval(); }),
              "ModuleList: index is " + std::to_string(index) +
                  " but the list holds 3 modules: it must be from 0 to one below that");
  }
  EXPECT_EQ(message_of([&] { list.append(std::unique_ptr<Module>()); }),
            "append: module is null: give one from std::make_unique");
  EXPECT_EQ(list.size(), 3);
}

}  // namespace
}  // namespace foveal::nn
