#include "attention/engine/key_bits.h"

namespace foveal {

// By exchanging halves of halves (Warren, "Hacker's Delight", 7-3).
void turn_bits(KeyBits& rows) {
  std::uint64_t mask = 0x00000000ffffffff;
  for (std::size_t width = 32; width > 0; width /= 2, mask ^= mask << width) {
    for (std::size_t row = 0; row < 64; row = (row + width + 1) & ~width) {
      const std::uint64_t swapped = ((rows[row] >> width) ^ rows[row + width]) & mask;
      rows[row] ^= swapped << width;
      rows[row + width] ^= swapped;
    }
  }
}

KeyBits key_bits(const BoundMask& mask, std::int64_t b, std::int64_t h, std::int64_t first_query,
                 std::int64_t query_count, std::int64_t first_key) {
  KeyBits bits{};
  mask.words(b, h, first_query, first_query + query_count, first_key, bits.data());
  turn_bits(bits);
  return bits;
}

}  // namespace foveal
