#include "text/splitter.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <new>
#include <string>

#include "foveal/error.h"

namespace foveal::text {
namespace {

// Unicode's White_Space, spelled out: PCRE2's own \s also holds U+180E, which lost that property.
const std::string kSpaces =
    R"(\t-\r \x{85}\x{a0}\x{1680}\x{2000}-\x{200a}\x{2028}\x{2029}\x{202f}\x{205f}\x{3000})";

// PCRE2 10.42 knows Unicode 14. What 15, 15.1 and 16 added is spelled out, so that every PCRE2 up
// to Unicode 16 cuts alike.
const std::string kLetters =
    R"(\p{L}\x{1c89}\x{1c8a}\x{a7cb}-\x{a7cd}\x{a7da}-\x{a7dc}\x{105c0}-\x{105f3})"
    R"(\x{10d4a}-\x{10d65}\x{10d6f}-\x{10d85}\x{10ec2}-\x{10ec4}\x{1123f}\x{11240})"
    R"(\x{11380}-\x{11389}\x{1138b}\x{1138e}\x{11390}-\x{113b5}\x{113b7}\x{113d1}\x{113d3})"
    R"(\x{11bc0}-\x{11be0}\x{11f02}\x{11f04}-\x{11f10}\x{11f12}-\x{11f33}\x{1342f})"
    R"(\x{13441}-\x{13446}\x{13460}-\x{143fa}\x{16100}-\x{1611d}\x{16d40}-\x{16d6c}\x{18cff})"
    R"(\x{1b132}\x{1b155}\x{1df25}-\x{1df2a}\x{1e030}-\x{1e06d}\x{1e4d0}-\x{1e4eb})"
    R"(\x{1e5d0}-\x{1e5ed}\x{1e5f0}\x{2b739}\x{2ebf0}-\x{2ee5d}\x{31350}-\x{323af})";
const std::string kNumbers =
    R"(\p{N}\x{10d40}-\x{10d49}\x{116d0}-\x{116e3}\x{11bf0}-\x{11bf9}\x{11f50}-\x{11f59})"
    R"(\x{16130}-\x{16139}\x{16d70}-\x{16d79}\x{1ccf0}-\x{1ccf9}\x{1d2c0}-\x{1d2d3})"
    R"(\x{1e4f0}-\x{1e4f9}\x{1e5f1}-\x{1e5fa})";

/// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
/// Runs that nothing follows are possessive (++): giving back could not help them.
std::string pattern() {
  return "'(?:s|t|re|ve|m|ll|d)| ?[" + kLetters + "]++| ?[" + kNumbers + "]++| ?[^" + kSpaces +
         kLetters + kNumbers + "]++|[" + kSpaces + "]+(?![^" + kSpaces + "])|[" + kSpaces + "]++";
}

std::string message_of(int code) {
  PCRE2_UCHAR text[256];
  pcre2_get_error_message(code, text, sizeof text);
  return reinterpret_cast<const char*>(text);
}

PCRE2_SPTR units(std::string_view text) { return reinterpret_cast<PCRE2_SPTR>(text.data()); }

bool is_invalid_utf8(int code) {
  return (code <= PCRE2_ERROR_UTF8_ERR1 && code >= PCRE2_ERROR_UTF8_ERR21) ||
         code == PCRE2_ERROR_BADUTFOFFSET;
}

}  // namespace

struct Splitter::Impl {
  std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> code{nullptr, pcre2_code_free};
};

Splitter::Splitter() : impl_(std::make_unique<Impl>()) {
  const std::string rule = pattern();
  int error = 0;
  PCRE2_SIZE place = 0;
  impl_->code.reset(
      pcre2_compile(units(rule), rule.size(), PCRE2_UTF | PCRE2_ANCHORED, &error, &place, nullptr));
  if (!impl_->code) {
    throw Error("tokenizer: PCRE2 refuses the splitting rule at " + std::to_string(place) + ": " +
                    message_of(error),
                ErrorKind::internal);
  }
  // Where machine code can't be made (a hardened system), PCRE2 interprets the rule: slower, equal.
  pcre2_jit_compile(impl_->code.get(), PCRE2_JIT_COMPLETE);
}

Splitter::~Splitter() = default;

struct Pieces::Impl {
  const pcre2_code* code;
  std::string_view text;
  std::size_t at, end;
  std::uint32_t options = 0;
  std::unique_ptr<pcre2_match_data, decltype(&pcre2_match_data_free)> match;
};

Pieces::Pieces(const Splitter& splitter, std::string_view text, std::size_t begin, std::size_t end)
    : impl_(new Impl{splitter.impl_->code.get(),
                     text,
                     begin,
                     end,
                     0,
                     {pcre2_match_data_create(1, nullptr), pcre2_match_data_free}}) {
  if (!impl_->match) throw std::bad_alloc();
}

Pieces::~Pieces() = default;

std::optional<std::string_view> Pieces::next() {
  Impl& walk = *impl_;
  if (walk.at == walk.end) return std::nullopt;
  const int result = pcre2_match(walk.code, units(walk.text), walk.end, walk.at, walk.options,
                                 walk.match.get(), nullptr);
  if (is_invalid_utf8(result)) {
    const std::size_t place =
        result == PCRE2_ERROR_BADUTFOFFSET ? walk.at : pcre2_get_startchar(walk.match.get());
    throw Error("encode: text is not valid UTF-8 at byte " + std::to_string(place) +
                ": convert it to UTF-8, or replace what is broken");
  }
  const std::size_t stop = result > 0 ? pcre2_get_ovector_pointer(walk.match.get())[1] : walk.at;
  if (stop <= walk.at) {
    throw Error("encode: PCRE2 fails to split the text at byte " + std::to_string(walk.at) + ": " +
                    message_of(result),
                ErrorKind::internal);
  }
  const std::string_view piece = walk.text.substr(walk.at, stop - walk.at);
  walk.at = stop;
  walk.options = PCRE2_NO_UTF_CHECK;  // the first match has checked the whole range
  return piece;
}

}  // namespace foveal::text
