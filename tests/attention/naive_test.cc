#include "attention/naive.h"

#include <array>
#include <cmath>
#include <limits>

#include "attention/mask/node.h"

namespace foveal {
namespace {

/// Philox4x32-10 once more, from the paper.
std::array<std::uint32_t, 4> philox(std::uint64_t seed, std::array<std::uint32_t, 4> counter) {
  auto low = static_cast<std::uint32_t>(seed), high = static_cast<std::uint32_t>(seed >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t a = 0xD2511F53ull * counter[0], b = 0xCD9E8D57ull * counter[2];
    counter = {
        static_cast<std::uint32_t>(b >> 32) ^ counter[1] ^ low, static_cast<std::uint32_t>(b),
        static_cast<std::uint32_t>(a >> 32) ^ counter[3] ^ high, static_cast<std::uint32_t>(a)};
    low += 0x9E3779B9u;
    high += 0xBB67AE85u;
  }
  return counter;
}

/// The options' seed; that of an offset beyond 32 bits is drawn with it.
std::uint64_t key_of(const AttentionOptions& options) {
  const auto high = static_cast<std::uint32_t>(options.offset >> 32);
  if (high == 0) return options.seed;
  const auto words = philox(options.seed, {high, 0, 0, 0xFFFFFFFF});
  return words[0] | std::uint64_t{words[1]} << 32;
}

double number_at(const Tensor& tensor, std::int64_t b, std::int64_t h, std::int64_t i,
                 std::int64_t j) {
  if (!tensor.defined()) return 0;
  std::vector<std::int64_t> at{b, h, i, j};
  at.erase(at.begin(), at.end() - tensor.rank());
  for (std::size_t axis = 0; axis < at.size(); ++axis)
    at[axis] = std::min(at[axis], tensor.size(static_cast<std::int64_t>(axis)) - 1);
  return tensor.at(at);
}

double factor(const AttentionOptions& options, std::int64_t heads, std::int64_t head,
              std::int64_t i, std::int64_t j) {
  if (!options.dropout_mask.defined()) return drawn_factor(options, head, i, j);
  const double kept = number_at(options.dropout_mask, head / heads, head % heads, i, j);
  return kept == 0 ? 0 : 1 / (1 - options.dropout);
}

}  // namespace

double drawn_factor(const AttentionOptions& options, std::int64_t head, std::int64_t i,
                    std::int64_t j) {
  if (options.dropout == 0) return 1;
  if (options.dropout == 1) return 0;
  const auto words =
      philox(key_of(options),
             {static_cast<std::uint32_t>(j / 4), static_cast<std::uint32_t>(i),
              static_cast<std::uint32_t>(head), static_cast<std::uint32_t>(options.offset)});
  return words[static_cast<std::size_t>(j % 4)] >= options.dropout * 4294967296.0
             ? 1 / (1 - options.dropout)
             : 0;
}

NaiveResult naive_attention(const Tensor& query, const Tensor& key, const Tensor& value,
                            const AttentionOptions& options) {
  const std::int64_t batch = query.size(0), heads = query.size(1), queries = query.size(2),
                     d = query.size(3);
  const std::int64_t keys = key.size(2), dv = value.size(3),
                     group = heads / std::max<std::int64_t>(key.size(1), 1);
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(d)));
  const auto mask = options.mask.node().bind({batch, heads, queries, keys});
  const bool wide = query.dtype() == DType::float64;
  const auto stage = [wide](double score) {
    return wide ? score : static_cast<double>(static_cast<float>(score));
  };
  const std::vector<double> qs = query.to_vector(), ks = key.to_vector(), vs = value.to_vector();
  NaiveResult result{Tensor::zeros({batch, heads, queries, dv}, DType::float64),
                     Tensor::zeros({batch, heads, queries}, DType::float64),
                     Tensor::zeros({batch, heads, queries, keys}, DType::float64),
                     Tensor::zeros({batch, heads, queries, keys}, DType::float64),
                     Tensor::zeros({batch, heads, queries}, DType::float64)};
  double *output = result.output.data<double>(), *lse = result.lse.data<double>();
  double *scores = result.scores.data<double>(), *weights = result.weights.data<double>();
  for (std::int64_t head = 0; head < batch * heads; ++head) {
    const std::int64_t b = head / heads, h = head % heads, kv = b * key.size(1) + h / group;
    for (std::int64_t i = 0; i < queries; ++i) {
      const std::int64_t row = head * queries + i;
      double top = options.sinks.defined() ? options.sinks.at({h})
                                           : -std::numeric_limits<double>::infinity();
      for (std::int64_t j = 0; j < keys; ++j) {
        double& score = scores[row * keys + j];
        for (std::int64_t n = 0; n < d; ++n)
          score += qs[static_cast<std::size_t>(row * d + n)] *
                   ks[static_cast<std::size_t>((kv * keys + j) * d + n)];
        score = stage(score * scale);
        if (options.softcap > 0) {
          score = stage(options.softcap * std::tanh(score / options.softcap));
        }
        score = stage(score + number_at(options.bias, b, h, i, j));
        if (options.alibi_slopes.defined())
          score = stage(score - options.alibi_slopes.at({h}) *
                                    std::fabs(static_cast<double>(i + keys - queries - j)));
        if ((mask->word(b, h, i, j) & 1) == 0) score = -std::numeric_limits<double>::infinity();
        top = std::max(top, score);
      }
      const double sink = options.sinks.defined() ? options.sinks.at({h}) : -INFINITY;
      const double sink_share = sink == -INFINITY ? 0 : std::exp(sink - top);
      double sum = sink_share;
      for (std::int64_t j = 0; j < keys; ++j) {
        const double score = scores[row * keys + j];
        weights[row * keys + j] = std::isinf(score) && score < 0 ? 0 : std::exp(score - top);
        sum += weights[row * keys + j];
      }
      result.sink_weights.data<double>()[row] = sum == 0 ? 0 : sink_share / sum;
      lse[row] = sum == 0 ? -std::numeric_limits<double>::infinity() : top + std::log(sum);
      for (std::int64_t j = 0; j < keys && sum > 0; ++j) {
        weights[row * keys + j] /= sum;
        const double weight = weights[row * keys + j] * factor(options, heads, head, i, j);
        if (weights[row * keys + j] == 0) continue;
        for (std::int64_t n = 0; n < dv; ++n)
          output[row * dv + n] += weight * vs[static_cast<std::size_t>((kv * keys + j) * dv + n)];
      }
    }
  }
  return result;
}

