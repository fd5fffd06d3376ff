#include "io/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/ascii.h"
#include "foveal/error.h"
#include "io/encoding.h"
#include "io/json_mends.h"

namespace foveal {
namespace {

using Json = nlohmann::json;

constexpr std::size_t kMaxDepth = 64;

/// "byte 17 (line 2, column 5)", each counted from 1.
std::string place(std::string_view text, std::size_t position) {
  const std::size_t byte = std::clamp<std::size_t>(position, 1, text.size() + 1);
  const std::string_view before = text.substr(0, byte - 1);
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const std::size_t line_start =
      before.rfind('\n') == std::string_view::npos ? 0 : before.rfind('\n') + 1;
  return "byte " + std::to_string(byte) + " (line " + std::to_string(line) + ", column " +
         std::to_string(byte - line_start) + ")";
}

/// The parser's own words without its prefix and without the text it last read, which may be long
/// or hold invalid bytes: "unexpected end of input; expected '[', '{', or a literal".
std::string reason(const std::string& message) {
  const std::size_t start = message.find(" - ");
  std::string words = start == std::string::npos ? message : message.substr(start + 3);
  const std::size_t last_read = words.find("; last read: ");
  if (last_read == std::string::npos) return words;
  const std::size_t expected = words.rfind("; expected ");
  const bool keep = expected != std::string::npos && expected > last_read;
  return words.substr(0, last_read) + (keep ? words.substr(expected) : "");
}

/// The word around a place, such as the NaN that is no JSON: letters and digits, cut where long.
std::string word_at(std::string_view text, std::size_t position) {
  const auto is_part = [&](std::size_t at) {
    return at < text.size() && (is_letter(text[at]) || is_digit(text[at]));
  };
  std::size_t first = std::clamp<std::size_t>(position, 1, text.size()) - 1;
  std::size_t end = first;
  while (first > 0 && is_part(first - 1)) --first;
  while (is_part(end) && end - first < 40) ++end;
  return std::string(text.substr(first, end - first));
}

/// Builds the document from the parser's events, and stops at the first one that breaks a rule.
/// It keeps the way from the top to the open value, so that errors can name their place.
class Builder : public nlohmann::json_sax<Json> {
 public:
  Builder(std::string_view text, const std::string& name, const std::string& typed_below)
      : text_(text), name_(name), typed_below_(typed_below) {}

  Json take() { return std::move(top_); }

  bool null() override { return add(Json(nullptr)); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(value)); }
  bool number_unsigned(number_unsigned_t value) override { return add(Json(value)); }
  bool number_float(number_float_t value, const string_t& token) override {
    const std::string text = with_point(token);
    if (!std::isfinite(value)) fail("number " + text.substr(0, 40) + " is not finite in float64");
    // JSON text has no binary values, so that they are free to hold what was typed.
    if (keeps_numbers_typed()) return add(Json::binary({text.begin(), text.end()}));
    return add(Json(value));
  }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }

  bool start_object(std::size_t) override { return open(Json::object()); }
  bool key(string_t& value) override {
    Frame& frame = frames_.back();
    frame.key = std::move(value);
    frame.has_key = true;
    if (frame.value->contains(frame.key)) {
      fail("the key stands twice; a key may stand once in an object");
    }
    return true;
  }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_array() override { return close(); }

  bool parse_error(std::size_t position, const std::string& last_token,
                   const nlohmann::detail::exception& error) override {
    const std::string where = name_ + ": " + pointer() + place(text_, position) + ": ";
    if (error.id == 406) {
      throw Error(where + "number " + last_token.substr(0, 40) + " is not finite in float64");
    }
    const std::string word = word_at(text_, position);
    throw Error(where + "not JSON: " + with_mend(reason(error.what()), text_, position, word));
  }

 private:
  /// An open object or array, and where in it the parser is.
  struct Frame {
    Json* value;
    std::string key;
    bool has_key = false;  ///< in an object: the key was read, its value wasn't yet
  };

