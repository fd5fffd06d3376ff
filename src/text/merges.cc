#include "text/merges.h"

#include <algorithm>
#include <unordered_map>

#include "foveal/error.h"
#include "io/encoding.h"

namespace foveal::text {
namespace {

constexpr std::size_t kMostMerges = std::size_t{1} << 20;
constexpr std::size_t kMostBytes = std::size_t{1} << 26;

class Parser {
 public:
  Parser(std::string_view text, const std::string& name)
      : rest_(text),
        name_(name),
        merges_{{}, {}, PairTable(std::min(most_lines(text), kMostMerges))} {}

  Merges parse() {
    add_bytes();
    while (!rest_.empty()) {
      const std::string_view line = take_line();
      if (line_ == 1 && line.substr(0, 8) == "#version") continue;
      add_merge(line);
    }
    if (merges_.tokens.size() == 256) {
      throw Error("merges file '" + name_ + "': holds no merges: is it the right file?");
    }
    return std::move(merges_);
  }

 private:
  static std::size_t most_lines(std::string_view text) {
    return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw Error("merges file '" + name_ + "', line " + std::to_string(line_) + ": " + what);
  }

  void add_bytes() {
    for (std::uint32_t id = 0; id < 256; ++id) {
      add_token(std::string(1, static_cast<char>(merges_.alphabet.byte_of(id))));
    }
  }

  void add_token(std::string bytes) {
    ids_.emplace(bytes, static_cast<std::uint32_t>(merges_.tokens.size()));
    merges_.tokens.push_back(std::move(bytes));
    line_of_token_.push_back(line_);
  }

  std::string_view take_line() {
    ++line_;
    const std::size_t end = rest_.find('\n');
    const std::string_view line = rest_.substr(0, end);
    rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
    return line;
  }

  void add_merge(std::string_view line) {
    if (!line.empty() && line.back() == '\r') {
      fail("ends in CR LF: save the file with LF line ends");
    }
    const std::size_t space = line.find(' ');
    if (space == 0 || space == std::string_view::npos || space + 1 == line.size() ||
        line.find(' ', space + 1) != std::string_view::npos) {
      fail("must be two symbols with one space between");
    }
    if (merges_.tokens.size() == 256 + kMostMerges) {
      fail("more than " + std::to_string(kMostMerges) + " merges: is it the right file?");
    }
    const std::uint32_t left = symbol(line, 0, space);
    const std::uint32_t right = symbol(line, space + 1, line.size());
    std::string bytes = merges_.tokens[left] + merges_.tokens[right];
    const auto known = ids_.find(bytes);
    if (known != ids_.end()) {
      fail("makes the same symbol as line " + std::to_string(line_of_token_[known->second]) +
           ": each merge must make a new one");
    }
    merges_.pairs.insert(left, right, static_cast<std::uint32_t>(merges_.tokens.size()));
    add_token(std::move(bytes));
  }

  std::uint32_t symbol(std::string_view line, std::size_t begin, std::size_t end) const {
    std::size_t used = 0;
    const std::string bytes = merges_.alphabet.bytes_of(line.substr(begin, end - begin), &used);
    if (used != end - begin) {
      const std::size_t place = begin + used;
      fail("byte " + std::to_string(static_cast<unsigned char>(line[place])) + " at place " +
           std::to_string(place + 1) +
           " begins none of the 256 characters that spell bytes in such a file");
    }
    const auto known = ids_.find(bytes);
    if (known == ids_.end()) {
      fail(std::string(begin == 0 ? "left" : "right") +
           " part is neither a byte nor made by a line above: put the merge that makes it first");
    }
    return known->second;
  }

  std::string_view rest_;
  const std::string& name_;
  Merges merges_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<std::size_t> line_of_token_;
  std::size_t line_ = 0;
};

}  // namespace

Merges parse_merges(std::string_view text, const std::string& name) {
  if (text.size() > kMostBytes) {
    throw Error("merges file '" + name + "': has " + std::to_string(text.size()) +
                " bytes, but at most " + std::to_string(kMostBytes) +
                " are read: is it the right file?");
  }
  text.remove_prefix(utf8_begin(text, "merges file '" + name + "'"));
  return Parser(text, name).parse();
}

}  // namespace foveal::text
