// The text form of masks: recursive descent over  or := and ('|' and)*,  and := not ('&' not)*,
// not := '!' not | '(' or ')' | name [ '(' arguments ')' ].

#include "attention/mask/sources.h"
#include "core/ascii.h"
#include "core/door.h"
#include "foveal/error.h"

namespace foveal {
namespace {

// Deeper or longer expressions are refused, so that hostile text can't exhaust the stack.
constexpr int kMaxDepth = 100;
constexpr int kMaxOperators = 500;

class Parser {
 public:
  Parser(std::string_view text, const MaskFileReader& read_file)
      : text_(text), read_file_(read_file) {}

  Mask parse() {
    const Mask mask = parse_or();
    skip_spaces();
    if (place_ < text_.size()) fail("expected '&', '|' or the end");
    return mask;
  }

 private:
  [[noreturn]] void fail(const std::string& rule) const { fail_at(place_, rule); }

  [[noreturn]] void fail_at(std::size_t place, const std::string& rule) const {
    std::string found = "the end";
    if (place < text_.size()) found = "'" + printable(text_.substr(place, 12)) + "'";
    throw Error("mask, character " + std::to_string(place) + ", at " + found + ": " + rule,
                ErrorKind::usage);
  }

  /// In one line, and without characters that the cut may have halved.
  static std::string printable(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
      if (c < ' ' || c > '~') c = '?';
    }
    return result;
  }

  void skip_spaces() {
    while (place_ < text_.size() && is_space(text_[place_])) ++place_;
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

  void count_operator() {
    if (++operators_ > kMaxOperators) {
      fail("more than " + std::to_string(kMaxOperators) + " operators: use dense(FILE)");
    }
  }

  Mask parse_or() {
    Mask mask = parse_and();
    while (take('|')) {
      count_operator();
      mask = mask | parse_and();
    }
    return mask;
  }

  Mask parse_and() {
    Mask mask = parse_not();
    while (take('&')) {
      count_operator();
      mask = mask & parse_not();
    }
    return mask;
  }

  Mask parse_not() {
    if (++depth_ > kMaxDepth) {
      fail("nested deeper than " + std::to_string(kMaxDepth) + " levels");
    }
    Mask mask;
    if (take('!')) {
      mask = !parse_not();
    } else if (take('(')) {
      mask = parse_or();
      expect(')');
    } else {
      mask = parse_atom();
    }
    --depth_;
    return mask;
  }

  std::string_view name() {
    skip_spaces();
    const std::size_t begin = place_;
    while (place_ < text_.size() && (is_letter(text_[place_]) || text_[place_] == '_')) {
      ++place_;
    }
    return text_.substr(begin, place_ - begin);
  }

  Mask parse_atom() {
    skip_spaces();
    const std::size_t begin = place_;
    const std::string_view atom = name();
    if (atom == "none") return parse_none();
    if (atom == "causal") return parse_causal();
    if (atom == "window") return parse_window();
    if (atom == "prefix") return parse_prefix();
    if (atom == "padding") return parse_padding();
    if (atom == "document") return parse_document();
    if (atom == "dense") return parse_dense();
    fail_at(begin, "expected none, causal, window, document, prefix, padding, dense, '!' or '('");
  }

  Mask parse_none() {
    if (take('(')) expect(')');
    return none();
  }

  Mask parse_causal() {
    if (!take('(') || take(')')) return causal();
    skip_spaces();
    const std::size_t begin = place_;
    const std::string_view corner = name();
    if (corner != "top_left" && corner != "bottom_right") {
      fail_at(begin, "expected top_left, bottom_right or ')'");
    }
    expect(')');
    return causal(corner == "top_left" ? Corner::top_left : Corner::bottom_right);
  }

  Mask parse_window() {
    expect('(');
    const std::int64_t left = parse_integer(-1);
    expect(',');
    const std::int64_t right = parse_integer(-1);
    expect(')');
    return window(left, right);
  }

  Mask parse_prefix() {
    expect('(');
    const std::int64_t n = parse_integer(0);
    expect(')');
    return prefix(n);
  }

  Mask parse_padding() {
    expect('(');
    if (take('[')) {
      const std::vector<std::int64_t> lengths = parse_list(0);
      expect(')');
      return padding(lengths);
    }
    const File file = parse_file();
    return padding_from(file.tensor, file.source);
  }

  Mask parse_document() {
    expect('(');
    if (!take('[')) {
      const File file = parse_file();
      return document_from(file.tensor, file.source);
    }
    if (!take('[')) {
      const std::vector<std::int64_t> ids = parse_list(INT64_MIN);
      expect(')');
      return document(ids);
    }
    std::vector<std::vector<std::int64_t>> lists;
    do {
      if (!lists.empty()) expect('[');
      lists.push_back(parse_list(INT64_MIN));
    } while (take(','));
    expect(']');
    expect(')');
    return document(lists);
  }

  Mask parse_dense() {
    expect('(');
    const File file = parse_file();
    return dense_from(file.tensor, file.source);
  }

  /// Numbers up to the closing ']'; the '[' has been taken.
  std::vector<std::int64_t> parse_list(std::int64_t lowest) {
    std::vector<std::int64_t> values;
    if (take(']')) return values;
    do {
      values.push_back(parse_integer(lowest));
    } while (take(','));
    expect(']');
    return values;
  }

  std::int64_t parse_integer(std::int64_t lowest) {
    skip_spaces();
    const std::size_t begin = place_;
    const bool negative = take('-');
    const std::size_t digits = place_;
    std::int64_t value = 0;
    for (; place_ < text_.size() && is_digit(text_[place_]); ++place_) {
      if (__builtin_mul_overflow(value, 10, &value) ||
          __builtin_add_overflow(value, text_[place_] - '0', &value)) {
        fail_at(begin, "a whole number that fits in 63 bits is needed here");
      }
    }
    if (place_ == digits) fail_at(begin, "expected a whole number");
    if (negative) value = -value;
    if (value < lowest) fail_at(begin, "expected " + std::to_string(lowest) + " or more");
    return value;
  }

  struct File {
    Tensor tensor;
    std::string source;  // as written
  };

  /// A path up to ')', in double quotes where it has spaces, commas or parentheses.
  File parse_file() {
    skip_spaces();
    const std::size_t begin = place_;
    std::string path;
    if (take('"')) {
      const std::size_t end = text_.find('"', place_);
      if (end == std::string_view::npos) fail_at(begin, "the closing '\"' is missing");
      path = text_.substr(place_, end - place_);
      place_ = end + 1;
    } else {
      while (place_ < text_.size() && !is_space(text_[place_]) && text_[place_] != ',' &&
             text_[place_] != '(' && text_[place_] != ')') {
        path += text_[place_++];
      }
    }
    if (path.empty()) fail_at(begin, "expected a file name or a list");
    const std::string source(text_.substr(begin, place_ - begin));
    expect(')');
    if (!read_file_) fail_at(begin, "files can't be read here: give a list or a tensor");
    return {read_file_(path), source};
  }

  std::string_view text_;
  const MaskFileReader& read_file_;
  std::size_t place_ = 0;
  int depth_ = 0;
  int operators_ = 0;
};

}  // namespace

Mask parse_mask(std::string_view text, const MaskFileReader& read_file) try {
  return Parser(text, read_file).parse();
} catch (...) {
  rethrow_as_error("parse_mask");
}

}  // namespace foveal
