#pragma once
// GPT-2's rule for cutting text into pieces; merges never cross from one piece to the next.

#include <memory>
#include <optional>
#include <string_view>

namespace foveal::text {

/// The compiled rule. Const use from several threads is safe.
class Splitter {
 public:
  Splitter();
  ~Splitter();
  Splitter(const Splitter&) = delete;
  Splitter& operator=(const Splitter&) = delete;

 private:
  friend class Pieces;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Walks over the pieces of one text. They are not empty, and joined they are the text.
class Pieces {
 public:
  /// The pieces of text[begin, end), as if nothing stood around it. Both must outlive the walk.
  Pieces(const Splitter& splitter, std::string_view text, std::size_t begin, std::size_t end);
  ~Pieces();
  Pieces(const Pieces&) = delete;
  Pieces& operator=(const Pieces&) = delete;

  /// The next piece, until there is none. Throws Error with the offset of the first byte that is
  /// not valid UTF-8; the whole range is checked before the first piece.
  std::optional<std::string_view> next();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace foveal::text
