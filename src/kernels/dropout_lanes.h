#pragma once
// What dropout multiplies weights by, for a vector of queries at once: Philox with a counter a
// lane, each draw for four keys.

#include "kernels/philox.h"
#include "kernels/simd.h"

namespace foveal {
namespace {

/// Words of counters, a lane of 64 bits each, as products need them: the upper half may hold
/// anything.
using Words = uint64_t __attribute__((vector_size(kRegisterBytes)));

inline Words upper_half(Words product) { return product >> 32; }

/// Draws for one vector of queries. What counters share is a number, not a vector: most of the
/// first three rounds.
template <class T>
class LaneDraw {
 public:
  LaneDraw(const DropoutCounter& dropout, int64_t i) : dropout_(dropout) {
    const uint64_t product = kPhiloxMultipliers[1] * static_cast<uint32_t>(dropout.head);
    second_ = static_cast<uint32_t>(product);
    const uint64_t shared = (product >> 32) ^ PhiloxKey(dropout.key, 0).words[0];
    for (int part = 0; part < kParts; ++part) {
      Words query{};
      for (int n = 0; n < kCounters; ++n) {
        query[n] = static_cast<uint64_t>(dropout.first_query + i + n * kParts + part);
      }
      of_query_[part] = product_of_halves(Words{} + kPhiloxMultipliers[0], query ^ shared);
    }
  }

  /// Of the keys whose places are 4 * group to 4 * group + 3.
  inline __attribute__((always_inline)) void draw(int64_t group, Vector<T> (&factors)[4]) const {
    Words words[4][kParts];
    begin(group, words);
#pragma GCC unroll 10
    for (int round = 3; round < 10; ++round) go_on(PhiloxKey(dropout_.key, round), words);
#pragma GCC unroll 4
    for (int n = 0; n < 4; ++n) factors[n] = factor_of(words[n]);
  }

 private:
  // Of float32 queries the even ones and the odd ones apart.
  static constexpr int kParts = static_cast<int>(sizeof(uint64_t) / sizeof(T));
  static constexpr int kCounters = kLanes<T> / kParts;

  /// Rounds 0 to 2. Query and head meet the group late: the first product of round 1 is the
  /// queries' alone, all others of the first two rounds are the same in every lane.
  inline __attribute__((always_inline)) void begin(int64_t group, Words (&words)[4][kParts]) const {
    const PhiloxKey key0(dropout_.key, 0), key1(dropout_.key, 1), key2(dropout_.key, 2);
    const uint64_t group0 = kPhiloxMultipliers[0] * static_cast<uint32_t>(group);
    const uint32_t third = static_cast<uint32_t>(group0 >> 32) ^
                           static_cast<uint32_t>(dropout_.offset) ^ key0.words[1];
    const uint64_t group1 = kPhiloxMultipliers[1] * third;
    const uint32_t first = static_cast<uint32_t>(group1 >> 32) ^ second_ ^ key1.words[0];
    const uint64_t group2 = kPhiloxMultipliers[0] * first;
    const uint32_t fourth = static_cast<uint32_t>(group0) ^ key1.words[1];
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
      const Words product =
          product_of_halves(Words{} + kPhiloxMultipliers[1], upper_half(of_query_[part]) ^ fourth);
      words[0][part] = upper_half(product) ^ (static_cast<uint32_t>(group1) ^ key2.words[0]);
      words[1][part] = product;
      words[2][part] = of_query_[part] ^ ((group2 >> 32) ^ key2.words[1]);
      words[3][part] = Words{} + group2;
    }
  }

  static inline __attribute__((always_inline)) void go_on(const PhiloxKey& key,
                                                          Words (&words)[4][kParts]) {
#pragma GCC unroll 2
    for (int part = 0; part < kParts; ++part) {
      const Words product0 = product_of_halves(Words{} + kPhiloxMultipliers[0], words[0][part]);
      const Words product1 = product_of_halves(Words{} + kPhiloxMultipliers[1], words[2][part]);
      words[0][part] = upper_half(product1) ^ words[1][part] ^ key.words[0];
      words[1][part] = product1;
      words[2][part] = upper_half(product0) ^ words[3][part] ^ key.words[1];
      words[3][part] = product0;
    }
  }

  inline __attribute__((always_inline)) Vector<T> factor_of(const Words (&word)[kParts]) const {
    const T scale = static_cast<T>(dropout_.scale);
    constexpr uint64_t kLower = 0xFFFFFFFF;
    if constexpr (kParts == 1) {
      const DoubleBits number = (DoubleBits)(word[0] & kLower);
      return number >= static_cast<int64_t>(dropout_.threshold) ? broadcast(scale) : Vector<T>{};
    } else {
      // The threshold may be 2^32: then nothing is kept. It isn't 0, as p isn't.
      using Numbers = uint32_t __attribute__((vector_size(kRegisterBytes)));
      const Numbers number = (Numbers)((word[0] & kLower) | (word[1] << 32));
      const auto last_dropped = static_cast<uint32_t>(dropout_.threshold - 1);
      return number > last_dropped ? broadcast(scale) : Vector<T>{};
    }
  }

  const DropoutCounter& dropout_;
  uint32_t second_;         // the counters' second word after round 0
  Words of_query_[kParts];  // round 1's product of their first words
};

/// Queries i .. and keys j .. of a head that factors are asked for.
struct Cells {
  int64_t i = 0;
  int vectors = 0;
  int64_t j = 0, rows = 0;
};

/// act(row, lane, factors) for each row of keys and each vector of queries; by the caller's mask.
template <class T, class Act>
inline void for_kept_factors(const DropoutCounter& dropout, const Cells& cells, const Act& act) {
  for (int64_t row = 0; row < cells.rows; ++row) {
    for (int lane = 0; lane < cells.vectors * kLanes<T>; lane += kLanes<T>) {
      Vector<T> factors{};
      for (int n = 0; n < kLanes<T>; ++n) {
        if (!is_kept(dropout, cells.i + lane + n, cells.j + row)) continue;
        factors[n] = static_cast<T>(dropout.scale);
      }
      act(row, lane, factors);
    }
  }
}

/// The same, drawn. A group of keys may begin before the first row and end after the last one.
template <class T, class Act>
inline void for_drawn_factors(const DropoutCounter& dropout, const Cells& cells, const Act& act) {
  const int64_t place = dropout.first_key + cells.j;
  for (int lane = 0; lane < cells.vectors * kLanes<T>; lane += kLanes<T>) {
    const LaneDraw<T> lanes(dropout, cells.i + lane);
    for (int64_t row = -(place % 4); row < cells.rows; row += 4) {
      Vector<T> factors[4];
      lanes.draw((place + row) / 4, factors);
      if (row >= 0 && row + 4 <= cells.rows) {
#pragma GCC unroll 4
        for (int n = 0; n < 4; ++n) act(row + n, lane, factors[n]);
      } else {
        for (int n = 0; n < 4; ++n) {
          if (row + n >= 0 && row + n < cells.rows) act(row + n, lane, factors[n]);
        }
      }
    }
  }
}

/// act(row, lane, factors): what the weights of that row of keys are multiplied by, for the vector
/// of queries that begins at i + lane.
template <class T, class Act>
inline __attribute__((always_inline)) void for_factors(const DropoutCounter& dropout,
                                                       const Cells& cells, const Act& act) {
  if (dropout.kept != nullptr) {
    for_kept_factors<T>(dropout, cells, act);
  } else {
    for_drawn_factors<T>(dropout, cells, act);
  }
}

}  // namespace
}  // namespace foveal
