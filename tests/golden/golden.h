#pragma once
// The golden cases (tests/data/chapter3.json) as a fixture: the test Golden.ID works on the case
// ID, and fails unless it has used every value of it.

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "foveal/foveal.h"

namespace foveal {

using nlohmann::json;

inline const json& golden_cases() {
  static const json cases = [] {
    std::ifstream file(FOVEAL_TEST_DATA "/chapter3.json");
    return json::parse(file).at("cases");
  }();
  return cases;
}

/// Null where there is none.
inline json golden_case(const std::string& id) {
  for (const json& test_case : golden_cases()) {
    if (test_case.at("id") == id) return test_case;
  }
  return nullptr;
}

/// An infinity or NaN is written as text.
inline double golden_number(const json& value) {
  return value.is_string() ? std::stod(value.get<std::string>()) : value.get<double>();
}

/// All numbers of a value: {"shape", "data"}, a nested list, or one number.
inline std::vector<double> golden_numbers(const json& value) {
  if (value.is_object()) return golden_numbers(value.at("data"));
  if (!value.is_array()) return {golden_number(value)};
  std::vector<double> numbers;
  for (const json& item : value) {
    for (double number : golden_numbers(item)) numbers.push_back(number);
  }
  return numbers;
}

/// Its shape: as written, or that of the nested list.
inline Shape golden_shape(const json& value) {
  if (value.is_object()) return value.at("shape").get<Shape>();
  Shape shape;
  for (const json* level = &value; level->is_array(); level = &level->front()) {
    shape.push_back(static_cast<std::int64_t>(level->size()));
  }
  return shape;
}

inline Tensor golden_tensor(const json& value, DType dtype = DType::float32) {
  return Tensor::from_vector(golden_numbers(value), golden_shape(value)).to(dtype);
}

/// The agreement that is asked for: |ours - golden| <= 1e-6 max(1, |golden|).
inline bool agrees(double ours, double golden) {
  if (!std::isfinite(golden)) return ours == golden || (std::isnan(ours) && std::isnan(golden));
  return std::abs(ours - golden) <= 1e-6 * std::max(1.0, std::abs(golden));
}

class Golden : public testing::Test {
 public:
  void SetUp() override {
    const std::string id = testing::UnitTest::GetInstance()->current_test_info()->name();
    case_ = golden_case(id);
    ASSERT_FALSE(case_.is_null()) << "no golden case " << id;
    collect_values(case_, "");
  }

  void TearDown() override {
    for (const std::string& path : unused_) ADD_FAILURE() << path << " was never looked at";
  }

  std::uint64_t seed() const { return case_.at("seed").get<std::uint64_t>(); }

  const json& at(const std::string& path) const { return case_.at(json::json_pointer(path)); }

  /// A value that the test compares by itself.
  const json& look_at(const std::string& path) {
    unused_.erase(path);
    return at(path);
  }

  /// An input of the case.
  Tensor given(const std::string& path, DType dtype = DType::float32) {
    return golden_tensor(look_at(path), dtype);
  }

  /// Every value agrees, and the shapes are equal.
  void expect_close(const std::string& path, const Tensor& ours) {
    compare(path, ours.shape(), ours.to_vector(), agrees);
  }
  void expect_close(const std::string& path, double ours) { compare(path, {}, {ours}, agrees); }

  /// Every value is equal: what random numbers and integers have to be.
  void expect_equal(const std::string& path, const Tensor& ours) {
    compare(path, ours.shape(), ours.to_vector(), std::equal_to<double>());
  }
  void expect_equal(const std::string& path, double ours) {
    compare(path, {}, {ours}, std::equal_to<double>());
  }

  /// The names under `path` are those of `module`, and each tensor is equal.
  void expect_state(const std::string& path, const nn::Module& module) {
    const StateDict state = module.state_dict();
    EXPECT_EQ(state.size(), at(path).size()) << path;
    for (const auto& [name, tensor] : state) {
      ASSERT_TRUE(at(path).contains(name)) << path << " has no " << name;
      expect_equal(path + "/" + name, tensor);
    }
  }

 private:
  template <class Agrees>
  void compare(const std::string& path, const Shape& shape, const std::vector<double>& ours,
               Agrees agree) {
    const json& value = look_at(path);
    ASSERT_EQ(to_string(shape), to_string(golden_shape(value))) << path;
    const std::vector<double> golden = golden_numbers(value);
    ASSERT_EQ(ours.size(), golden.size()) << path;
    for (std::size_t i = 0; i < golden.size(); ++i) {
      EXPECT_TRUE(agree(ours[i], golden[i]))
          << path << ", element " << i << ": ours " << testing::PrintToString(ours[i])
          << ", golden " << testing::PrintToString(golden[i]);
    }
  }

  /// The paths of all values. What only describes the case is none.
  void collect_values(const json& object, const std::string& path) {
    const std::set<std::string> described = {"/id", "/section", "/what", "/seed", "/p", "/text"};
    for (const auto& [key, value] : object.items()) {
      const std::string place = path + "/" + key;
      if (described.count(place) > 0) continue;
      if (value.is_object() && !value.contains("data")) {
        collect_values(value, place);
      } else {
        unused_.insert(place);
      }
    }
  }

  json case_;
  std::set<std::string> unused_;
};

// What several cases start from.

/// x (6, 3) of the chapter.
inline Tensor chapter_inputs() {
  return golden_tensor(golden_case("simple_scores_query2").at("values").at("inputs"));
}

/// The inputs stacked twice, (2, 6, 3).
inline Tensor chapter_batch() { return stack({chapter_inputs(), chapter_inputs()}, 0); }

}  // namespace foveal
