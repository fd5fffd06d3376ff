#pragma once
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011), and what
// dropout draws with it for one query. For a vector of queries: dropout_lanes.h.

#include "kernels/forward/task.h"

namespace foveal {
namespace {

constexpr uint64_t kPhiloxMultipliers[] = {0xD2511F53, 0xCD9E8D57};

/// The key's two words in a round, 0 to 9.
struct PhiloxKey {
  uint32_t words[2];

  PhiloxKey(uint64_t key, int round)
      : words{static_cast<uint32_t>(key) + static_cast<uint32_t>(round) * 0x9E3779B9,
              static_cast<uint32_t>(key >> 32) + static_cast<uint32_t>(round) * 0xBB67AE85} {}
};

/// Turns a counter into the key's four words.
inline void philox(uint64_t key, uint32_t (&words)[4]) {
  for (int round = 0; round < 10; ++round) {
    const PhiloxKey keys(key, round);
    const uint64_t product0 = kPhiloxMultipliers[0] * words[0];
    const uint64_t product1 = kPhiloxMultipliers[1] * words[2];
    words[0] = static_cast<uint32_t>(product1 >> 32) ^ words[1] ^ keys.words[0];
    words[1] = static_cast<uint32_t>(product1);
    words[2] = static_cast<uint32_t>(product0 >> 32) ^ words[3] ^ keys.words[1];
    words[3] = static_cast<uint32_t>(product0);
  }
}

/// The key of a seed: itself while the offset has 32 bits, as many as the counter has room for.
/// Beyond, each of the offset's upper halves has a key of its own.
inline uint64_t dropout_key(uint64_t seed, uint64_t offset) {
  if (offset >> 32 == 0) return seed;
  uint32_t words[4] = {static_cast<uint32_t>(offset >> 32), 0, 0, 0xFFFFFFFF};
  philox(seed, words);
  return words[0] | static_cast<uint64_t>(words[1]) << 32;
}

/// Whether the caller's mask keeps a weight; a tile's lanes go on past its last query.
inline bool is_kept(const DropoutCounter& dropout, int64_t i, int64_t j) {
  if (i >= dropout.query_length) return false;
  // A byte, since foreign memory may hold others than 0 and 1.
  const auto* const kept = reinterpret_cast<const unsigned char*>(dropout.kept);
  return kept[i * dropout.kept_query_stride + j * dropout.kept_key_stride] != 0;
}

/// The same dropout of another head.
inline DropoutCounter counter_of(DropoutCounter dropout, uint64_t head, const bool* kept) {
  dropout.head = head;
  dropout.kept = kept;
  return dropout;
}

/// What dropout multiplies the weights of query i by: 0 or 1 / (1 - p). Four keys whose places
/// share a counter are drawn at once: neighbours are asked for one after another.
class DropoutRow {
 public:
  DropoutRow(const DropoutCounter& dropout, int64_t i) : dropout_(dropout), i_(i) {}

  double factor(int64_t j) {
    if (dropout_.kept != nullptr) return is_kept(dropout_, i_, j) ? dropout_.scale : 0;
    const int64_t place = dropout_.first_key + j;
    if (place / 4 != group_) draw(place / 4);
    return words_[place % 4] >= dropout_.threshold ? dropout_.scale : 0;
  }

 private:
  void draw(int64_t group) {
    group_ = group;
    words_[0] = static_cast<uint32_t>(group);
    words_[1] = static_cast<uint32_t>(dropout_.first_query + i_);
    words_[2] = static_cast<uint32_t>(dropout_.head);
    words_[3] = static_cast<uint32_t>(dropout_.offset);
    philox(dropout_.key, words_);
  }

  const DropoutCounter& dropout_;
  int64_t i_, group_ = -1;
  uint32_t words_[4] = {};
};

}  // namespace
}  // namespace foveal
