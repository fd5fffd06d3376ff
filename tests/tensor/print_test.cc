// to_string(Tensor) against PyTorch's own text for some 500 tensors.

#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "foveal/operations.h"
#include "foveal/tensor.h"

namespace foveal {
namespace {

using nlohmann::json;

json read_cases() {
  std::ifstream file(FOVEAL_TEST_DATA "/print_cases.json");
  return json::parse(file).at("cases");
}

DType dtype_named(const std::string& name) {
  for (DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16, DType::int64,
                      DType::boolean}) {
    if (to_string(dtype) == name) return dtype;
  }
  throw std::runtime_error("no dtype " + name);
}

double number(const json& value) {
  return value.is_string() ? std::stod(value.get<std::string>()) : value.get<double>();
}

/// The large cases give a rule instead of numbers.
std::vector<std::int64_t> ramp(std::int64_t count) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) values[i] = i * 7919 % 10007 - 5000;
  return values;
}

Tensor tensor_of(const json& test_case) {
  const DType dtype = dtype_named(test_case.at("dtype"));
  const Shape shape = test_case.at("shape").get<Shape>();
  if (test_case.contains("divisor")) {
    const Tensor values = Tensor::from_vector(ramp(element_count(shape)), shape);
    if (dtype == DType::int64) return values;
    return (values.to(DType::float64) / test_case.at("divisor").get<double>()).to(dtype);
  }
  if (dtype == DType::int64) {
    return Tensor::from_vector(test_case.at("data").get<std::vector<std::int64_t>>(), shape);
  }
  std::vector<double> values;
  for (const json& value : test_case.at("data")) values.push_back(number(value));
  return Tensor::from_vector(values, shape).to(dtype);
}

TEST(Print, EqualsPyTorch) {
  const json cases = read_cases();
  ASSERT_GT(cases.size(), 400u);
  for (std::size_t i = 0; i < cases.size(); ++i) {
    EXPECT_EQ(to_string(tensor_of(cases[i])), cases[i].at("text").get<std::string>())
        << "case " << i << ": " << cases[i].at("dtype") << " " << cases[i].at("shape");
  }
}

TEST(Print, ViewsPrintLikeTheirCopies) {
  const Tensor whole = (Tensor::arange(2 * 7 * 90, DType::float32) / 8.0).view({2, 7, 90});
  const std::vector<Tensor> views = {
      whole.transpose(0, 2),
      whole.permute({1, 2, 0}),
      whole.slice(2, 3, 40, 4),
      whole[1].transpose(0, 1).slice(0, 5, 9),
      whole.select(2, 4),
      whole.slice(1, 6, 7).expand({2, 9, 90}),
      whole.slice(2, 0, 0),
      whole[1][2].unsqueeze(1),
      whole[0][0][0].expand({3, 4}),
      whole[1][6][89],
  };
  for (const Tensor& view : views) {
    EXPECT_EQ(to_string(view), to_string(view.clone())) << to_string(view.shape());
  }
}

TEST(Print, NegativeStrides) {
  const std::vector<float> memory = {1, 2, 3};
  const void* last = memory.data() + 2;
  const Tensor reversed = Tensor::from_blob(last, {3}, {-1}, DType::float32);
  EXPECT_EQ(to_string(reversed), "tensor([3., 2., 1.])");
}

TEST(Print, ExactBeyondTheIntegersOfFloat64) {
  const Tensor big = Tensor::from_vector(std::vector<std::int64_t>{9007199254740993}, {1});
  EXPECT_EQ(to_string(big), "tensor([9007199254740993])");
}

TEST(Print, Undefined) { EXPECT_EQ(to_string(Tensor()), "tensor(undefined)"); }

}  // namespace
}  // namespace foveal
