#pragma once
// The heart of byte-pair encoding: joins neighbours by the earliest merge until none is left.

#include <cstdint>
#include <string_view>
#include <vector>

#include "text/merges.h"

namespace foveal::text {

/// Holds the scratch memory of one encode call; not for several threads.
class Merger {
 public:
  explicit Merger(const Merges& merges) : merges_(merges) {}

  /// Appends the tokens of `piece`. Time n log n, also for pieces of many megabytes.
  void append_tokens(std::string_view piece, std::vector<std::int64_t>* ids);

 private:
  /// A symbol of a doubly linked list; `merged` is what it and its right neighbour become.
  struct Symbol {
    std::uint32_t id, left, right, merged;
  };

  void start(std::string_view piece);
  void offer(std::uint32_t at);
  void join(std::uint32_t at);

  const Merges& merges_;
  std::vector<Symbol> symbols_;
  /// Merges that may be done: (merged id, place) in one number, the least on top.
  std::vector<std::uint64_t> heap_;
};

}  // namespace foveal::text