  bool keeps_numbers_typed() const {
    return !frames_.empty() && frames_.front().value->is_object() &&
           frames_.front().key == typed_below_;
  }

  bool add(Json&& value) {
    put(std::move(value));
    return true;
  }

  Json* put(Json&& value) {
    if (frames_.empty()) {
      top_ = std::move(value);
      return &top_;
    }
    Json& parent = *frames_.back().value;
    if (parent.is_object()) {
      frames_.back().has_key = false;
      return &(parent[frames_.back().key] = std::move(value));
    }
    parent.push_back(std::move(value));
    return &parent.back();
  }

  bool open(Json&& value) {
    if (frames_.size() == kMaxDepth) {
      fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    }
    frames_.push_back({put(std::move(value)), {}, false});
    return true;
  }

  bool close() {
    frames_.pop_back();
    return true;
  }

  [[noreturn]] void fail(const std::string& rule) const {
    throw Error(name_ + ": " + pointer() + rule);
  }

  /// "/inputs/0/1: ", where the parser is; nothing at the top.
  std::string pointer() const {
    std::string pointer;
    for (const Frame& frame : frames_) {
      // An entry that is open already counts; the one that is about to come doesn't yet.
      const bool open_below = &frame != &frames_.back();
      if (frame.value->is_array()) {
        pointer += '/' + std::to_string(frame.value->size() - (open_below ? 1 : 0));
      } else if (frame.has_key || open_below) {
        pointer += '/' + pointer_step(frame.key.substr(0, 80));
      }
    }
    return pointer.empty() ? "" : pointer + ": ";
  }

  std::string_view text_;
  std::string name_;
  std::string typed_below_;
  Json top_;
  std::vector<Frame> frames_;
};

std::string replace_all(std::string text, char from, const std::string& to) {
  for (std::size_t at = text.find(from); at != std::string::npos;
       at = text.find(from, at + to.size())) {
    text.replace(at, 1, to);
  }
  return text;
}

}  // namespace

nlohmann::json parse_json(std::string_view text, const std::string& name,
                          const std::string& typed_below) {
  if (text.find_first_not_of(" \t\r\n", utf8_begin(text, name)) == std::string_view::npos) {
    throw Error(name + ": is empty; it must hold one JSON document");
  }
  Builder builder(text, name, typed_below);
  Json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

std::optional<std::string> typed_number(const nlohmann::json& value) {
  if (!value.is_binary()) return std::nullopt;
  const Json::binary_t& bytes = value.get_binary();
  return std::string(bytes.begin(), bytes.end());
}

std::string with_point(std::string number) {
  constexpr std::string_view others = "+-0123456789eE";
  const std::size_t point = number.find_first_not_of(others);
  if (point != std::string::npos) number[point] = '.';
  return number;
}

std::string pointer_step(const std::string& key) {
  // As a JSON string, so that a line break in a key can't break the line of an error.
  const std::string quoted = Json(key).dump(-1, ' ', false, Json::error_handler_t::replace);
  const std::string escaped = quoted.substr(1, quoted.size() - 2);
  return replace_all(replace_all(escaped, '~', "~0"), '/', "~1");
}

std::string json_string(const std::string& text) {
  try {
    return Json(text).dump();
  } catch (const Json::type_error&) {
    throw Error("json_string: the text is not valid UTF-8");
  }
}

std::string json_number(double value) {
  if (std::isnan(value)) return "\"nan\"";
  if (std::isinf(value)) return value < 0 ? "\"-inf\"" : "\"inf\"";
  if (value == 0 && std::signbit(value)) return "-0.0";
  std::array<char, 32> digits;
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const bool whole = std::abs(value) <= kExact && std::trunc(value) == value;
  char* const end = digits.data() + digits.size();
  const std::to_chars_result result =
      whole ? std::to_chars(digits.data(), end, static_cast<std::int64_t>(value))
            : std::to_chars(digits.data(), end, value);
  return std::string(digits.data(), result.ptr);
}

}  // namespace foveal
