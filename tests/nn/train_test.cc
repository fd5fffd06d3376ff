// The model of examples/train/: its first losses are PyTorch's, on every target.

#include "../../examples/train/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>

#include "case_count.h"
#include "errors.h"
#include "tensor/targets.h"

namespace foveal::nn {
namespace {

using nlohmann::json;

std::string chapter() {
  std::ifstream file(FOVEAL_TEST_DATA "/../../examples/train/text.txt", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

train::ModelOptions shape_of(const train::Characters& characters) {
  return {.characters = characters.count()};
}

TEST(TrainTest, LossesArePyTorchsOnEveryTarget) {
  const json golden = json::parse(std::ifstream(FOVEAL_TEST_DATA "/training_losses.json"));
  const std::string text = chapter();
  const train::Characters characters(text);
  const Tensor ids = characters.ids(text);
  samples::for_each_target([&] {
    Generator generator(golden.at("seed").get<std::uint64_t>());
    const train::LanguageModel model(shape_of(characters), generator);
    optim::AdamW optimizer(model.parameters(), {.learning_rate = golden.at("learning_rate")});
    const std::size_t steps = std::min<std::size_t>(golden.at("losses").size(), case_count(20));
    for (std::size_t step = 0; step < steps; ++step) {
      const double expected = golden.at("losses").at(step);
      const train::Batch batch = train::draw_batch(ids, 64, golden.at("batch"), generator);
      const double loss = train::train_step(model, optimizer, batch);
      EXPECT_NEAR(loss, expected, 1e-5 * expected);
    }
  });
}

TEST(TrainTest, WritesTheSameAfterAFile) {
  const train::Characters characters("abcdefgh \n");
  Generator generator(1), other(2);
  const train::LanguageModel model(shape_of(characters), generator);
  train::LanguageModel again(shape_of(characters), other);
  const auto written = [&](const train::LanguageModel& by) {
    Generator draws(3);
    return train::generate(by, characters, "bad ", 20, 8, draws);
  };
  EXPECT_NE(written(again), written(model));
  const std::string path = testing::TempDir() + "foveal_train_test.safetensors";
  model.save(path);
  again.load(path);
  std::filesystem::remove(path);
  EXPECT_EQ(written(again), written(model));
  EXPECT_EQ(written(model).size(), 24U);
  EXPECT_EQ(message_of([&] { characters.ids("bad#"); }),
            "the text has no '#': a prompt must be of characters that were trained");
}

}  // namespace
}  // namespace foveal::nn
