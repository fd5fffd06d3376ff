// Tiles whose keys and values are stored divided by a scale: what kernels make of them is what they
// make of the numbers themselves. Scales are powers of 2, so that nothing is rounded.

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <limits>
#include <random>
#include <vector>

#include "kernels/targets/registry.h"

namespace foveal {
namespace {

constexpr std::int64_t kHeadSize = 23, kValueSize = 21, kKeys = 51, kQueries = 7;
constexpr float kKeyScale = 0.125F, kValueScale = 4;

template <class T>
std::vector<T> draw(std::mt19937& engine, std::int64_t count) {
  std::normal_distribution<double> normal;
  std::vector<T> numbers(static_cast<std::size_t>(count));
  for (T& number : numbers) number = static_cast<T>(normal(engine));
  return numbers;
}

template <class T>
std::vector<T> divided(std::vector<T> numbers, float scale) {
  for (T& number : numbers) number /= static_cast<T>(scale);
  return numbers;
}

/// Those of bfloat16 with a few bits, which a power of 2 leaves as they are.
std::vector<std::uint16_t> bits_of(const std::vector<float>& numbers) {
  std::vector<std::uint16_t> bits;
  for (const float number : numbers) {
    bits.push_back(static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(number) >> 16));
  }
  return bits;
}

/// The numbers of one tile, and which of its cells are seen.
template <class T>
struct Case {
  std::vector<T> query, key, value;
  std::vector<std::uint64_t> bits;
  T softcap = 0;
  DropoutCounter dropout{.key = 5, .threshold = std::uint64_t{1} << 31, .scale = 2};
  bool drops = false;

  explicit Case(std::mt19937& engine)
      : query(draw<T>(engine, kQueries * kHeadSize)),
        key(draw<T>(engine, kKeys * kHeadSize)),
        value(draw<T>(engine, kKeys * kValueSize)) {}

  Case stored_by_scale() const {
    Case other = *this;
    other.key = divided(key, kKeyScale);
    other.value = divided(value, kValueScale);
    return other;
  }

  /// Key 3, whose value is infinite, from all.
  void hide_some(std::mt19937& engine) {
    for (std::int64_t k = 0; k < kKeys; ++k)
      bits.push_back(engine() | (k == 0 ? ~std::uint64_t{0} : 0));
    value[3 * kValueSize] = std::numeric_limits<T>::infinity();
    bits[3] = 0;
  }

