#include "foveal/nn/module.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>

#include "errors.h"
#include "foveal/error.h"
#include "foveal/nn/layers.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "foveal/safetensors.h"

namespace foveal::nn {
namespace {

/// A module with one of everything.
class Everything : public Module {
 public:
  explicit Everything(Generator& generator)
      : first(2, 3, true, generator), second(3, 2, false, generator), dropout(0.5, generator) {
    register_module("first", first);
    register_buffer("mask", mask);
    register_parameter("scale", scale);
    register_module("second", second);
    register_buffer("scratch", scratch, false);
    register_buffer("count", count);
    register_module("dropout", dropout);
  }

  Linear first, second;
  Dropout dropout;
  Tensor scale = Tensor::ones({2});
  Tensor mask = tensor({{0.0, 1.0}, {0.0, 0.0}});
  Tensor scratch = Tensor::zeros({4});
  Tensor count = Tensor::full({}, 5, DType::int64);
  Tensor unregistered = Tensor::zeros({7});
};

/// Lets a test call what is protected.
class Open : public Module {
 public:
  using Module::register_buffer;
  using Module::register_module;
  using Module::register_parameter;
};

std::vector<std::string> names(const StateDict& tensors) {
  std::vector<std::string> result;
  for (const auto& [name, tensor] : tensors) result.push_back(name);
  return result;
}

StateDict copy_of(const StateDict& tensors) {
  StateDict result;
  for (const auto& [name, tensor] : tensors) result.emplace_back(name, tensor.clone());
  return result;
}

void expect_equal(const StateDict& a, const StateDict& b) {
  ASSERT_EQ(names(a), names(b));
  for (std::size_t i = 0; i < a.size(); ++i) {
    EXPECT_TRUE(equal(a[i].second, b[i].second)) << a[i].first;
  }
}

using Names = std::vector<std::string>;

TEST(ModuleTest, NamesFollowPyTorchsOrder) {
  Generator generator(1);
  const Everything module(generator);
  EXPECT_EQ(names(module.state_dict()),
            (Names{"scale", "mask", "count", "first.weight", "first.bias", "second.weight"}));
  EXPECT_EQ(names(module.named_parameters()),
            (Names{"scale", "first.weight", "first.bias", "second.weight"}));
  EXPECT_EQ(names(module.named_buffers()), (Names{"mask", "scratch", "count"}));
  EXPECT_EQ(module.parameter_count(), 2 + 6 + 3 + 6);
}

TEST(ModuleTest, StateDictSharesMemory) {
  Generator generator(1);
  Everything module(generator);
  module.state_dict()[0].second.fill_(9);
  EXPECT_EQ(module.scale.at({1}), 9);
}

TEST(ModuleTest, LoadsWhatAnotherOneHolds) {
  Generator generator(1);
  const Everything source(generator);
  Everything target(generator);
  EXPECT_FALSE(equal(source.first.weight, target.first.weight));
  target.load_state_dict(source.state_dict());
  expect_equal(target.state_dict(), source.state_dict());
  EXPECT_FALSE(target.first.weight.shares_storage(source.first.weight));
}

TEST(ModuleTest, LoadingConvertsToTheModulesDtype) {
  Generator generator(1);
  Everything module(generator);
  StateDict given = copy_of(module.state_dict());
  for (auto& [name, tensor] : given) tensor = tensor.to(DType::float64);
  given[0].second = tensor({0.25, 0.5}, DType::float64);
  module.load_state_dict(given);
  EXPECT_TRUE(equal(module.scale, tensor({0.25, 0.5})));
  EXPECT_EQ(module.count.dtype(), DType::int64);
}

TEST(ModuleTest, OneErrorListsEveryMisfitAndNothingChanges) {
  Generator generator(1);
  Everything module(generator);
  const StateDict before = copy_of(module.state_dict());
  const StateDict given = {{"scale", Tensor::zeros({2})},
                           {"mask", Tensor::zeros({3, 3})},
                           {"count", Tensor()},
                           {"first.weight", Tensor::zeros({3, 2})},
                           {"first.weight", Tensor::ones({1})},
                           {"extra", Tensor::zeros({1})}};
  const std::string message = message_of([&] { module.load_state_dict(given); });
  for (const char* part :
       {"mask has shape (3, 3) where the module has (2, 2)", "count is an undefined tensor",
        "first.bias is missing", "second.weight is missing", "first.weight is given twice",
        "extra is unexpected"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << "\n" << message;
  }
  EXPECT_EQ(message.find("scale"), std::string::npos);
  expect_equal(module.state_dict(), before);
}

TEST(ModuleTest, FailedConversionChangesNothing) {
  Generator generator(1);
  Everything module(generator);
  StateDict given = copy_of(module.state_dict());
  given[0].second.fill_(3);
  given[2].second = Tensor::full({}, std::nan(""));
  const StateDict before = copy_of(module.state_dict());
  EXPECT_THROW(module.load_state_dict(given), Error);
  expect_equal(module.state_dict(), before);
}

TEST(ModuleTest, LoadsItsOwnTensorsUnderExchangedNames) {
  Open module;
  Tensor a = tensor({1.0, 2.0});
  Tensor b = tensor({3.0, 4.0});
  module.register_parameter("a", a);
  module.register_parameter("b", b);
  module.load_state_dict({{"a", b}, {"b", a}});
  EXPECT_TRUE(equal(a, tensor({3.0, 4.0})));
  EXPECT_TRUE(equal(b, tensor({1.0, 2.0})));
}

TEST(ModuleTest, SavesAndLoadsSafetensors) {
  Generator generator(1);
  const Everything source(generator);
  Everything target(generator);
  const std::string path = testing::TempDir() + "foveal_module_test.safetensors";
  source.save(path);
  target.load(path);
  expect_equal(target.state_dict(), source.state_dict());
  save_safetensors(path, {{"scale", Tensor::ones({2})}});
  const StateDict before = copy_of(target.state_dict());
  EXPECT_THROW(target.load(path), Error);
  const std::string header = R"({"flags":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})";
  const std::string length = static_cast<char>(header.size()) + std::string(7, '\0');
  std::ofstream(path, std::ios::binary) << length << header << 'x';
  EXPECT_EQ(message_of([&] { target.load(path); }),
            "Module::load: file '" + path + "': tensor \"flags\" has dtype \"U8\", which foveal " +
                "lacks: save it as F32, F64, BF16, F16, I64 or BOOL");
  expect_equal(target.state_dict(), before);
  std::filesystem::remove(path);
}

TEST(ModuleTest, ConvertsFloatingStateAlone) {
  Generator generator(1);
  Everything module(generator);
  module.to(DType::float64);
  EXPECT_EQ(module.scale.dtype(), DType::float64);
  EXPECT_EQ(module.mask.dtype(), DType::float64);
  EXPECT_EQ(module.scratch.dtype(), DType::float64);
  EXPECT_EQ(module.second.weight.dtype(), DType::float64);
  EXPECT_EQ(module.count.dtype(), DType::int64);
  EXPECT_EQ(module.unregistered.dtype(), DType::float32);
  EXPECT_THROW(module.to(DType::int64), Error);
  EXPECT_THROW(module.to(DType::boolean), Error);
}

/// And gradients that arrive later, of operations that ran before, find the parameter's dtype.
TEST(ModuleTest, ConvertsGradientsWithTheirParameters) {
  Generator generator(1);
  Everything module(generator);
  const Tensor held = module.scale;
  const auto loss = [&] { return sum(module.scale * module.scale); };
  loss().backward();
  module.to(DType::float64);
  EXPECT_EQ(held.grad().dtype(), DType::float64);
  EXPECT_EQ(held.grad().to_vector(), (std::vector<double>{2, 2}));
  EXPECT_FALSE(module.first.weight.grad().defined());
  loss().backward();
  EXPECT_EQ(held.grad().to_vector(), (std::vector<double>{4, 4}));
  const Tensor before = loss();
  module.to(DType::bfloat16);
  before.backward();
  EXPECT_EQ(held.grad().dtype(), DType::bfloat16);
  EXPECT_EQ(held.grad().to_vector(), (std::vector<double>{6, 6}));
  module.zero_grad();
  const Tensor narrow = loss();
  module.to(DType::float32);
  narrow.backward();
  EXPECT_EQ(held.grad().dtype(), DType::float32);
}

TEST(ModuleTest, ModeReachesSubmodules) {
  Generator generator(1);
  Everything module(generator);
  EXPECT_TRUE(module.dropout.is_training());
  module.eval();
  EXPECT_FALSE(module.is_training());
  EXPECT_FALSE(module.dropout.is_training());
  const Tensor x = Tensor::ones({100});
  EXPECT_TRUE(module.dropout.forward(x).shares_storage(x));
  module.train();
  EXPECT_FALSE(equal(module.dropout.forward(x), x));
}

TEST(ModuleTest, NamesAreChecked) {
  Open module;
  Open child;
  Tensor one = Tensor::ones({1});
  Tensor undefined;
  module.register_parameter("a", one);
  module.register_buffer("b", one);
  module.register_module("c", child);
  for (const char* taken : {"a", "b", "c"}) {
    EXPECT_NE(message_of([&] { module.register_parameter(taken, one); }).find("is taken"),
              std::string::npos);
    EXPECT_NE(message_of([&] { module.register_buffer(taken, one, false); }).find("is taken"),
              std::string::npos);
    EXPECT_NE(message_of([&] { module.register_module(taken, child); }).find("is taken"),
              std::string::npos);
  }
  EXPECT_NE(message_of([&] { module.register_parameter("", one); }).find("empty"),
            std::string::npos);
  EXPECT_NE(message_of([&] { module.register_buffer("x.y", one); }).find("dot"), std::string::npos);
  EXPECT_NE(message_of([&] { module.register_parameter("d", undefined); }).find("undefined"),
            std::string::npos);
  EXPECT_NE(message_of([&] { module.register_buffer("d", undefined); }).find("undefined"),
            std::string::npos);
  EXPECT_NE(message_of([&] { module.register_module("d", module); }).find("itself"),
            std::string::npos);
  EXPECT_EQ(names(module.state_dict()), (Names{"a", "b"}));
}

TEST(LayersTest, LinearAppliesItsWeightTransposed) {
  Generator generator(1);
  Linear layer(3, 2, true, generator);
  layer.weight = tensor({{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}});
  layer.bias = tensor({10.0, 20.0});
  EXPECT_TRUE(equal(layer.forward(tensor({1.0, 0.0, -1.0})), tensor({8.0, 18.0})));
  EXPECT_EQ(layer.forward(Tensor::zeros({2, 5, 3})).shape(), (Shape{2, 5, 2}));
  EXPECT_THROW(layer.forward(Tensor::zeros({2, 4})), Error);
  const Linear plain(3, 2, false, generator);
  EXPECT_FALSE(plain.bias.defined());
  EXPECT_EQ(names(plain.state_dict()), (Names{"weight"}));
}

TEST(LayersTest, LinearStaysInItsRange) {
  Generator generator(1);
  const Linear layer(10, 1000, true, generator);
  const double bound = 1 / std::sqrt(10.0) + 1e-7;
  for (const Tensor& drawn : {layer.weight, layer.bias}) {
    for (double value : drawn.to_vector()) EXPECT_LE(std::abs(value), bound);
  }
}

TEST(LayersTest, EmbeddingGivesRows) {
  Generator generator(1);
  const Embedding layer(5, 3, generator);
  const Tensor rows = layer.forward(tensor({{4, 0}, {1, 4}}));
  EXPECT_EQ(rows.shape(), (Shape{2, 2, 3}));
  EXPECT_TRUE(equal(rows[1][1], layer.weight[4]));
  EXPECT_THROW(layer.forward(tensor({5})), Error);
  EXPECT_THROW(layer.forward(tensor({-1})), Error);
}

TEST(LayersTest, DropoutContinuesTheStreamItWasMadeFrom) {
  Generator generator(5);
  const Dropout layer(0.5, generator);
  rand({3}, generator);
  const Tensor x = Tensor::ones({40});
  Generator same(5);
  rand({3}, same);
  EXPECT_TRUE(equal(layer.forward(x), foveal::dropout(x, 0.5, same)));
}

}  // namespace
}  // namespace foveal::nn
