#pragma once
// A partial tile's bits, turned so that a word holds the queries of one key.

#include <array>

#include "attention/mask/node.h"

namespace foveal {

using KeyBits = std::array<std::uint64_t, 64>;

/// Transposes a 64 x 64 matrix of bits.
void turn_bits(KeyBits& rows);

/// Bit q of word k is set where query first_query + q (q < query_count <= 64) sees key first_key +
/// k.
KeyBits key_bits(const BoundMask& mask, std::int64_t b, std::int64_t h, std::int64_t first_query,
                 std::int64_t query_count, std::int64_t first_key);

}  // namespace foveal
