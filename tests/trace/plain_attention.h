#pragma once
// Attention on plain nested vectors, with the slips that people make: written apart from the
// library, so that what it prints can be held against it.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "trace/input/input.h"

namespace plain {

using Matrix = std::vector<std::vector<double>>;
using Heads = std::vector<Matrix>;

inline Matrix transposed(const Matrix& a) {
  Matrix result(a[0].size(), std::vector<double>(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < a[0].size(); ++j) result[j][i] = a[i][j];
  }
  return result;
}

inline Matrix product(const Matrix& a, const Matrix& b) {
  Matrix result(a.size(), std::vector<double>(b[0].size(), 0));
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < b[0].size(); ++j) {
      for (std::size_t k = 0; k < b.size(); ++k) result[i][j] += a[i][k] * b[k][j];
    }
  }
  return result;
}

inline Matrix softmax(const Matrix& a) {
  Matrix result = a;
  for (auto& row : result) {
    double sum = 0;
    for (double& x : row) sum += x = std::exp(x);
    for (double& x : row) x /= sum;
  }
  return result;
}

inline Heads split(const Matrix& x, std::size_t heads) {
  const std::size_t width = x[0].size() / heads;
  Heads result(heads, Matrix(x.size()));
  for (std::size_t h = 0; h < heads; ++h) {
    for (std::size_t i = 0; i < x.size(); ++i) {
      const auto start = x[i].begin() + static_cast<std::ptrdiff_t>(h * width);
      result[h][i].assign(start, start + static_cast<std::ptrdiff_t>(width));
    }
  }
  return result;
}

enum class Product { query_key, untransposed, key_query };
enum class Softmax { rows, columns, before_mask };

/// What a run is set up with. A slip changes it.
struct Plan {
  std::size_t heads = 1;
  Matrix X, W_query, W_key, W_value;
  double scale = 1;
  std::vector<std::vector<bool>> mask;  ///< empty: none
  Product product = Product::query_key;
  Softmax softmax = Softmax::rows;
  Heads dropout_mask;  ///< empty: no dropout
  double dropout_scale = 1;
};

inline Matrix masked(Matrix a, const std::vector<std::vector<bool>>& mask, double value) {
  for (std::size_t i = 0; i < mask.size(); ++i) {
    for (std::size_t j = 0; j < mask.size(); ++j) {
      if (!mask[i][j]) a[i][j] = value;
    }
  }
  return a;
}

/// Every step by its name; steps without a head axis have one matrix.
inline std::map<std::string, Heads> run(const Plan& s) {
  std::map<std::string, Heads> steps;
  steps["queries"] = split(product(s.X, s.W_query), s.heads);
  steps["keys"] = split(product(s.X, s.W_key), s.heads);
  steps["values"] = split(product(s.X, s.W_value), s.heads);
  Matrix context(s.X.size());
  for (std::size_t h = 0; h < s.heads; ++h) {
    const Matrix& q = steps["queries"][h];
    const Matrix& k = steps["keys"][h];
    Matrix scores = s.product == Product::query_key   ? product(q, transposed(k))
                    : s.product == Product::key_query ? product(k, transposed(q))
                                                      : product(q, k);
    steps["scores"].push_back(scores);
    for (auto& row : scores) {
      for (double& x : row) x *= s.scale;
    }
    steps["scaled_scores"].push_back(scores);
    const Matrix hidden = masked(scores, s.mask, -std::numeric_limits<double>::infinity());
    steps["masked_scores"].push_back(hidden);
    Matrix weights = s.softmax == Softmax::rows      ? softmax(hidden)
                     : s.softmax == Softmax::columns ? transposed(softmax(transposed(hidden)))
                                                     : masked(softmax(scores), s.mask, 0);
    steps["weights"].push_back(weights);
    if (!s.dropout_mask.empty()) {
      for (std::size_t i = 0; i < weights.size(); ++i) {
        for (std::size_t j = 0; j < weights.size(); ++j) {
          weights[i][j] *= s.dropout_mask[h][i][j] * s.dropout_scale;
        }
      }
    }
    steps["dropped_weights"].push_back(weights);
    const Matrix part = product(weights, steps["values"][h]);
    for (std::size_t i = 0; i < part.size(); ++i) {
      context[i].insert(context[i].end(), part[i].begin(), part[i].end());
    }
  }
  steps["context"] = {context};
  return steps;
}

// --- as an input of the command

inline foveal::Tensor tensor_of(const Matrix& a) {
  std::vector<double> flat;
  for (const auto& row : a) flat.insert(flat.end(), row.begin(), row.end());
  return foveal::Tensor::from_vector(
      flat, {static_cast<std::int64_t>(a.size()), static_cast<std::int64_t>(a[0].size())});
}

/// `value` rounded to `decimals`, as it would be printed.
inline foveal::trace::PrintedNumber printed(double value, int decimals) {
  if (std::isnan(value)) return {"nan", value, 0};
  if (std::isinf(value)) return {"-inf", value, 0};
  const std::string text = fmt::format("{:.{}f}", value, decimals);
  return {text, std::stod(text), decimals};
}

inline foveal::trace::ExpectedStep expected(const std::string& name, const Heads& heads,
                                            int decimals) {
  foveal::trace::ExpectedStep step{*foveal::trace::step_named(name), {}};
  for (const Matrix& matrix : heads) {
    step.heads.emplace_back();
    for (const auto& row : matrix) {
      step.heads.back().emplace_back();
      for (const double value : row) step.heads.back().back().push_back(printed(value, decimals));
    }
  }
  return step;
}

class Random {
 public:
  explicit Random(unsigned seed) : engine_(seed) {}

  int between(int lowest, int highest) {
    return lowest + static_cast<int>(engine_() % static_cast<unsigned>(highest - lowest + 1));
  }
  /// Between -2 and 2 with two decimals, as a person would choose numbers.
  double number() { return between(-200, 200) / 100.0; }
  Matrix matrix(std::size_t rows, std::size_t columns) {
    Matrix result(rows, std::vector<double>(columns));
    for (auto& row : result) {
      for (double& x : row) x = number();
    }
    return result;
  }

 private:
  std::mt19937 engine_;
};

}  // namespace plain
