#include "text/merger.h"

#include <algorithm>
#include <functional>
#include <string>

#include "foveal/error.h"

namespace foveal::text {
namespace {

constexpr std::uint32_t kEnd = 0xFFFFFFFF;

std::uint64_t key(std::uint32_t merged, std::uint32_t place) {
  return std::uint64_t{merged} << 32 | place;
}

}  // namespace

void Merger::append_tokens(std::string_view piece, std::vector<std::int64_t>* ids) {
  if (piece.size() >= kEnd) {
    throw Error("encode: a run of " + std::to_string(piece.size()) +
                " bytes without a place to split: at most 4294967294 fit; put a space into it");
  }
  start(piece);
  while (!heap_.empty()) {
    const std::uint64_t top = heap_.front();
    std::pop_heap(heap_.begin(), heap_.end(), std::greater<>());
    heap_.pop_back();
    const auto place = static_cast<std::uint32_t>(top);
    // Entries of symbols that have changed since are stale.
    if (symbols_[place].merged == top >> 32) join(place);
  }
  for (std::uint32_t at = 0; at != kEnd; at = symbols_[at].right) {
    ids->push_back(symbols_[at].id);
  }
}

void Merger::start(std::string_view piece) {
  symbols_.resize(piece.size());
  heap_.clear();
  const auto count = static_cast<std::uint32_t>(piece.size());
  for (std::uint32_t at = 0; at < count; ++at) {
    const std::uint32_t id = merges_.alphabet.id_of(static_cast<unsigned char>(piece[at]));
    symbols_[at] = {id, at == 0 ? kEnd : at - 1, at + 1 == count ? kEnd : at + 1, PairTable::kNone};
  }
  for (std::uint32_t at = 0; at + 1 < count; ++at) {
    Symbol& symbol = symbols_[at];
    symbol.merged = merges_.pairs.find(symbol.id, symbols_[at + 1].id);
    if (symbol.merged != PairTable::kNone) heap_.push_back(key(symbol.merged, at));
  }
  std::make_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void Merger::offer(std::uint32_t at) {
  Symbol& symbol = symbols_[at];
  symbol.merged = symbol.right == kEnd ? PairTable::kNone
                                       : merges_.pairs.find(symbol.id, symbols_[symbol.right].id);
  if (symbol.merged == PairTable::kNone) return;
  heap_.push_back(key(symbol.merged, at));
  std::push_heap(heap_.begin(), heap_.end(), std::greater<>());
}

void Merger::join(std::uint32_t at) {
  Symbol& symbol = symbols_[at];
  Symbol& gone = symbols_[symbol.right];
  symbol.id = symbol.merged;
  symbol.right = gone.right;
  gone.merged = PairTable::kNone;
  if (symbol.right != kEnd) symbols_[symbol.right].left = at;
  offer(at);
  if (symbol.left != kEnd) offer(symbol.left);
}

}  // namespace foveal::text
