#pragma once
// What one mask expression is made of: nodes that know their text and bind to lengths.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "attention/mask/interval_set.h"

namespace foveal {

/// Lengths, and the places where queries and keys stand. Queries and keys are counted from the
/// first one given: i, j. Places count through the whole sequence.
struct MaskShape {
  std::int64_t batch = 1, heads = 1, query_length = 0, key_length = 0;
  std::int64_t unused_keys = 0;  ///< rows after the keys, which a dense mask has too
  std::int64_t key_place = 0;    ///< of key 0
  std::optional<std::int64_t> query_place = {};  ///< of query 0, where it is given
  std::int64_t first_entry = 0;                  ///< of the batch entries that will be asked for
  std::optional<std::int64_t> entries = {};      ///< how many; all where not given

  /// i' = i + offset: where query i stands, counted from key 0.
  std::int64_t offset() const {
    return query_place ? *query_place - key_place : key_length - query_length;
  }
  std::int64_t key_rows() const { return key_length + unused_keys; }
  std::int64_t entry_count() const { return entries.value_or(batch); }
  /// Whether the keys may be a part of a longer sequence.
  bool is_placed() const { return query_place.has_value() || key_place > 0; }
};

/// The keys of a block of queries: those that some query may see, and those that each one sees.
/// `any` may hold too much and `all` too little; for one query of a mask made of intervals both
/// are exact.
struct VisibleKeys {
  IntervalSet any, all;
};

/// A mask whose lengths are known and have been checked. Const use from several threads is safe.
class BoundMask {
 public:
  explicit BoundMask(const MaskShape& shape) : shape_(shape) {}
  virtual ~BoundMask() = default;

  const MaskShape& shape() const { return shape_; }

  /// Of the queries first .. last - 1 (at least one).
  virtual VisibleKeys keys(std::int64_t b, std::int64_t h, std::int64_t first,
                           std::int64_t last) const = 0;

  /// Bit t is set where query i sees key j0 + t, t in 0 .. 63; bits past L_k are 0. Exact.
  virtual std::uint64_t word(std::int64_t b, std::int64_t h, std::int64_t i,
                             std::int64_t j0) const = 0;

  /// word() of the queries first .. last - 1, at most 64: what a partial tile asks for.
  virtual void words(std::int64_t b, std::int64_t h, std::int64_t first, std::int64_t last,
                     std::int64_t j0, std::uint64_t* words) const;

  /// Equal for masks made alike, of equal numbers; else differing, but for a chance in 2^64.
  virtual std::uint64_t fingerprint() const = 0;

  /// Whether the answers differ between batch entries, between heads.
  virtual bool varies_by_batch() const { return false; }
  virtual bool varies_by_head() const { return false; }

  /// Of how many batch entries and heads the answers must be asked: one where they don't differ,
  /// none where there is no batch or no head.
  struct Planes {
    std::int64_t batch = 0, heads = 0;
  };
  Planes planes() const {
    if (shape_.entry_count() == 0 || shape_.heads == 0) return {};
    return {varies_by_batch() ? shape_.entry_count() : 1, varies_by_head() ? shape_.heads : 1};
  }

 private:
  MaskShape shape_;
};

class MaskNode {
 public:
  virtual ~MaskNode() = default;
  virtual std::string text() const = 0;
  /// What a linter asks of an expression: whether it hides rows past lengths of their own, and
  /// whether it counts from the last key.
  virtual bool pads() const { return false; }
  virtual bool counts_from_end() const { return false; }
  /// 3 atom, 2 not, 1 and, 0 or: what needs parentheses inside what.
  virtual int precedence() const { return 3; }
  /// The heads that the mask's own tensors ask for; 1 where any number will do.
  virtual std::int64_t heads() const { return 1; }
  /// Throws Error where the mask doesn't fit the lengths.
  virtual std::unique_ptr<BoundMask> bind(const MaskShape& shape) const = 0;
  /// Adds a warning for each atom that looks like a mistake.
  virtual void lint(const MaskShape& shape, std::vector<std::string>& warnings) const;
};

/// The bits of [begin, end) that fall into the 64 keys from j0 on.
inline std::uint64_t interval_word(std::int64_t begin, std::int64_t end, std::int64_t j0) {
  const std::int64_t low = std::clamp<std::int64_t>(begin - j0, 0, 64);
  const std::int64_t high = std::clamp<std::int64_t>(end - j0, 0, 64);
  if (low >= high) return 0;
  const std::uint64_t ones =
      high - low == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (high - low)) - 1;
  return ones << low;
}

}  // namespace foveal
