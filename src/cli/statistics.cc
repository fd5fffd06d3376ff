#include "cli/statistics.h"

#include <algorithm>
#include <charconv>
#include <limits>

#include "foveal/error.h"
#include "io/json.h"

namespace foveal::cli {
namespace {

class Parser {
 public:
  explicit Parser(const std::string& text) : text_(text) {}

  StatisticsOptions parse() {
    do {
      parse_one();
    } while (take(','));
    if (place_ < text_.size()) fail("expected ',' or the end");
    return options_;
  }

 private:
  [[noreturn]] void fail(const std::string& rule) const {
    const std::string found =
        place_ < text_.size() ? "'" + text_.substr(place_, 12) + "'" : "the end";
    throw Error("--statistics, character " + std::to_string(place_) + ", at " + found + ": " + rule,
                ErrorKind::usage);
  }

  bool take(char wanted) {
    skip_spaces();
    if (place_ >= text_.size() || text_[place_] != wanted) return false;
    ++place_;
    return true;
  }

  void expect(char wanted) {
    if (!take(wanted)) fail(std::string("expected '") + wanted + "'");
  }

  void skip_spaces() {
    while (place_ < text_.size() && text_[place_] == ' ') ++place_;
  }

  void parse_one() {
    skip_spaces();
    std::size_t end = place_;
    while (end < text_.size() && ((text_[end] >= 'a' && text_[end] <= 'z') || text_[end] == '_')) {
      ++end;
    }
    const std::string name = text_.substr(place_, end - place_);
    if (name == "entropy") return set(&options_.entropy, end);
    if (name == "maximum") return set(&options_.maximum, end);
    if (name == "column_mass") return set(&options_.column_mass, end);
    if (name == "top_k" && options_.top_k == 0) {
      place_ = end;
      expect('=');
      options_.top_k = static_cast<int>(number(1, std::numeric_limits<int>::max()));
    } else if (name == "rows" && options_.rows.empty()) {
      place_ = end;
      expect('=');
      parse_rows();
    } else {
      fail("expected each at most once of top_k=K, entropy, maximum, column_mass, rows=[I,...]");
    }
  }

  void set(bool* option, std::size_t end) {
    if (*option) fail("stands twice");
    *option = true;
    place_ = end;
  }

  void parse_rows() {
    expect('[');
    do {
      options_.rows.push_back(number(0, std::numeric_limits<std::int64_t>::max()));
    } while (take(','));
    expect(']');
  }

  std::int64_t number(std::int64_t lowest, std::int64_t highest) {
    skip_spaces();
    std::int64_t value = 0;
    const char* const end = text_.data() + text_.size();
    const std::from_chars_result result = std::from_chars(text_.data() + place_, end, value);
    if (result.ec != std::errc() || value < lowest || value > highest) {
      fail("expected a whole number, " + std::to_string(lowest) + " to " + std::to_string(highest));
    }
    place_ = static_cast<std::size_t>(result.ptr - text_.data());
    return value;
  }

  const std::string& text_;
  std::size_t place_ = 0;
  StatisticsOptions options_;
};

/// Numbers from `next` on as lists within lists, an axis each.
void append_list(const Shape& shape, std::size_t axis, const std::vector<double>& values,
                 std::size_t* next, std::string* text) {
  if (axis == shape.size()) {
    *text += json_number(values[(*next)++]);
    return;
  }
  *text += '[';
  for (std::int64_t n = 0; n < shape[axis]; ++n) {
    if (n > 0) *text += ", ";
    append_list(shape, axis + 1, values, next, text);
  }
  *text += ']';
}

std::string nested_list(const Tensor& tensor) {
  std::string text;
  std::size_t next = 0;
  append_list(tensor.shape(), 0, tensor.to_vector(), &next, &text);
  return text;
}

}  // namespace

StatisticsOptions parse_statistics(const std::string& text) { return Parser(text).parse(); }

std::string statistics_json(const Statistics& statistics) {
  std::string text;
  const auto add = [&text](const char* name, const std::string& value) {
    text += (text.empty() ? "\"" : ", \"") + std::string(name) + "\": " + value;
  };
  if (statistics.top_k_keys.defined()) {
    add("top_k", "{\"keys\": " + nested_list(statistics.top_k_keys) +
                     ", \"weights\": " + nested_list(statistics.top_k_weights) + "}");
  }
  if (statistics.entropy.defined()) add("entropy", nested_list(statistics.entropy));
  if (statistics.maximum.defined()) add("maximum", nested_list(statistics.maximum));
  if (statistics.column_mass.defined()) add("column_mass", nested_list(statistics.column_mass));
  if (statistics.rows.defined()) add("rows", nested_list(statistics.rows));
  return "{" + text + "}";
}

}  // namespace foveal::cli
