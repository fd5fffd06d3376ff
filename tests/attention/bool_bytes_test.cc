// Masks over foreign memory: any byte but 0 is true.

#include <gtest/gtest.h>

#include <random>

#include "foveal/attention.h"
#include "foveal/generator.h"
#include "foveal/operations.h"
#include "foveal/random.h"

namespace foveal {
namespace {

TEST(BoolBytes, MasksTakeAnyByteButZeroForTrue) {
  std::mt19937 random(3);
  Generator generator(3);
  const auto size = [&](unsigned most) { return static_cast<std::int64_t>(1 + random() % most); };
  for (int n = 0; n < 60; ++n) {
    const std::int64_t heads = size(3), queries = size(70), keys = size(140), width = size(20);
    const Tensor q = randn({1, heads, queries, width}, generator);
    const Tensor k = randn({1, heads, keys, width}, generator);
    const Tensor v = randn({1, heads, keys, width}, generator);
    const Shape shape = {heads, queries, keys};
    const unsigned char values[] = {0, 1, 2, 128, 255};
    std::vector<unsigned char> bytes(static_cast<std::size_t>(element_count(shape)));
    for (unsigned char& byte : bytes) byte = values[random() % 5];
    std::vector<unsigned char> truth = bytes;
    for (unsigned char& byte : truth) byte = byte != 0 ? 1 : 0;
    const auto over = [&](const std::vector<unsigned char>& memory) {
      return Tensor::from_blob(static_cast<const void*>(memory.data()), shape, {}, DType::boolean);
    };
    const auto run = [&](const std::vector<unsigned char>& memory, bool drops, DType dtype) {
      AttentionOptions options;
      if (drops) {
        options.dropout = 0.5;
        options.dropout_mask = over(memory);
      } else {
        options.mask = dense(over(memory));
      }
      return attention(q.to(dtype), k.to(dtype), v.to(dtype), options).output;
    };
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16}) {
      for (const bool drops : {false, true}) {
        EXPECT_TRUE(equal(run(bytes, drops, dtype), run(truth, drops, dtype)))
            << (drops ? "dropout_mask " : "dense ") << to_string(shape) << to_string(dtype);
      }
    }
  }
}

}  // namespace
}  // namespace foveal
