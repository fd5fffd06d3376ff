// Properties of the chapter's classes over generated shapes. Their numbers are held to the
// chapter's elsewhere.

#include "foveal/nn/attention.h"

#include <gtest/gtest.h>

#include <cmath>

#include "errors.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "foveal/random.h"
#include "foveal/reference.h"

namespace foveal::nn {
namespace {

void expect_close(const Tensor& a, const Tensor& b, double tolerance = 1e-6) {
  ASSERT_EQ(a.shape(), b.shape());
  EXPECT_TRUE(allclose(a, b, 0, tolerance));
}

struct Sizes {
  std::int64_t batch, length, d_in, d_out;
  int heads;
};

const std::vector<Sizes> kSizes = {
    {1, 1, 1, 1, 1}, {2, 6, 3, 4, 2}, {3, 5, 7, 6, 3}, {1, 9, 4, 8, 8}, {4, 2, 5, 15, 5}};

/// Changing the last token must leave every earlier output alone, bit for bit, and move the last.
template <class Layer>
void expect_causal(const Layer& layer, const Sizes& sizes, Generator& generator) {
  const Tensor x = rand({sizes.batch, sizes.length, sizes.d_in}, generator);
  const Tensor before = layer.forward(x);
  Tensor changed = x.clone();
  changed.select(1, sizes.length - 1).fill_(7);
  const Tensor after = layer.forward(changed);
  EXPECT_TRUE(equal(before.slice(1, 0, sizes.length - 1), after.slice(1, 0, sizes.length - 1)));
  EXPECT_FALSE(equal(before, after));
}

/// Each entry of the batch must come out as it does alone.
template <class Layer>
void expect_batch_independent(const Layer& layer, const Sizes& sizes, Generator& generator) {
  const Tensor x = rand({sizes.batch, sizes.length, sizes.d_in}, generator);
  const Tensor all = layer.forward(x);
  for (std::int64_t b = 0; b < sizes.batch; ++b) {
    EXPECT_TRUE(equal(layer.forward(x[b].unsqueeze(0))[0], all[b]));
  }
}

MultiHeadAttentionOptions multi_head_options(const Sizes& sizes, double dropout = 0) {
  return {.d_in = static_cast<int>(sizes.d_in),
          .d_out = static_cast<int>(sizes.d_out),
          .context_length = static_cast<int>(sizes.length) + 2,
          .dropout = dropout,
          .num_heads = sizes.heads};
}

CausalAttentionOptions causal_options(const Sizes& sizes, double dropout = 0) {
  return {sizes.d_in, sizes.d_out, sizes.length + 2, dropout};
}

TEST(AttentionTest, CausalClassesLookAtNoLaterToken) {
  Generator generator(3);
  for (const Sizes& sizes : kSizes) {
    const CausalAttentionOptions options = causal_options(sizes);
    expect_causal(CausalAttention(options, generator), sizes, generator);
    expect_causal(CausalAttentionWithoutBuffers(options, generator), sizes, generator);
    expect_causal(MultiHeadAttentionWrapper(options, sizes.heads, generator), sizes, generator);
    expect_causal(MultiHeadAttentionWrapperWithProjection(options, sizes.heads, generator), sizes,
                  generator);
    expect_causal(MultiHeadAttention(multi_head_options(sizes), generator), sizes, generator);
  }
}

TEST(AttentionTest, EntriesOfABatchDoNotMeet) {
  Generator generator(4);
  for (const Sizes& sizes : kSizes) {
    expect_batch_independent(CausalAttention(causal_options(sizes), generator), sizes, generator);
    expect_batch_independent(MultiHeadAttention(multi_head_options(sizes), generator), sizes,
                             generator);
  }
}

TEST(AttentionTest, FirstTokenAttendsToItselfAlone) {
  Generator generator(5);
  for (const Sizes& sizes : kSizes) {
    const CausalAttention layer(causal_options(sizes), generator);
    const Tensor x = rand({sizes.batch, sizes.length, sizes.d_in}, generator);
    expect_close(layer.forward(x).select(1, 0), layer.W_value.forward(x).select(1, 0));
  }
}

TEST(AttentionTest, EachHeadAloneEqualsTheBatchedOnes) {
  Generator generator(6);
  for (const Sizes& sizes : kSizes) {
    const MultiHeadAttention layer(multi_head_options(sizes), generator);
    const Tensor x = rand({sizes.batch, sizes.length, sizes.d_in}, generator);
    std::vector<Tensor> outputs;
    for (std::int64_t h = 0; h < layer.num_heads; ++h) {
      CausalAttentionOptions options = causal_options(sizes);
      options.d_out = layer.head_dim;
      CausalAttention head(options, generator);
      const auto rows = [&](const Linear& all) {
        return all.weight.slice(0, h * layer.head_dim, (h + 1) * layer.head_dim);
      };
      head.load_state_dict({{"mask", layer.mask},
                            {"W_query.weight", rows(layer.W_query)},
                            {"W_key.weight", rows(layer.W_key)},
                            {"W_value.weight", rows(layer.W_value)}});
      outputs.push_back(head.forward(x));
    }
    expect_close(layer.forward(x), layer.out_proj.forward(cat(outputs, -1)));
  }
}

TEST(AttentionTest, WrapperIsItsHeadsSideBySide) {
  Generator generator(7);
  for (const Sizes& sizes : kSizes) {
    const MultiHeadAttentionWrapper layer(causal_options(sizes), sizes.heads, generator);
    const Tensor x = rand({sizes.batch, sizes.length, sizes.d_in}, generator);
    const Tensor output = layer.forward(x);
    EXPECT_EQ(output.size(-1), sizes.heads * sizes.d_out);
    for (std::int64_t h = 0; h < sizes.heads; ++h) {
      EXPECT_TRUE(equal(output.slice(2, h * sizes.d_out, (h + 1) * sizes.d_out),
                        layer.heads[static_cast<std::size_t>(h)]->forward(x)));
    }
  }
}

TEST(AttentionTest, BothSelfAttentionsAgreeOnTransposedWeights) {
  Generator generator(8);
  for (const Sizes& sizes : kSizes) {
    const SelfAttention_v2 second(sizes.d_in, sizes.d_out, generator);
    SelfAttention_v1 first(sizes.d_in, sizes.d_out, generator);
    first.load_state_dict({{"W_query", second.W_query.weight.transpose(0, 1)},
                           {"W_key", second.W_key.weight.transpose(0, 1)},
                           {"W_value", second.W_value.weight.transpose(0, 1)}});
    const Tensor x = rand({sizes.length, sizes.d_in}, generator);
    expect_close(first.forward(x), second.forward(x));
  }
}

TEST(AttentionTest, NamesInStateDictAreTheChapters) {
  Generator generator(9);
  const auto names = [](const Module& module) {
    std::string result;
    for (const auto& [name, tensor] : module.state_dict()) result += name + " ";
    return result;
  };
  const CausalAttentionOptions options = {
      .d_in = 3, .d_out = 2, .context_length = 6, .qkv_bias = true};
  EXPECT_EQ(names(SelfAttention_v1(3, 2, generator)), "W_query W_key W_value ");
  EXPECT_EQ(names(SelfAttention_v2(3, 2, generator)),
            "W_query.weight W_key.weight W_value.weight ");
  EXPECT_EQ(
      names(CausalAttention(options, generator)),
      "mask W_query.weight W_query.bias W_key.weight W_key.bias W_value.weight W_value.bias ");
  EXPECT_EQ(names(CausalAttentionWithoutBuffers({3, 2, 6}, generator)),
            "W_query.weight W_key.weight W_value.weight ");
  EXPECT_EQ(names(MultiHeadAttentionWrapperWithProjection({3, 2, 6}, 2, generator)),
            "heads.0.mask heads.0.W_query.weight heads.0.W_key.weight heads.0.W_value.weight "
            "heads.1.mask heads.1.W_query.weight heads.1.W_key.weight heads.1.W_value.weight "
            "out_proj.weight out_proj.bias ");
  EXPECT_EQ(names(MultiHeadAttention({3, 2, 6}, generator)),
            "mask W_query.weight W_key.weight W_value.weight out_proj.weight out_proj.bias ");
}

TEST(AttentionTest, ParametersOfGpt2Size) {
  Generator generator(10);
  const MultiHeadAttention layer({768, 768, 4, 0.0, 12}, generator);
  EXPECT_EQ(layer.parameter_count(), 2360064);
}

TEST(AttentionTest, DropoutActsInTrainingAlone) {
  const Sizes sizes = {2, 6, 3, 4, 2};
  Generator generator(11);
  MultiHeadAttention layer(multi_head_options(sizes, 0.5), generator);
  const Tensor x = rand({2, 6, 3}, generator);
  EXPECT_FALSE(equal(layer.forward(x), layer.forward(x)));
  layer.eval();
  EXPECT_TRUE(equal(layer.forward(x), layer.forward(x)));
}

/// Fused and step by step, from the same generators.
template <class Make>
void expect_fused_equals_steps(const Make& make, const Tensor& x, double tolerance) {
  for (const bool training : {true, false}) {
    auto steps = make(), fused = make();
    fused->fused = true;
    steps->train(training);
    fused->train(training);
    for (int call = 0; call < 2; ++call) {  // the second one goes on in the generators' streams
      expect_close(fused->forward(x), steps->forward(x), tolerance);
    }
  }
}

TEST(AttentionTest, FusedEqualsStepByStepDropoutIncluded) {
  for (const Sizes& sizes : kSizes) {
    for (const double dropout : {0.0, 0.5, 1.0}) {
      Generator draw(21);
      const Tensor x = randn({sizes.batch, sizes.length, sizes.d_in}, draw);
      const auto from_seed = [](auto make) {
        return [make] {
          Generator generator(22);
          return make(generator);
        };
      };
      expect_fused_equals_steps(from_seed([&](Generator& g) {
                                  return std::make_unique<MultiHeadAttention>(
                                      multi_head_options(sizes, dropout), g);
                                }),
                                x, 1e-5);
      expect_fused_equals_steps(from_seed([&](Generator& g) {
                                  return std::make_unique<CausalAttention>(
                                      causal_options(sizes, dropout), g);
                                }),
                                x, 1e-5);
      expect_fused_equals_steps(from_seed([&](Generator& g) {
                                  return std::make_unique<CausalAttentionWithoutBuffers>(
                                      causal_options(sizes, dropout), g);
                                }),
                                x, 1e-5);
      expect_fused_equals_steps(from_seed([&](Generator& g) {
                                  return std::make_unique<MultiHeadAttentionWrapper>(
                                      causal_options(sizes, dropout), 2, g);
                                }),
                                x, 1e-5);
      expect_fused_equals_steps(from_seed([&](Generator& g) {
                                  return std::make_unique<MultiHeadAttentionWrapperWithProjection>(
                                      causal_options(sizes, dropout), 2, g);
                                }),
                                x, 1e-5);
      expect_fused_equals_steps(from_seed([&](Generator& g) {
                                  return std::make_unique<SelfAttention_v1>(sizes.d_in, sizes.d_out,
                                                                            g);
                                }),
                                x[0], 1e-5);
      expect_fused_equals_steps(from_seed([&](Generator& g) {
                                  return std::make_unique<SelfAttention_v2>(sizes.d_in, sizes.d_out,
                                                                            g);
                                }),
                                x[0], 1e-5);
    }
  }
}

TEST(AttentionTest, FusedKeepsToTheMaskBuffer) {
  Generator generator(23);
  MultiHeadAttention layer({3, 4, 6, 0.0, 2}, generator);
  const Tensor x = randn({2, 5, 3}, generator);
  layer.mask.select(0, 4).fill_(0);
  layer.mask.select(1, 2).fill_(2);  // dropped for all: anything but 0 drops
  const Tensor steps = layer.forward(x);
  layer.fused = true;
  expect_close(layer.forward(x), steps, 1e-5);
}

TEST(AttentionTest, EmptyBatchesAndSequencesPassThrough) {
  Generator generator(12);
  const MultiHeadAttention many({3, 4, 6, 0.5, 2}, generator);
  const CausalAttention one({3, 2, 6, 0.5}, generator);
  for (const Shape& shape : {Shape{0, 4, 3}, Shape{2, 0, 3}, Shape{0, 0, 3}}) {
    EXPECT_EQ(many.forward(Tensor::zeros(shape)).shape(), (Shape{shape[0], shape[1], 4}));
    EXPECT_EQ(one.forward(Tensor::zeros(shape)).shape(), (Shape{shape[0], shape[1], 2}));
  }
  EXPECT_EQ(SelfAttention_v1(3, 2, generator).forward(Tensor::zeros({0, 3})).shape(),
            (Shape{0, 2}));
  MultiHeadAttention fused({3, 4, 6, 0.5, 2}, generator);
  fused.fused = true;
  for (const Shape& shape : {Shape{0, 4, 3}, Shape{2, 0, 3}, Shape{0, 0, 3}}) {
    EXPECT_EQ(fused.forward(Tensor::zeros(shape)).shape(), (Shape{shape[0], shape[1], 4}));
  }
}

TEST(AttentionTest, MaskLeftBehindIsNamedWithItsDtype) {
  Generator generator(13);
  CausalAttentionWithoutBuffers plain({3, 2, 6}, generator);
  CausalAttention buffered({3, 2, 6}, generator);
  plain.to(DType::float64);
  buffered.to(DType::float64);
  const Tensor x = rand({2, 6, 3}, generator, DType::float64);
  const std::string message = message_of([&] { plain.forward(x); });
  EXPECT_NE(message.find("float32"), std::string::npos) << message;
  EXPECT_NE(message.find("float64"), std::string::npos) << message;
  EXPECT_EQ(buffered.forward(x).dtype(), DType::float64);
  plain.mask = plain.mask.to(DType::float64);
  EXPECT_EQ(plain.forward(x).shape(), (Shape{2, 6, 2}));
}

TEST(AttentionTest, HalvesStayNearFloat32) {
  Generator generator(14);
  MultiHeadAttention layer({3, 4, 6, 0.0, 2}, generator);
  const Tensor x = rand({2, 6, 3}, generator);
  const Tensor expected = layer.forward(x);
  for (DType dtype : {DType::float64, DType::float16, DType::bfloat16}) {
    layer.to(dtype);
    expect_close(layer.forward(x.to(dtype)).to(DType::float32), expected, 0.02);
  }
}

TEST(AttentionTest, ShapesAreCheckedAtTheDoor) {
  Generator generator(15);
  const auto expect = [](const std::string& rule, const auto& function) {
    const std::string message = message_of(function);
    EXPECT_NE(message.find(rule), std::string::npos) << rule << "\n" << message;
  };
  const SelfAttention_v1 first(3, 2, generator);
  const SelfAttention_v2 second(3, 2, generator);
  const CausalAttention causal({3, 2, 6}, generator);
  const MultiHeadAttention many({3, 4, 6, 0.0, 2}, generator);
  expect("(2, 6, 3): it must be (L, d_in) with d_in = 3",
         [&] { first.forward(Tensor::zeros({2, 6, 3})); });
  expect("SelfAttention_v2: x is undefined", [&] { second.forward(Tensor()); });
  expect("(6, 3): it must be (B, L, d_in)", [&] { causal.forward(Tensor::zeros({6, 3})); });
  expect("with d_in = 3", [&] { many.forward(Tensor::zeros({2, 6, 4})); });
  expect("context_length 6", [&] { causal.forward(Tensor::zeros({1, 7, 3})); });
  expect("context_length 6", [&] { many.forward(Tensor::zeros({1, 7, 3})); });
  expect("float64", [&] { many.forward(Tensor::zeros({1, 6, 3}, DType::float64)); });
  expect("d_out is 5 and num_heads 2", [&] { MultiHeadAttention({3, 5, 6, 0.0, 2}, generator); });
  expect("num_heads is 0", [&] { MultiHeadAttention({3, 4, 6, 0.0, 0}, generator); });
  expect("num_heads is 0", [&] { MultiHeadAttentionWrapper({3, 2, 6}, 0, generator); });
  expect("context_length is 0", [&] { CausalAttention({3, 2, 0}, generator); });
  expect("d_in is 0", [&] { SelfAttention_v1(0, 2, generator); });
  expect("p is 2", [&] { CausalAttention({3, 2, 6, 2.0}, generator); });
}

}  // namespace
}  // namespace foveal::nn
