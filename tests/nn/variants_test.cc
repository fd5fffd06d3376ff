// The nine variants of multi-head attention: one result, whichever way.

#include "foveal/nn/variants.h"

#include <gtest/gtest.h>

#include <cmath>

#include "foveal/foveal.h"
#include "tensor/samples.h"

namespace foveal::nn::variants {
namespace {

using samples::expect_error;

MultiHeadAttentionOptions small() {
  return {.d_in = 12, .d_out = 12, .context_length = 9, .dropout = 0.0, .num_heads = 3};
}

TEST(Variants, NineAgreeOnWeightsOfAnyOfThem) {
  for (const bool qkv_bias : {false, true}) {
    MultiHeadAttentionOptions options = small();
    options.qkv_bias = qkv_bias;
    Generator generator(1);
    const Tensor x = randn({2, 7, 12}, generator);
    for (const std::string& source : names()) {
      const std::unique_ptr<Variant> from = make(source, options, generator);
      // Some biases begin as zeros, and would be lost unnoticed.
      for (const auto& [name, parameter] : from->named_parameters()) {
        Tensor numbers = parameter.detach();
        if (numbers.rank() == 1) numbers.copy_(randn(numbers.shape(), generator));
      }
      const Tensor expected = from->forward(x).detach();
      for (const std::string& name : names()) {
        const std::unique_ptr<Variant> to = make(name, options, generator);
        EXPECT_EQ(to->name(), name);
        ASSERT_FALSE(allclose(to->forward(x).detach(), expected, 0, 1e-3));
        convert(*from, *to);
        EXPECT_TRUE(allclose(to->forward(x).detach(), expected, 0, 1e-5))
            << source << " to " << name << (qkv_bias ? " with biases" : "");
      }
    }
  }
}

/// Gradients of the input, and of the weights that all share, in float64.
TEST(Variants, GradientsAgree) {
  MultiHeadAttentionOptions options = small();
  options.qkv_bias = true;
  Generator generator(2);
  Tensor x = randn({2, 9, 12}, generator, DType::float64).requires_grad_();
  Chapter chapter(options, generator);
  chapter.to(DType::float64);
  const Tensor weights = randn({2, 9, 12}, generator, DType::float64);
  sum(chapter.forward(x) * weights).backward();
  const Tensor expected = x.grad().clone();
  for (const std::string& name : names()) {
    const std::unique_ptr<Variant> variant = make(name, options, generator);
    variant->to(DType::float64);
    convert(chapter, *variant);
    x.zero_grad();
    sum(variant->forward(x) * weights).backward();
    EXPECT_TRUE(allclose(x.grad(), expected, 0, 1e-10)) << name;
    for (const auto& [parameter, tensor] : variant->named_parameters()) {
      EXPECT_TRUE(tensor.grad().defined()) << name << " " << parameter;
    }
  }
}

/// The bonus part's own sizes and seeds (d_in, d_out, batch, tokens, heads).
TEST(Variants, EinsumIsTheChapters) {
  const std::int64_t cases[][5] = {
      {768, 768, 2, 4, 12}, {768, 1536, 2, 4, 12}, {1024, 512, 2, 4, 8}};
  for (const auto& [d_in, d_out, batch, tokens, heads] : cases) {
    for (const std::uint64_t seed : {123, 456, 789}) {
      Generator generator(seed);
      const MultiHeadAttentionOptions options{.d_in = static_cast<int>(d_in),
                                              .d_out = static_cast<int>(d_out),
                                              .context_length = static_cast<int>(tokens),
                                              .num_heads = static_cast<int>(heads)};
      Chapter chapter(options, generator);
      Einsum einsum(options, generator);
      convert(chapter, einsum);
      const Tensor x = randn({batch, tokens, d_in}, generator);
      EXPECT_TRUE(allclose(chapter.forward(x).detach(), einsum.forward(x).detach(), 1e-5, 1e-6));
    }
  }
}

TEST(Variants, TheChaptersIsTheChaptersClass) {
  Generator one(123), two(123);
  const MultiHeadAttentionOptions options = small();
  Chapter chapter(options, one);
  MultiHeadAttention module(options, two);
  const Tensor x = randn({1, 5, 12}, one);
  EXPECT_TRUE(equal(chapter.forward(x).detach(), module.forward(x).detach()));
  chapter.load_state_dict(module.state_dict());
}

TEST(Variants, SevenGivesWeightsThatSumToOne) {
  Generator generator(3);
  const PackedProjection variant(small(), generator);
  const Tensor x = randn({2, 6, 12}, generator);
  const auto [output, weights] = variant.forward_with_weights(x);
  EXPECT_EQ(weights.shape(), (Shape{2, 6, 6}));
  EXPECT_TRUE(allclose(sum(weights, -1), Tensor::ones({2, 6}), 0, 1e-6));
  EXPECT_TRUE(equal(triu(weights, 1), Tensor::zeros({2, 6, 6})));
  EXPECT_TRUE(equal(output.detach(), variant.forward(x).detach()));
}

TEST(Variants, NineTakesAnyMask) {
  Generator generator(4);
  MaskExpression window_of_two(small(), generator, causal() & window(1, 0));
  Chapter chapter(small(), generator);
  convert(window_of_two, chapter);
  {
    // The same mask as the chapter's matrix: 1 drops.
    const Tensor ones = Tensor::ones({9, 9});
    chapter.mask = ones - tril(triu(ones, -1), 0);
  }
  const Tensor x = randn({1, 9, 12}, generator);
  EXPECT_TRUE(allclose(window_of_two.forward(x).detach(), chapter.forward(x).detach(), 0, 1e-5));
}

TEST(Variants, DropoutDropsInTrainingAlone) {
  MultiHeadAttentionOptions options = small();
  options.dropout = 0.5;
  for (const std::string& name : names()) {
    Generator generator(5);
    const std::unique_ptr<Variant> variant = make(name, options, generator);
    const Tensor x = randn({1, 9, 12}, generator);
    const Tensor first = variant->forward(x).detach(), second = variant->forward(x).detach();
    EXPECT_FALSE(allclose(first, second, 0, 1e-4)) << name;
    variant->eval();
    EXPECT_TRUE(equal(variant->forward(x).detach(), variant->forward(x).detach())) << name;
  }
}

TEST(Variants, EachDtype) {
  Generator generator(6);
  const Tensor x = randn({1, 8, 12}, generator);
  for (const std::string& name : names()) {
    const std::unique_ptr<Variant> variant = make(name, small(), generator);
    const Tensor expected = variant->forward(x).detach();
    for (const DType dtype : {DType::bfloat16, DType::float16}) {
      variant->to(dtype);
      const Tensor output = variant->forward(x.to(dtype)).detach();
      EXPECT_EQ(output.dtype(), dtype);
      EXPECT_TRUE(allclose(output.to(DType::float32), expected, 0.05, 0.05)) << name;
      variant->to(DType::float32);
    }
  }
}

TEST(Variants, PackedWeightsAreDrawnAsPyTorchDrawsThem) {
  // torch.manual_seed(123); torch.nn.MultiheadAttention(8, 2, bias=False).in_proj_weight[0, :4]
  const float of_torch[] = {-0.172454059F, 0.0173800606F, -0.100991294F, -0.0475842729F};
  Generator generator(123);
  const PackedProjection variant({.d_in = 8, .d_out = 8, .context_length = 7, .num_heads = 2},
                                 generator);
  for (std::int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(variant.multihead_attn.in_proj_weight.at({0, i}), of_torch[i]);
  }
}

TEST(Variants, ErrorsNameTheOption) {
  Generator generator(7);
  MultiHeadAttentionOptions options = small();
  options.num_heads = 5;
  for (const std::string& name : names()) {
    expect_error([&] { make(name, options, generator); },
                 {"d_out is 12", "num_heads 5", "divisible"});
  }
  options = small();
  options.d_in = 8;
  for (const char* const name : {"packed_projection", "packed_projection_no_weights"}) {
    expect_error([&] { make(name, options, generator); }, {"d_in is 8", "d_out 12", "the same"});
  }
  options = small();
  options.dropout = 1.5;
  for (const std::string& name : names()) {
    expect_error([&] { make(name, options, generator); }, {"1.5", "from 0 to 1"});
  }
  expect_error([&] { make("flash", small(), generator); }, {"flash", "causal_wrapper", "einsum"});
  const std::unique_ptr<Variant> variant = make("fused", small(), generator);
  expect_error([&] { variant->forward(Tensor::zeros({1, 10, 12})); },
               {"Fused", "(1, 10, 12)", "9"});
  expect_error([&] { variant->forward(Tensor::zeros({1, 3, 11})); }, {"Fused", "d_in = 12"});

  options = small();
  options.qkv_bias = true;
  const std::unique_ptr<Variant> biased = make("chapter", options, generator);
  const Tensor before = variant->named_parameters()[0].second.detach().clone();
  expect_error([&] { convert(*biased, *variant); }, {"biases", "qkv_bias = true"});
  EXPECT_TRUE(equal(before, variant->named_parameters()[0].second.detach()));
  // Each of another shape, or missing: named, and nothing is written.
  const auto members = {&Weights::query, &Weights::key, &Weights::value, &Weights::out};
  for (const std::string& name : names()) {
    const std::unique_ptr<Variant> kept = make(name, small(), generator);
    const StateDict state = kept->state_dict();
    std::vector<Tensor> copies;
    for (const auto& [entry, tensor] : state) copies.push_back(tensor.clone());
    for (Tensor Weights::* const member : members) {
      for (const Tensor& wrong : {Tensor(), Tensor::zeros({1, 12}), Tensor::zeros({12, 11})}) {
        Weights weights = variant->weights();
        weights.*member = wrong;
        expect_error([&] { kept->set_weights(weights); }, {"the weights' ", "(12, 12)"});
      }
    }
    Weights weights = variant->weights();
    weights.out_bias = Tensor::zeros({1});
    expect_error([&] { kept->set_weights(weights); }, {"out_bias", "(1)", "(12)"});
    for (std::size_t n = 0; n < state.size(); ++n) EXPECT_TRUE(equal(copies[n], state[n].second));
  }
  options = small();
  options.num_heads = 4;
  const std::unique_ptr<Variant> four = make("chapter", options, generator);
  expect_error([&] { convert(*four, *variant); }, {"num_heads 4", "3", "the same"});
}

}  // namespace
}  // namespace foveal::nn::variants
