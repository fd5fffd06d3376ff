#include "attention/plan/sequence.h"

#include <algorithm>

#include "foveal/error.h"

namespace foveal {
namespace {

using Numbers = std::vector<std::int64_t>;

void check_starts(const Numbers& starts, std::int64_t total, const std::string& name) {
  const auto refuse = [&](const std::string& what, std::int64_t found) {
    throw Error("attention: " + name + " " + what + " " + std::to_string(found) +
                ": offsets run from 0 to the total length " + std::to_string(total) +
                " without falling");
  };
  if (starts.front() != 0) refuse("begins with", starts.front());
  for (std::size_t n = 1; n < starts.size(); ++n) {
    if (starts[n] < starts[n - 1]) {
      refuse("falls from " + std::to_string(starts[n - 1]) + " to", starts[n]);
    }
  }
  if (starts.back() != total) refuse("ends with", starts.back());
}

/// Starts come in two lists, for queries and for keys.
void check_both_given(const AttentionOptions& options) {
  const bool queries = !options.query_starts.empty(), keys = !options.key_starts.empty();
  if (queries == keys) return;
  throw Error(std::string("attention: ") + (queries ? "query_starts" : "key_starts") +
              " is given but " + (queries ? "key_starts" : "query_starts") +
              " is not: a packed batch needs both, n + 1 offsets each for n sequences");
}

std::vector<Sequence> packed_sequences(const Problem& problem, const AttentionOptions& options) {
  check_both_given(options);
  if (problem.batch != 1) {
    throw Error("attention: query_starts is given but the batch is " +
                std::to_string(problem.batch) +
                ": packed sequences lie in one batch entry, (1, H, total, D)");
  }
  const Numbers &queries = options.query_starts, &keys = options.key_starts;
  check_starts(queries, problem.query_length, "query_starts");
  check_starts(keys, problem.key_length, "key_starts");
  if (queries.size() != keys.size()) {
    throw Error("attention: query_starts has " + std::to_string(queries.size()) +
                " offsets but key_starts has " + std::to_string(keys.size()) +
                ": give n + 1 each for n sequences");
  }
  std::vector<Sequence> sequences(queries.size() - 1);
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    Sequence& sequence = sequences[n];
    sequence.first_query = queries[n];
    sequence.query_length = queries[n + 1] - queries[n];
    sequence.first_key = keys[n];
    sequence.key_length = keys[n + 1] - keys[n];
    sequence.entries = 1;
  }
  return sequences;
}

/// All entries in one, or each for itself where they differ.
std::vector<Sequence> sequences_of_entries(const Problem& problem,
                                           const AttentionOptions& options) {
  const bool apart = !options.key_lengths.empty() || !options.query_offsets.empty();
  const std::int64_t count = apart ? problem.batch : 1;
  std::vector<Sequence> sequences(static_cast<std::size_t>(count));
  for (std::int64_t n = 0; n < count; ++n) {
    Sequence& sequence = sequences[static_cast<std::size_t>(n)];
    sequence.query_length = problem.query_length;
    sequence.key_length = problem.key_length;
    sequence.first_entry = n;
    sequence.entries = apart ? 1 : problem.batch;
  }
  return sequences;
}

void check_count(const Numbers& numbers, std::int64_t count, const char* name,
                 const AttentionOptions& options) {
  if (static_cast<std::int64_t>(numbers.size()) == count) return;
  const bool packed = is_packed(options);
  throw Error(std::string("attention: ") + name + " has " + std::to_string(numbers.size()) +
              " numbers but " +
              (packed ? "there are " + std::to_string(count) + " packed sequences"
                      : "the batch has " + std::to_string(count) + " entries") +
              ": give one for each");
}

void take_key_lengths(const Numbers& lengths, std::vector<Sequence>& sequences) {
  for (std::size_t n = 0; n < lengths.size(); ++n) {
    Sequence& sequence = sequences[n];
    if (lengths[n] < 0 || lengths[n] > sequence.key_length) {
      throw Error("attention: key_lengths[" + std::to_string(n) + "] is " +
                  std::to_string(lengths[n]) + ": it must be from 0 to " +
                  std::to_string(sequence.key_length) + ", the rows of keys that are there");
    }
    sequence.unused_keys = sequence.key_length - lengths[n];
    sequence.key_length = lengths[n];
  }
}

/// Places are counted in 31 bits, as lanes of a target hold them.
void check_place(std::int64_t first, std::int64_t rows, const std::string& name) {
  constexpr std::int64_t kMostPlaces = (std::int64_t{1} << 31) - 1;
  if (first >= 0 && first <= kMostPlaces - rows) return;
  throw Error("attention: " + name + " is " + std::to_string(first) +
              ": it must be 0 or more, and the place of the last of its " + std::to_string(rows) +
              " rows below 2^31");
}

void take_places(const AttentionOptions& options, std::vector<Sequence>& sequences) {
  for (std::size_t n = 0; n < sequences.size(); ++n) {
    Sequence& sequence = sequences[n];
    sequence.key_place = options.key_offset;
    if (options.key_offset != 0) {
      check_place(options.key_offset, sequence.key_length, "key_offset");
    }
    if (options.query_offset) {
      sequence.query_place = options.query_offset;
      check_place(*options.query_offset, sequence.query_length, "query_offset");
    } else if (!options.query_offsets.empty()) {
      sequence.query_place = options.query_offsets[n];
      check_place(options.query_offsets[n], sequence.query_length,
                  "query_offsets[" + std::to_string(n) + "]");
    }
  }
}

/// Neighbouring entries that are alike become one sequence, which is planned once.
std::vector<Sequence> joined(const std::vector<Sequence>& sequences) {
  std::vector<Sequence> result;
  for (const Sequence& next : sequences) {
    if (!result.empty() && result.back().key_length == next.key_length &&
        result.back().query_place == next.query_place) {
      result.back().entries += next.entries;
    } else {
      result.push_back(next);
    }
  }
  return result;
}

}  // namespace

std::vector<Sequence> sequences_of(const Problem& problem, const AttentionOptions& options) {
  std::vector<Sequence> sequences = is_packed(options) ? packed_sequences(problem, options)
                                                       : sequences_of_entries(problem, options);
  const auto count =
      is_packed(options) ? static_cast<std::int64_t>(sequences.size()) : problem.batch;
  if (!options.key_lengths.empty()) {
    check_count(options.key_lengths, count, "key_lengths", options);
    take_key_lengths(options.key_lengths, sequences);
  }
  if (options.query_offset && !options.query_offsets.empty()) {
    throw Error(
        "attention: query_offset and query_offsets are both given: one says where all entries "
        "stand, the other where each does; give one of them");
  }
  if (!options.query_offsets.empty()) {
    check_count(options.query_offsets, count, "query_offsets", options);
  }
  take_places(options, sequences);
  return is_packed(options) ? sequences : joined(sequences);
}

std::string name_of_sequence(const AttentionOptions& options, const Sequence& sequence,
                             std::size_t index) {
  return is_packed(options) ? "packed sequence " + std::to_string(index)
                            : "batch entry " + std::to_string(sequence.first_entry);
}

}  // namespace foveal
