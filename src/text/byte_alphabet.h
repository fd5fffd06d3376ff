#pragma once
// How GPT-2's merges file spells bytes, and which ids the bytes have.

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace foveal::text {

/// GPT-2 numbers the bytes so that the 188 which Latin-1 prints come first, then the other 68, each
/// group in rising order. In the file a byte that prints stands for itself; the n-th other byte is
/// spelled U+0100 + n (so a space is U+0120, "Ġ").
class ByteAlphabet {
 public:
  ByteAlphabet();

  std::uint32_t id_of(unsigned char byte) const { return id_of_byte_[byte]; }
  unsigned char byte_of(std::uint32_t id) const { return byte_of_id_[id]; }
  /// The bytes of a symbol of the file. Stops before the first thing that spells no byte, and sets
  /// `used` to how much of `spelling` it understood.
  std::string bytes_of(std::string_view spelling, std::size_t* used) const;

 private:
  static constexpr std::uint32_t kPrintable = 188;
  std::array<std::uint32_t, 256> id_of_byte_;
  std::array<unsigned char, 256> byte_of_id_;
};

}  // namespace foveal::text
