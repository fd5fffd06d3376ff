// A bool tensor over foreign memory may hold any byte: each but 0 is true, whoever reads it.

#include <gtest/gtest.h>

#include <memory>

#include "foveal/operations.h"
#include "foveal/tensor.h"
#include "tensor/samples.h"

namespace foveal {
namespace {

using samples::Sampler;

struct Flags {
  Tensor any;   ///< bytes 0, 1, 2, 128, 255
  Tensor pure;  ///< the same truth, 0 and 1
};

Tensor over(const std::shared_ptr<std::vector<unsigned char>>& bytes, const Shape& shape) {
  return Tensor::from_blob(static_cast<void*>(bytes->data()), shape, {}, DType::boolean,
                           [bytes](void*) {});
}

/// Dense, transposed, or every other element.
Flags draw(Sampler& sampler, Shape shape) {
  const std::int64_t layout = shape.size() >= 2 ? sampler.integer(0, 2) : 0;
  Shape stored = shape;
  if (layout == 1) std::swap(stored[0], stored[1]);
  if (layout == 2) stored[1] *= 2;
  const unsigned char values[] = {0, 1, 2, 128, 255};
  const auto count = static_cast<std::size_t>(element_count(stored));
  // One more, so that an empty tensor has an address too.
  const auto bytes = std::make_shared<std::vector<unsigned char>>(count + 1);
  const auto truth = std::make_shared<std::vector<unsigned char>>(count + 1);
  for (std::size_t n = 0; n < count; ++n) {
    (*bytes)[n] = values[sampler.integer(0, 4)];
    (*truth)[n] = (*bytes)[n] != 0 ? 1 : 0;
  }
  const auto view = [&](const Tensor& tensor) {
    if (layout == 1) return tensor.transpose(0, 1);
    return layout == 2 ? tensor.slice(1, 0, stored[1], 2) : tensor;
  };
  return {view(over(bytes, stored)), view(over(truth, stored))};
}

/// A small shape, or one that takes every loop of a chunk.
Shape draw_shape(Sampler& sampler) {
  if (sampler.integer(0, 3) == 0) return {sampler.integer(1, 90), sampler.integer(1, 90)};
  return sampler.shape(sampler.integer(0, 3));
}

void expect_same(const Tensor& a, const Tensor& b, const char* what) {
  ASSERT_EQ(a.shape(), b.shape()) << what;
  EXPECT_EQ(a.to_vector(), b.to_vector()) << what;
}

TEST(BoolBytes, EveryReaderTakesAnyByteButZeroForTrue) {
  Sampler sampler(11);
  for (int n = 0; n < 300; ++n) {
    const Shape shape = draw_shape(sampler);
    const Flags flags = draw(sampler, shape), others = draw(sampler, shape);
    const Tensor &any = flags.any, &pure = flags.pure;
    expect_same(any, pure, "to_vector");
    EXPECT_TRUE(equal(any, pure));
    EXPECT_TRUE(allclose(any, pure, 0, 0));
    EXPECT_EQ(to_string(any), to_string(pure));
    for (const DType dtype : samples::kNumbers) expect_same(any.to(dtype), pure.to(dtype), "to");
    expect_same(logical_not(any), logical_not(pure), "logical_not");
    expect_same(eq(any, 1.0), eq(pure, 1.0), "eq");
    expect_same(eq(any, others.any), eq(pure, others.pure), "eq");
    expect_same(ne(any, others.any), ne(pure, others.pure), "ne");
    expect_same(lt(any, others.any), lt(pure, others.pure), "lt");
    expect_same(ge(any, others.any), ge(pure, others.pure), "ge");
    EXPECT_EQ(sum(any).item(), sum(pure).item());
    for (std::int64_t axis = 0; axis < any.rank(); ++axis) {
      expect_same(sum(any, axis, false), sum(pure, axis, false), "sum");
      if (any.size(axis) == 0) continue;
      expect_same(max(any, axis, false), max(pure, axis, false), "max");
    }
    expect_same(any.clone(), pure, "clone");
    expect_same(any.contiguous(), pure, "contiguous");
    expect_same(Tensor::zeros(shape, DType::boolean).copy_(any), pure, "copy_");
    expect_same(Tensor::zeros(shape, DType::float16).copy_(any), pure, "copy_");
    for (const DType dtype : samples::kAll) {
      const Tensor numbers = sampler.dense(shape, dtype);
      expect_same(masked_fill(numbers, any, 1), masked_fill(numbers, pure, 1), "masked_fill");
    }
    expect_same(masked_fill(any, others.any, 0), masked_fill(pure, others.pure, 0), "masked_fill");
    if (!shape.empty()) expect_same(cat({any, others.any}, 0), cat({pure, others.pure}, 0), "cat");
    if (shape.size() >= 2) expect_same(triu(any), triu(pure), "triu");
  }
}

/// What each operation that returns bool makes of the flags.
std::vector<std::pair<const char*, Tensor>> computed(const Tensor& any) {
  const Tensor zeros = Tensor::zeros(any.shape(), DType::boolean);
  Shape doubled = any.shape();
  doubled.insert(doubled.begin(), 2);
  std::vector<std::pair<const char*, Tensor>> results = {
      {"clone", any.clone()},
      {"copy_", zeros.clone().copy_(any)},
      {"to", any.to(DType::float32).to(DType::boolean)},
      {"logical_not", logical_not(any)},
      {"eq number", eq(any, 1.0)},
      {"eq", eq(any, any)},
      {"ne", ne(any, any)},
      {"lt", lt(any, any)},
      {"ge", ge(any, any)},
      {"masked_fill", masked_fill(any, zeros, 1)},
      {"masked_fill by flags", masked_fill(zeros, any, 1)},
      {"masked_fill_", any.clone().masked_fill_(any, 1)},
      {"stack", stack({any, any}, 0)},
      {"contiguous", any.unsqueeze(0).expand(doubled).contiguous()},
  };
  if (any.rank() == 0) return results;
  results.emplace_back("cat", cat({any, any}, 0));
  if (any.size(0) > 0) results.emplace_back("max", max(any, 0));
  if (any.rank() < 2) return results;
  results.emplace_back("transposed", any.transpose(0, 1).clone());
  results.emplace_back("triu", triu(any));
  results.emplace_back("tril", tril(any));
  const Tensor ids = Tensor::arange(any.size(0));
  if (any.rank() == 2) results.emplace_back("embedding", embedding(any, ids));
  return results;
}

TEST(BoolBytes, WhatIsComputedHoldsZerosAndOnes) {
  Sampler sampler(12);
  for (int n = 0; n < 100; ++n) {
    for (const auto& [name, result] : computed(draw(sampler, draw_shape(sampler)).any)) {
      ASSERT_TRUE(result.is_contiguous()) << name;
      const auto* const bytes = static_cast<const unsigned char*>(result.raw_data());
      for (std::int64_t i = 0; i < result.element_count(); ++i) ASSERT_LE(bytes[i], 1) << name;
    }
  }
}

}  // namespace
}  // namespace foveal
