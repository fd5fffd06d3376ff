#pragma once
// Inputs of all kinds, drawn from a seed, as foveal.input/1 documents.

#include <cmath>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

namespace foveal::trace {

using Rows = std::vector<std::vector<double>>;

inline Rows random_rows(std::mt19937_64& random, std::size_t rows, std::size_t columns) {
  std::uniform_int_distribution<int> hundredths(-250, 250);
  Rows result(rows, std::vector<double>(columns));
  for (auto& row : result) {
    for (double& value : row) value = hundredths(random) / 100.0;
  }
  return result;
}

/// Heads, widths, W or none, biases, scales, masks, dropout and an output projection, as `seed`
/// has it.
inline nlohmann::json generated_input(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto pick = [&](int low, int high) {
    return std::uniform_int_distribution<int>(low, high)(random);
  };
  const auto length = static_cast<std::size_t>(pick(1, 12));
  const auto d_in = static_cast<std::size_t>(pick(1, 12));
  const bool has_weights = pick(0, 9) > 1;
  const auto heads = static_cast<std::size_t>(has_weights ? pick(1, 3) : 1);
  const std::size_t d = has_weights ? heads * static_cast<std::size_t>(pick(1, 5)) : d_in;
  const std::size_t d_v = has_weights ? heads * static_cast<std::size_t>(pick(1, 5)) : d_in;
  nlohmann::json input = {{"inputs", random_rows(random, length, d_in)}, {"num_heads", heads}};
  if (has_weights) {
    for (const char* name : {"query", "key", "value"}) {
      const std::size_t width = name == std::string("value") ? d_v : d;
      input[std::string("W_") + name] = random_rows(random, d_in, width);
      if (pick(0, 2) == 0) input[std::string("b_") + name] = random_rows(random, 1, width)[0];
    }
  }
  if (pick(0, 2) == 0)
    input["W_out"] = random_rows(random, d_v, static_cast<std::size_t>(pick(1, 4)));
  if (input.contains("W_out") && pick(0, 1) == 0) {
    input["b_out"] = random_rows(random, 1, input["W_out"][0].size())[0];
  }
  const int scale = pick(0, 3);
  if (scale == 1) input["scale"] = "sqrt";
  if (scale == 2) input["scale"] = "none";
  if (scale == 3) input["scale"] = -0.37;
  const int mask = pick(0, 3);
  if (mask == 1) input["mask"] = "none";
  if (mask == 2) input["mask"] = "causal";
  if (mask == 3) {
    std::vector<std::vector<bool>> rows(length, std::vector<bool>(length));
    for (auto& row : rows) {
      for (std::size_t j = 0; j < length; ++j) row[j] = pick(0, 2) > 0;
    }
    input["mask"] = rows;
  }
  if (pick(0, 2) == 0) input["dropout"] = {{"p", pick(0, 4) / 4.0}, {"seed", pick(0, 1000)}};
  return input;
}

}  // namespace foveal::trace
