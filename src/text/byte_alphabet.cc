#include "text/byte_alphabet.h"

namespace foveal::text {
namespace {

bool prints(unsigned byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

}  // namespace

ByteAlphabet::ByteAlphabet() {
  std::uint32_t printable = 0, other = kPrintable;
  for (unsigned byte = 0; byte < 256; ++byte) {
    const std::uint32_t id = prints(byte) ? printable++ : other++;
    id_of_byte_[byte] = id;
    byte_of_id_[id] = static_cast<unsigned char>(byte);
  }
}

std::string ByteAlphabet::bytes_of(std::string_view spelling, std::size_t* used) const {
  std::string bytes;
  std::size_t at = 0;
  while (at < spelling.size()) {
    const auto first = static_cast<unsigned char>(spelling[at]);
    unsigned character = first;
    std::size_t length = 1;
    if (first >= 0x80) {
      // All spellings lie below U+0144: one or two bytes of UTF-8.
      if (first < 0xC2 || first > 0xC5 || at + 1 == spelling.size()) break;
      const auto second = static_cast<unsigned char>(spelling[at + 1]);
      if ((second & 0xC0) != 0x80) break;
      character = (first & 0x1Fu) << 6 | (second & 0x3Fu);
      length = 2;
    }
    if (character < 256 && !prints(character)) break;
    if (character >= 512 - kPrintable) break;
    bytes += static_cast<char>(character < 256 ? character
                                               : byte_of_id_[kPrintable + (character - 256)]);
    at += length;
  }
  *used = at;
  return bytes;
}

}  // namespace foveal::text
