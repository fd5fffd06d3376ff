#pragma once
// The sequences of a call: which rows of its tensors belong together, and where they stand.

#include <optional>

#include "attention/plan/problem.h"

namespace foveal {

/// Queries of some batch entries and the keys that they may see. Entries that are alike in all of
/// this are one sequence; in a packed batch, entry 0 holds many.
struct Sequence {
  std::int64_t first_query = 0, query_length = 0;  ///< rows of the query
  std::int64_t first_key = 0, key_length = 0;      ///< rows of key and value
  std::int64_t unused_keys = 0;                    ///< rows after them, which are nobody's
  std::int64_t first_entry = 0, entries = 0;       ///< of the batch
  std::int64_t key_place = 0;                      ///< of the first key in the whole sequence
  std::optional<std::int64_t> query_place = {};    ///< of the first query, where it is given

  /// The first query's place counted from the first key.
  std::int64_t offset() const {
    return query_place ? *query_place - key_place : key_length - query_length;
  }
  std::int64_t last_entry() const { return first_entry + entries; }
};

/// Throws Error where only one list of starts is given, or one doesn't run from 0 to the total
/// without falling; where there is another number of lengths or offsets than entries, a length
/// isn't one of rows that are there, or an offset is negative.
std::vector<Sequence> sequences_of(const Problem& problem, const AttentionOptions& options);

/// "packed sequence 3", which is that of index 3, or "batch entry 3", for errors.
std::string name_of_sequence(const AttentionOptions& options, const Sequence& sequence,
                             std::size_t index);

}  // namespace foveal
