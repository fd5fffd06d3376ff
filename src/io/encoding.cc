#include "io/encoding.h"

#include <array>

#include "foveal/error.h"

namespace foveal {
namespace {

using namespace std::string_view_literals;

struct Encoding {
  std::string_view mark;
  const char* name;
};

/// The longer marks first: that of UTF-32 begins as that of UTF-16 does.
constexpr std::array kMarked = std::to_array<Encoding>({
    {"\xFF\xFE\0\0"sv, "UTF-32 (little-endian)"},
    {"\0\0\xFE\xFF"sv, "UTF-32 (big-endian)"},
    {"\xFF\xFE"sv, "UTF-16 (little-endian)"},
    {"\xFE\xFF"sv, "UTF-16 (big-endian)"},
});

/// By where the zeros of a first character in ASCII stand.
const char* unmarked_encoding(std::string_view bytes) {
  const auto begins = [&](std::string_view zeros) {
    if (bytes.size() < zeros.size()) return false;
    for (std::size_t n = 0; n < zeros.size(); ++n) {
      if ((bytes[n] == '\0') != (zeros[n] == '0')) return false;
    }
    return true;
  };
  if (begins("x000")) return "UTF-32 (little-endian)";
  if (begins("000x")) return "UTF-32 (big-endian)";
  if (begins("x0x0") || (bytes.size() == 2 && begins("x0"))) return "UTF-16 (little-endian)";
  if (begins("0x0x") || (bytes.size() == 2 && begins("0x"))) return "UTF-16 (big-endian)";
  return nullptr;
}

const char* foreign_encoding(std::string_view bytes) {
  for (const Encoding& encoding : kMarked) {
    if (bytes.substr(0, encoding.mark.size()) == encoding.mark) return encoding.name;
  }
  return unmarked_encoding(bytes);
}

}  // namespace

std::size_t utf8_begin(std::string_view bytes, const std::string& name) {
  if (const char* const encoding = foreign_encoding(bytes)) {
    throw Error(name + ": is text in " + encoding + ": save it as UTF-8");
  }
  constexpr std::string_view mark = "\xEF\xBB\xBF";
  return bytes.substr(0, mark.size()) == mark ? mark.size() : 0;
}

}  // namespace foveal
