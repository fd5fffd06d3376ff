// PyTorch's own draws, recorded by tests/python/random_fixture.py: every draw of every stream must
// have the same bits.

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>

#include "errors.h"
#include "foveal/error.h"
#include "foveal/nn/layers.h"
#include "foveal/operations.h"
#include "foveal/random.h"

namespace foveal {
namespace {

std::string fnv1a(const Tensor& tensor) {
  const std::size_t size =
      static_cast<std::size_t>(tensor.element_count()) * size_of(tensor.dtype());
  const auto* const bytes = static_cast<const unsigned char*>(tensor.raw_data());
  std::uint64_t value = 0xCBF29CE484222325;
  for (std::size_t i = 0; i < size; ++i) value = (value ^ bytes[i]) * 0x100000001B3;
  std::array<char, 17> text;
  std::snprintf(text.data(), text.size(), "%016llx", static_cast<unsigned long long>(value));
  return text.data();
}

DType dtype_from(const std::string& name) {
  for (DType dtype : {DType::float64, DType::bfloat16, DType::float16, DType::int64}) {
    if (to_string(dtype) == name) return dtype;
  }
  return DType::float32;
}

/// 1/7, 2/7, ... as PyTorch computes them: whole numbers in the dtype, divided there.
Tensor sevenths(std::int64_t size, DType dtype) {
  const Tensor numbers = Tensor::arange(size, DType::float64) + 1.0;
  return numbers.to(dtype) / 7.0;
}

Tensor drawn(const nlohmann::json& draw, Generator& generator) {
  const std::string op = draw[0];
  const std::int64_t size = draw[1];
  const DType dtype = dtype_from(draw[2]);
  const nlohmann::json& extra = draw[3];
  if (op == "rand") return rand({size}, generator, dtype);
  if (op == "randn") return randn({size}, generator, dtype);
  if (op == "randint") return randint(extra[0], extra[1], {size}, generator);
  if (op == "randperm") return randperm(size, generator);
  if (op == "dropout") return dropout(sevenths(size, dtype), extra[0], generator);
  if (op == "embedding") return nn::Embedding(size, extra[0], generator).weight;
  const nn::Linear layer(size, extra[0], extra[1] == 1, generator);
  const Tensor weight = layer.weight.view({-1});
  return layer.bias.defined() ? cat({weight, layer.bias}, 0) : weight;
}

TEST(RandomStreamsTest, EveryDrawHasPyTorchsBits) {
  std::ifstream file(FOVEAL_TEST_DATA "/random_streams.json");
  const nlohmann::json fixture = nlohmann::json::parse(file);
  int draws = 0;
  for (const nlohmann::json& stream : fixture["streams"]) {
    Generator generator(stream["seed"].get<std::uint64_t>());
    for (const nlohmann::json& draw : stream["draws"]) {
      EXPECT_EQ(fnv1a(drawn(draw, generator)), draw[4].get<std::string>())
          << stream["seed"] << " " << draw;
      ++draws;
    }
  }
  EXPECT_GT(draws, 500);
}

TEST(RandomTest, DropoutKeepsTheSameElementsAsItsMask) {
  for (double p : {0.1, 0.5, 0.9}) {
    Generator one(7);
    Generator other(7);
    const Tensor x = Tensor::ones({5, 7, 3});
    const Tensor mask = dropout_mask(x.shape(), p, one);
    EXPECT_TRUE(allclose(dropout(x, p, other), mask / (1 - p)));
    EXPECT_EQ(one.next_u32(), other.next_u32());
  }
}

TEST(RandomTest, DropoutAtItsEndsDrawsNothing) {
  Generator generator(7);
  const Tensor x = tensor({{1.0, -2.0}, {3.0, 4.0}});
  EXPECT_TRUE(dropout(x, 0, generator).shares_storage(x));
  EXPECT_TRUE(equal(dropout(x, 1, generator), Tensor::zeros({2, 2})));
  EXPECT_EQ(generator.next_u32(), Generator(7).next_u32());
}

TEST(RandomTest, DropoutOfAViewGoesByItsRows) {
  Generator one(3);
  Generator other(3);
  const Tensor x = rand({6, 5}, one).transpose(0, 1);
  rand({6, 5}, other);
  EXPECT_TRUE(equal(dropout(x, 0.3, one), dropout(x.contiguous(), 0.3, other)));
}

TEST(RandomTest, RandpermIsAPermutation) {
  Generator generator(1);
  for (std::int64_t n : {0, 1, 2, 17, 1000}) {
    std::vector<double> values = randperm(n, generator).to_vector();
    std::sort(values.begin(), values.end());
    EXPECT_EQ(values, Tensor::arange(n).to_vector());
  }
}

TEST(RandomTest, ArgumentsAreChecked) {
  Generator generator(1);
  const Tensor x = Tensor::ones({2});
  const auto expect = [](const std::string& rule, const auto& function) {
    const std::string message = message_of(function);
    EXPECT_NE(message.find(rule), std::string::npos) << rule << "\n" << message;
  };
  for (double p : {-0.1, 1.5, std::nan("")}) {
    expect("from 0 to 1", [&] { dropout(x, p, generator); });
    expect("from 0 to 1", [&] { dropout_mask({2}, p, generator); });
    expect("from 0 to 1", [&] { nn::Dropout(p, generator); });
  }
  expect("int64", [&] { dropout(Tensor::arange(2), 0.5, generator); });
  expect("bfloat16", [&] { rand({2}, generator, DType::bfloat16); });
  expect("int64", [&] { randn({2}, generator, DType::int64); });
  expect("greater", [&] { randint(5, 5, {1}, generator); });
  expect("from 0", [&] { randperm(-1, generator); });
  expect("0 or more", [&] { rand({-1}, generator); });
  expect("d_in is 0", [&] { nn::Linear(0, 3, true, generator); });
  expect("d_out is -1", [&] { nn::Linear(3, -1, true, generator); });
  expect("width is 0", [&] { nn::Embedding(3, 0, generator); });
}

}  // namespace
}  // namespace foveal
