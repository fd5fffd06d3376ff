#include "foveal/text/loader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "foveal/error.h"

namespace foveal::text {
namespace {

using Ids = std::vector<std::int64_t>;

nlohmann::json read_json(const std::string& name) {
  std::ifstream file(std::string(FOVEAL_TEST_DATA) + "/" + name);
  return nlohmann::json::parse(file);
}

Ids counting(std::int64_t count) {
  Ids ids(static_cast<std::size_t>(count));
  std::iota(ids.begin(), ids.end(), 100);
  return ids;
}

Ids values(const Tensor& tensor) {
  const std::vector<double> all = tensor.to_vector();
  return Ids(all.begin(), all.end());
}

std::string message_of(const Ids& ids, const LoaderOptions& options) {
  try {
    DataLoader loader(ids, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(DataLoader, CutsWindowsAsPythonsRangeDoes) {
  for (std::int64_t count = 2; count < 24; ++count) {
    for (std::int64_t length = 1; length < count; ++length) {
      for (std::int64_t stride = 1; stride < 9; ++stride) {
        const DataLoader loader(counting(count), {.batch_size = 1,
                                                  .length = length,
                                                  .stride = stride,
                                                  .shuffle = false,
                                                  .drop_last = false});
        std::int64_t window = 0;
        for (std::int64_t start = 0; start < count - length; start += stride, ++window) {
          const Batch batch = loader.batch({window});
          Ids expected(static_cast<std::size_t>(length));
          std::iota(expected.begin(), expected.end(), 100 + start);
          EXPECT_EQ(values(batch.inputs), expected);
          for (std::int64_t& id : expected) ++id;
          EXPECT_EQ(values(batch.targets), expected);
        }
        EXPECT_EQ(loader.window_count(), window);
      }
    }
  }
}

TEST(DataLoader, StacksWindowsInTheOrderAsked) {
  const DataLoader loader(counting(12), {.batch_size = 2, .length = 3, .stride = 3});
  const Batch batch = loader.batch({2, 0, 2});
  EXPECT_EQ(batch.inputs.shape(), (Shape{3, 3}));
  EXPECT_EQ(batch.inputs.dtype(), DType::int64);
  EXPECT_EQ(values(batch.inputs), (Ids{106, 107, 108, 100, 101, 102, 106, 107, 108}));
  EXPECT_EQ(values(batch.targets), (Ids{107, 108, 109, 101, 102, 103, 107, 108, 109}));
  EXPECT_EQ(batch.inputs.version() + batch.targets.version(), 0U) << "no pointer was handed out";
  EXPECT_EQ(loader.batch({}).targets.shape(), (Shape{0, 3}));
}

TEST(DataLoader, VisitsWindowsInPyTorchsOrder) {
  for (const auto& one : read_json("loader_orders.json")) {
    const DataLoader loader(counting(one["windows"].get<std::int64_t>() + 1),
                            {.batch_size = one["batch_size"],
                             .length = 1,
                             .stride = 1,
                             .shuffle = one["shuffle"],
                             .drop_last = one["drop_last"]});
    Generator generator(one["seed"].get<std::uint64_t>());
    EXPECT_EQ(loader.epoch_order(generator), one["order"].get<std::vector<Ids>>()) << one.dump();
    EXPECT_EQ(generator.next_u32() % (1u << 20), one["next"].get<std::uint32_t>()) << one.dump();
  }
}

TEST(DataLoader, EveryPassHasItsOwnOrder) {
  const DataLoader loader(counting(201), {.batch_size = 4, .length = 1, .stride = 1});
  Generator generator(3);
  const auto first = loader.epoch_order(generator), second = loader.epoch_order(generator);
  EXPECT_NE(first, second);
  for (const auto& order : {first, second}) {
    Ids seen;
    for (const Ids& batch : order) seen.insert(seen.end(), batch.begin(), batch.end());
    std::sort(seen.begin(), seen.end());
    Ids all(200);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
  }
}

TEST(DataLoader, RefusesWhatItCantCut) {
  EXPECT_EQ(message_of(counting(4), {.length = 4}),
            "DataLoader: token_ids has 4 tokens, but windows of 4 need one token more than that: "
            "give a longer text or a smaller length");
  EXPECT_EQ(message_of(counting(5), {.length = 4}), "");
  EXPECT_NE(message_of({}, {.length = 1}), "");
  EXPECT_NE(message_of(counting(9), {.length = std::numeric_limits<std::int64_t>::max()}), "");
  EXPECT_EQ(message_of(counting(9), {.batch_size = 0, .length = 4}),
            "DataLoader: batch_size is 0: it must be 1 or more");
  EXPECT_EQ(message_of(counting(9), {.length = -1}),
            "DataLoader: length is -1: it must be 1 or more");
  EXPECT_EQ(message_of(counting(9), {.length = 4, .stride = 0}),
            "DataLoader: stride is 0: it must be 1 or more");
  const DataLoader loader(counting(9), {.batch_size = 1, .length = 4, .stride = 4});
  EXPECT_THROW(loader.batch({0, 2}), Error);
  EXPECT_THROW(loader.batch({-1}), Error);
}

TEST(DataLoader, TakesHugeSizesWithoutOverflow) {
  constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
  const DataLoader loader(
      counting(9),
      {.batch_size = kMost, .length = 4, .stride = kMost, .shuffle = false, .drop_last = false});
  Generator generator(1);
  EXPECT_EQ(loader.window_count(), 1);
  EXPECT_EQ(loader.epoch_order(generator), (std::vector<Ids>{{0}}));
}

}  // namespace
}  // namespace foveal::text
