#pragma once
// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011).

#include "kernels/forward_task.h"

namespace foveal {
namespace {

/// Turns a counter into the key's four words.
inline void philox(uint64_t key, uint32_t (&words)[4]) {
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t product0 = uint64_t{0xD2511F53} * words[0];
    const uint64_t product1 = uint64_t{0xCD9E8D57} * words[2];
    words[0] = static_cast<uint32_t>(product1 >> 32) ^ words[1] ^ k0;
    words[1] = static_cast<uint32_t>(product1);
    words[2] = static_cast<uint32_t>(product0 >> 32) ^ words[3] ^ k1;
    words[3] = static_cast<uint32_t>(product0);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
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

/// What dropout multiplies the weights of query i by: 0 or 1 / (1 - p). Four keys whose places
/// share a counter are drawn at once: neighbours are asked for one after another.
class DropoutRow {
 public:
  DropoutRow(const DropoutCounter& dropout, int64_t i) : dropout_(dropout), i_(i) {}

  double factor(int64_t j) {
    if (dropout_.kept != nullptr) return is_kept(j) ? dropout_.scale : 0;
    const int64_t place = dropout_.first_key + j;
    if (place / 4 != group_) draw(place / 4);
    return words_[place % 4] >= dropout_.threshold ? dropout_.scale : 0;
  }

 private:
  bool is_kept(int64_t j) const {
    // A tile's lanes go on past the last query and key.
    if (i_ >= dropout_.query_length || j >= dropout_.key_length) return false;
    // A byte, since foreign memory may hold others than 0 and 1.
    const auto* const kept = reinterpret_cast<const unsigned char*>(dropout_.kept);
    return kept[i_ * dropout_.kept_query_stride + j * dropout_.kept_key_stride] != 0;
  }

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