namespace {

/// Adds to the element of a bias's gradient that (b, h, i, j) reads.
void add_at(Tensor& gradient, const Shape& at, double value) {
  std::int64_t offset = 0;
  const std::int64_t left = 4 - gradient.rank();
  for (std::int64_t axis = 0; axis < gradient.rank(); ++axis) {
    const std::int64_t index = at[static_cast<std::size_t>(axis + left)];
    offset = offset * gradient.size(axis) + std::min(index, gradient.size(axis) - 1);
  }
  gradient.data<double>()[offset] += value;
}

Tensor zeros_like(const Tensor& tensor) {
  return tensor.defined() ? Tensor::zeros(tensor.shape(), DType::float64) : Tensor();
}

}  // namespace

NaiveGradients naive_gradients(const Tensor& grad_output, const Tensor& query, const Tensor& key,
                               const Tensor& value, const AttentionOptions& options) {
  const std::int64_t batch = query.size(0), heads = query.size(1), queries = query.size(2),
                     d = query.size(3);
  const std::int64_t keys = key.size(2), dv = value.size(3),
                     group = heads / std::max<std::int64_t>(key.size(1), 1);
  const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(d)));
  const NaiveResult forward = naive_attention(query, key, value, options);
  NaiveGradients result{zeros_like(query),         zeros_like(key),
                        zeros_like(value),         zeros_like(options.bias),
                        zeros_like(options.sinks), zeros_like(options.alibi_slopes)};
  const std::vector<double> q = query.to_vector(), k = key.to_vector(), v = value.to_vector(),
                            g = grad_output.to_vector(), p = forward.weights.to_vector();
  double *dq = result.q.data<double>(), *dk = result.k.data<double>(),
         *dvalue = result.v.data<double>();
  for (std::int64_t row = 0; row < batch * heads * queries; ++row) {
    const std::int64_t head = row / queries, i = row % queries, b = head / heads, h = head % heads;
    const std::int64_t kv = (b * key.size(1) + h / group) * keys;
    std::vector<double> kept(static_cast<std::size_t>(keys)), by_weight(kept);
    double delta = 0;
    for (std::int64_t j = 0; j < keys; ++j) {
      const auto cell = static_cast<std::size_t>(j);
      const double weight = p[static_cast<std::size_t>(row * keys + j)];
      if (weight == 0) continue;
      kept[cell] = factor(options, heads, head, i, j);
      for (std::int64_t n = 0; n < dv; ++n) {
        const double upstream = g[static_cast<std::size_t>(row * dv + n)];
        by_weight[cell] += upstream * v[static_cast<std::size_t>((kv + j) * dv + n)] * kept[cell];
        dvalue[(kv + j) * dv + n] += weight * kept[cell] * upstream;
      }
      delta += weight * by_weight[cell];
    }
    if (result.sinks.defined() && delta != 0) {
      result.sinks.data<double>()[h] -= forward.sink_weights.at({b, h, i}) * delta;
    }
    for (std::int64_t j = 0; j < keys; ++j) {
      const double weight = p[static_cast<std::size_t>(row * keys + j)];
      if (weight == 0) continue;
      double score = weight * (by_weight[static_cast<std::size_t>(j)] - delta);
      if (result.bias.defined()) add_at(result.bias, {b, h, i, j}, score);
      if (result.alibi_slopes.defined()) {
        result.alibi_slopes.data<double>()[h] -=
            std::fabs(static_cast<double>(i + keys - queries - j)) * score;
      }
      double product = 0;
      for (std::int64_t n = 0; n < d; ++n) {
        product += q[static_cast<std::size_t>(row * d + n)] *
                   k[static_cast<std::size_t>((kv + j) * d + n)];
      }
      if (options.softcap > 0) {
        const double bent = std::tanh(product * scale / options.softcap);
        score *= 1 - bent * bent;
      }
      for (std::int64_t n = 0; n < d; ++n) {
        dq[row * d + n] += scale * score * k[static_cast<std::size_t>((kv + j) * d + n)];
        dk[(kv + j) * d + n] += scale * score * q[static_cast<std::size_t>(row * d + n)];
      }
    }
  }
  return result;
}

}  // namespace foveal
