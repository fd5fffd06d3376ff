// `fused` reads a mask buffer once a version, and never misses a write.

#include "nn/mask_look.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <utility>

#include "child.h"
#include "errors.h"
#include "foveal/nn/attention.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "nn/causal.h"

namespace foveal::nn {
namespace {

constexpr std::int64_t kLength = 6;

/// A layer whose forward, fused, is held to its steps.
template <class Layer>
struct Watched {
  Generator generator{5};
  Layer layer;
  Tensor x = randn({2, kLength, 3}, generator);

  template <class Options>
  explicit Watched(const Options& options) : layer(options, generator) {}

  /// How often a fused forward over `length` tokens read the mask.
  std::int64_t looks(std::int64_t length = kLength) {
    const Tensor tokens = x.slice(1, 0, length).contiguous();
    layer.fused = false;
    const Tensor steps = layer.forward(tokens);
    layer.fused = true;
    const std::int64_t before = looks_so_far();
    const Tensor fused = layer.forward(tokens);
    EXPECT_TRUE(allclose(fused, steps, 0, 1e-5));
    return looks_so_far() - before;
  }

  std::int64_t looks_so_far() const { return MaskOf::layer(layer).look.looks(); }
};

template <class Layer, class Options>
void expect_a_look_a_version(const Options& options) {
  Watched<Layer> watched(options);
  Tensor& mask = watched.layer.mask;
  EXPECT_EQ(watched.looks(), 1);
  for (std::int64_t length = 0; length <= kLength; ++length) EXPECT_EQ(watched.looks(length), 0);
  const std::vector<std::pair<const char*, std::function<void()>>> writes = {
      {"set", [&] { mask.set({4, 0}, 1); }},
      {"fill_ of a view", [&] { mask.select(0, 3).fill_(0); }},
      {"copy_", [&] { mask.slice(1, 5, 6).copy_(Tensor::ones({kLength + 2, 1})); }},
      {"masked_fill_", [&] { mask.masked_fill_(eq(mask, 1.0), 2); }},
      {"another tensor", [&] { mask = triu(Tensor::ones({kLength + 2, kLength + 2}), 1); }},
      {"a view of it", [&] { mask = mask.transpose(0, 1); }},
      {"a copy", [&] { mask = mask.clone(); }},
  };
  for (const auto& [name, write] : writes) {
    write();
    EXPECT_EQ(watched.looks(), 1) << name;
    EXPECT_EQ(watched.looks(3), 0) << name;
    EXPECT_EQ(watched.looks(), 0) << name;
  }
}

const CausalAttentionOptions kCausal{3, 2, kLength + 2, 0, false};

TEST(MaskLook, ReadsOnceAVersion) {
  expect_a_look_a_version<CausalAttention>(kCausal);
  expect_a_look_a_version<CausalAttentionWithoutBuffers>(kCausal);
  expect_a_look_a_version<MultiHeadAttention>(MultiHeadAttentionOptions{3, 4, kLength + 2, 0, 2});
}

TEST(MaskLook, ReadsAgainAfterAStateDictWasLoaded) {
  Watched<CausalAttention> watched(kCausal);
  EXPECT_EQ(watched.looks(), 1);
  Generator generator(6);
  CausalAttention other(kCausal, generator);
  other.mask.fill_(0);
  watched.layer.load_state_dict(other.state_dict());
  EXPECT_EQ(watched.looks(), 1);
  EXPECT_EQ(watched.looks(), 0);
  watched.layer.to(DType::bfloat16);
  watched.layer.to(DType::float32);
  EXPECT_EQ(watched.looks(), 1);
  EXPECT_EQ(watched.looks(), 0);
}

TEST(MaskLook, ReadsEachTimeOnceAPointerIsOut) {
  Watched<CausalAttention> watched(kCausal);
  EXPECT_EQ(watched.looks(), 1);
  Tensor view = watched.layer.mask.select(0, 4);
  float* const row = view.data<float>();
  for (float value : {1.0F, 0.0F, 1.0F}) {
    row[1] = value;
    EXPECT_EQ(watched.looks(), 1);
  }
  EXPECT_EQ(watched.looks(4), 1);
  Watched<CausalAttention> raw(kCausal);
  EXPECT_EQ(raw.looks(), 1);
  raw.layer.mask.raw_data();
  EXPECT_EQ(raw.looks() + raw.looks(), 2);
}

TEST(MaskLook, ReadsACallersMemoryEachTime) {
  std::vector<float> numbers(64, 0);
  Watched<CausalAttention> watched(kCausal);
  for (const bool writable : {true, false}) {
    watched.layer.mask =
        writable ? Tensor::from_blob(numbers.data(), {8, 8}, {}, DType::float32)
                 : Tensor::from_blob(std::as_const(numbers).data(), {8, 8}, {}, DType::float32);
    for (float value : {1.0F, 0.0F}) {
      numbers[8 * 5 + 2] = value;
      EXPECT_EQ(watched.looks(), 1);
    }
  }
}

TEST(MaskLook, ServesSeveralThreads) {
  Watched<MultiHeadAttention> watched(MultiHeadAttentionOptions{3, 4, kLength, 0, 2});
  watched.layer.fused = true;
  const MultiHeadAttention& layer = watched.layer;
  std::vector<Tensor> results(4);
  std::vector<std::thread> threads;
  for (Tensor& result : results) {
    threads.emplace_back([&layer, &watched, &result] { result = layer.forward(watched.x); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(watched.looks_so_far(), 4);  // those that came first may each have read it
  for (const Tensor& result : results) EXPECT_TRUE(equal(result, results[0]));
  EXPECT_EQ(watched.looks(), 0);
}

#if !defined(FOVEAL_NO_FORK_BESIDE_FREES)
TEST(MaskLook, AChildIsServedWhateverThreadsOfItsParentWereDoing) {
  const Tensor drop = triu(Tensor::ones({64, 64}), 1), other = drop.clone();
  MaskLook look;
  std::atomic<bool> stop{false};
  const auto ask = [&](const Tensor& first, const Tensor& second) {
    while (!stop) {
      look.mask_of(first, 8);
      look.mask_of(second, 8);
    }
  };
  std::thread calm(ask, drop, drop), turning(ask, drop, other);
  bool holds = true;
  for (int n = 0; n < 200 && holds; ++n) {
    holds = holds_in_child([&] { return to_string(look.mask_of(drop, 8)) == to_string(causal()); });
  }
  stop = true;
  calm.join();
  turning.join();
  EXPECT_TRUE(holds);
}
#endif

TEST(MaskLook, RefusesAMaskThatIsTooSmall) {
  Watched<CausalAttention> watched(kCausal);
  watched.layer.fused = true;
  for (const Shape& shape : {Shape{8, 3}, Shape{8}, Shape{8, 8, 8}}) {
    watched.layer.mask = Tensor::zeros(shape);
    const std::string text = message_of([&] { watched.layer.forward(watched.x); });
    EXPECT_NE(text.find("mask has shape " + to_string(shape)), std::string::npos) << text;
  }
}

}  // namespace
}  // namespace foveal::nn
