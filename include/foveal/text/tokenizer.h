#pragma once
// GPT-2's byte-pair tokenizer. Part of foveal::text, which needs PCRE2.

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#pragma GCC visibility push(default)
namespace foveal::text {

/// Byte-level byte-pair encoding with GPT-2's merges and its splitting rule. Token ids follow from
/// the merges: 256 bytes, then one id a merge, then <|endoftext|> (50256).
/// encode and decode are const and safe to call from several threads.
///
/// Source: Radford et al., "Language Models are Unsupervised Multitask Learners" (2019), 2.2;
/// Sennrich et al. (2016).
class Tokenizer {
 public:
  /// From a merges file ("vocab.bpe": a version line, then "left right" a line, bytes spelled as
  /// GPT-2 spells them). Throws Error that names the file, the line and the rule.
  static Tokenizer from_merges_file(const std::string& path);
  /// The same from memory; `name` stands in errors for the file.
  static Tokenizer from_merges(std::string_view merges, const std::string& name);

  ~Tokenizer();
  Tokenizer(Tokenizer&&) noexcept;
  Tokenizer& operator=(Tokenizer&&) noexcept;

  /// Token ids of `text` (UTF-8; an invalid byte throws with its place). A special token in the
  /// text throws unless it is in `allowed_special`; then it becomes its own id. <|endoftext|> is
  /// the only one; another name in `allowed_special` throws.
  std::vector<std::int64_t> encode(std::string_view text,
                                   const std::set<std::string>& allowed_special = {}) const;
  /// The bytes of the tokens, joined. An id outside 0 .. vocabulary_size() - 1 throws with its
  /// place. Tokens may split a character: the result is then not valid UTF-8.
  std::string decode(const std::vector<std::int64_t>& ids) const;

  std::int64_t vocabulary_size() const;

 private:
  struct Impl;
  explicit Tokenizer(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace foveal::text
#pragma GCC visibility pop