  KeyTile tile(bool scaled) const {
    KeyTile tile{0, kKeys, bits.empty() ? nullptr : bits.data(), key.data(), value.data()};
    if (scaled) {
      tile.key_scale = kKeyScale;
      tile.value_scale = kValueScale;
    }
    return tile;
  }
};

template <class T>
const ForwardKernels<T>& forward_of(const Target& target) {
  if constexpr (sizeof(T) == sizeof(double)) return target.forward_float64;
  if constexpr (sizeof(T) == sizeof(float)) return target.forward_float32;
}

/// What tasks of all kinds have in common.
template <class T>
void describe(const Case<T>& one, ForwardTask<T>& task) {
  task.query_stride = task.key_stride = kHeadSize;
  task.value_stride = task.output_stride = kValueSize;
  task.query_count = kQueries;
  task.head_size = kHeadSize;
  task.value_size = kValueSize;
  task.scale = T(0.25);
  task.softcap = one.softcap;
  if (one.drops) task.dropout = &one.dropout;
}

/// Output, then lse.
template <class T>
std::vector<T> forward(const Target& target, const Case<T>& one, bool scaled) {
  const ForwardKernels<T>& kernels = forward_of<T>(target);
  std::vector<T> workspace(static_cast<std::size_t>(kernels.workspace(kHeadSize, kValueSize)));
  std::vector<T> results(kQueries * (kValueSize + 1));
  ForwardTask<T> task;
  describe(one, task);
  task.query = one.query.data();
  task.output = results.data();
  task.lse = results.data() + kQueries * kValueSize;
  task.workspace = workspace.data();
  kernels.begin(task);
  kernels.tile(task, one.tile(scaled));
  kernels.end(task);
  return results;
}

/// The same of bfloat16 by pairs.
std::vector<float> pair_forward(const Target& target, const Case<float>& one, bool scaled) {
  const PairForwardKernels& kernels = target.forward_bfloat16;
  std::vector<float> workspace(static_cast<std::size_t>(kernels.workspace(kHeadSize, kValueSize)));
  std::vector<std::uint16_t> output(kQueries * kValueSize);
  const auto query = bits_of(one.query), key = bits_of(one.key), value = bits_of(one.value);
  std::vector<float> lse(kQueries);
  PairTask task;
  describe(one, task);
  task.bfloat16_query = query.data();
  task.bfloat16_output = output.data();
  task.lse = lse.data();
  task.workspace = workspace.data();
  KeyTile tile = one.tile(scaled);
  tile.key = key.data();
  tile.value = value.data();
  kernels.begin(task);
  kernels.tile(task, tile);
  kernels.end(task);
  std::vector<float> results = lse;
  for (const std::uint16_t number : output) results.push_back(number);
  return results;
}

/// Scores as scores_tile gives them.
template <class T>
std::vector<T> scores(const Target& target, const Case<T>& one, bool scaled) {
  const ForwardKernels<T>& kernels = forward_of<T>(target);
  std::vector<T> workspace(static_cast<std::size_t>(kernels.workspace(kHeadSize, kValueSize)));
  ForwardTask<T> task;
  describe(one, task);
  task.query = one.query.data();
  task.workspace = workspace.data();
  kernels.scores_begin(task);
  const T* const rows = kernels.scores_tile(task, one.tile(scaled));
  return {rows, rows + kKeys * kernels.query_tile};
}

/// Every row of `query` against the chunk; what a row has summed, and its maximum and sum.
template <class T>
std::vector<T> decode(DecodeKernel<T> kernel, const Case<T>& one, const void* key,
                      const void* value, const std::uint16_t* bfloat16_query, bool scaled) {
  constexpr std::int64_t kRows = 5, kWidth = decode_width(kHeadSize);
  std::vector<T> query(kRows * kWidth), room(kDecodeRows * kDecodeChunk + 64),
      values(kDecodeGroup * 64), output(kRows * decode_width(kValueSize));
  for (std::int64_t row = 0; row < kRows; ++row) {
    std::copy_n(one.query.data() + row * kHeadSize, kHeadSize, query.data() + row * kWidth);
  }
  DecodeTask<T> task;
  task.query = query.data();
  task.bfloat16_query = bfloat16_query;
  task.scale = T(0.25);
  task.key_stride = kHeadSize;
  task.value_stride = kValueSize;
  task.head_size = kHeadSize;
  task.value_size = kValueSize;
  task.rows = kRows;
  task.softcap = one.softcap;
  if (one.drops) task.dropout = &one.dropout;
  task.scores = room.data();
  task.values = values.data();
  task.output = output.data();
  DecodeChunk chunk;
  chunk.count = kKeys;
  std::uint64_t bits[kDecodeRows][kDecodeChunk / 64] = {};
  for (std::int64_t row = 0; row < kRows; ++row)
    bits[row][0] = one.bits.empty() ? 0 : one.bits[row];
  if (!one.bits.empty()) chunk.bits = bits;
  chunk.key = key;
  chunk.value = value;
  if (scaled) {
    chunk.key_scale = kKeyScale;
    chunk.value_scale = kValueScale;
  }
  kernel(task, chunk);
  for (std::int64_t row = 0; row < kRows; ++row) {
    output.push_back(task.row[row].maximum);
    output.push_back(task.row[row].sum);
  }
  return output;
}

/// The n-th of eight kinds.
template <class T>
Case<T> drawn(std::mt19937& engine, int n) {
  Case<T> one(engine);
  if ((n & 1) != 0) one.hide_some(engine);
  if ((n & 2) != 0) one.softcap = 3;
  one.drops = (n & 4) != 0;
  return one;
}

template <class T>
void check(const Target& target) {
  std::mt19937 engine(7);
  for (int n = 0; n < 8; ++n) {
    const Case<T> one = drawn<T>(engine, n);
    const Case<T> stored = one.stored_by_scale();
    EXPECT_EQ(forward(target, stored, true), forward(target, one, false)) << n;
    EXPECT_NE(forward(target, stored, false), forward(target, one, false)) << n;
    EXPECT_EQ(scores(target, stored, true), scores(target, one, false)) << n;
  }
}

TEST(BlockScale, TilesOfFloatingNumbers) {
  for (const Target* target : usable_targets()) {
    SCOPED_TRACE(target->name);
    check<float>(*target);
    check<double>(*target);
  }
}

TEST(BlockScale, TilesOfPairs) {
  std::mt19937 engine(8);
  for (const Target* target : usable_targets()) {
    if (target->forward_bfloat16.tile == nullptr) continue;
    for (int n = 0; n < 8; ++n) {
      SCOPED_TRACE(n);
      const Case<float> one = drawn<float>(engine, n);
      const Case<float> stored = one.stored_by_scale();
      EXPECT_EQ(pair_forward(*target, stored, true), pair_forward(*target, one, false));
      EXPECT_NE(pair_forward(*target, stored, false), pair_forward(*target, one, false));
    }
  }
}

TEST(BlockScale, ChunksOfADecode) {
  std::mt19937 engine(9);
  for (const Target* target : usable_targets()) {
    SCOPED_TRACE(target->name);
    for (int n = 0; n < 8; ++n) {
      SCOPED_TRACE(n);
      const Case<float> one = drawn<float>(engine, n), stored = one.stored_by_scale();
      const Case<double> wide = drawn<double>(engine, n), wide_stored = wide.stored_by_scale();
      const auto run = [&](const auto& of, auto kernel, bool scaled) {
        return decode(kernel, of, of.key.data(), of.value.data(), nullptr, scaled);
      };
      EXPECT_EQ(run(stored, target->decode_float32, true), run(one, target->decode_float32, false));
      EXPECT_NE(run(stored, target->decode_float32, false),
                run(one, target->decode_float32, false));
      EXPECT_EQ(run(wide_stored, target->decode_float64, true),
                run(wide, target->decode_float64, false));
      std::vector<std::uint16_t> query(5 * pair_width(kHeadSize));
      for (std::int64_t row = 0; row < 5; ++row) {
        const auto bits = bits_of(one.query);
        std::copy_n(bits.data() + row * kHeadSize, kHeadSize,
                    query.data() + row * pair_width(kHeadSize));
      }
      const auto halves = [&](const Case<float>& of, bool scaled) {
        const auto key = bits_of(of.key), value = bits_of(of.value);
        return decode(target->decode_bfloat16, of, key.data(), value.data(), query.data(), scaled);
      };
      EXPECT_EQ(halves(stored, true), halves(one, false));
      EXPECT_NE(halves(stored, false), halves(one, false));
    }
  }
}

}  // namespace
}  // namespace foveal
