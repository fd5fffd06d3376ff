// document(ids): a query sees the keys of its own document.

#include <algorithm>

#include "attention/mask/node.h"
#include "attention/mask/sources.h"
#include "core/door.h"
#include "core/hash.h"
#include "foveal/error.h"

namespace foveal {
namespace {

/// Keys begin .. end - 1 in a row that share an id.
struct Run {
  std::int64_t id = 0, begin = 0, end = 0;
};

/// One batch entry's ids, by place and by id.
struct Documents {
  std::vector<std::int64_t> ids;
  std::vector<Run> by_place;
  std::vector<Run> by_id;  // by id, then place
  std::uint64_t hash;      // of the ids

  explicit Documents(std::vector<std::int64_t> all)
      : ids(std::move(all)), hash(Hash().add_all(ids).value()) {
    const auto count = static_cast<std::int64_t>(ids.size());
    for (std::int64_t j = 0; j < count; ++j) {
      const std::int64_t id = ids[static_cast<std::size_t>(j)];
      if (by_place.empty() || by_place.back().id != id) by_place.push_back({id, j, j});
      by_place.back().end = j + 1;
    }
    by_id = by_place;
    const auto before = [](const Run& a, const Run& b) { return a.id < b.id; };
    if (!std::is_sorted(by_id.begin(), by_id.end(), before)) {
      std::stable_sort(by_id.begin(), by_id.end(), before);
    }
  }

  /// The run that place lies in.
  std::vector<Run>::const_iterator run_at(std::int64_t place) const {
    return std::upper_bound(by_place.begin(), by_place.end(), place,
                            [](std::int64_t p, const Run& run) { return p < run.end; });
  }

  IntervalSet keys_of(std::int64_t id) const {
    const auto before = [](const Run& run, std::int64_t value) { return run.id < value; };
    IntervalSet keys;
    for (auto run = std::lower_bound(by_id.begin(), by_id.end(), id, before);
         run != by_id.end() && run->id == id; ++run) {
      keys.append(run->begin, run->end);
    }
    return keys;
  }

  /// Keys of the documents that the places first .. last - 1 belong to.
  VisibleKeys keys_of_places(std::int64_t first, std::int64_t last) const {
    auto run = run_at(first);
    std::vector<std::int64_t> seen;
    for (; run != by_place.end() && run->begin < last; ++run) seen.push_back(run->id);
    std::sort(seen.begin(), seen.end());
    seen.erase(std::unique(seen.begin(), seen.end()), seen.end());
    VisibleKeys keys;
    for (std::int64_t id : seen) keys.any = unite(keys.any, keys_of(id));
    if (seen.size() == 1) keys.all = keys.any;
    return keys;
  }
};

/// Of all batch entries, or one for all of them.
using Entries = std::vector<Documents>;

/// The part of `keys` that lies in [first, first + length), counted from `first`.
IntervalSet part_of(const IntervalSet& keys, std::int64_t first, std::int64_t length) {
  IntervalSet part;
  for (const Interval& interval : keys.intervals()) {
    part.append(std::max(interval.begin - first, std::int64_t{0}),
                std::min(interval.end - first, length));
  }
  return part;
}

class BoundDocument : public BoundMask {
 public:
  BoundDocument(const MaskShape& shape, std::shared_ptr<const Entries> entries)
      : BoundMask(shape), entries_(std::move(entries)) {}

  VisibleKeys keys(std::int64_t b, std::int64_t, std::int64_t first,
                   std::int64_t last) const override {
    const std::int64_t first_place = place_of(first), last_place = place_of(last);
    if (last_place <= 0) return {};
    const VisibleKeys whole =
        entry(b).keys_of_places(std::max<std::int64_t>(first_place, 0), last_place);
    VisibleKeys keys;
    keys.any = part_of(whole.any, shape().key_place, shape().key_length);
    if (first_place >= 0) keys.all = part_of(whole.all, shape().key_place, shape().key_length);
    return keys;
  }

  std::uint64_t word(std::int64_t b, std::int64_t h, std::int64_t i,
                     std::int64_t j0) const override {
    std::uint64_t bits = 0;
    words(b, h, i, i + 1, j0, &bits);
    return bits;
  }

  void words(std::int64_t b, std::int64_t, std::int64_t first, std::int64_t last, std::int64_t j0,
             std::uint64_t* words) const override {
    const Documents& documents = entry(b);
    const std::int64_t key = j0 + shape().key_place;  // the place of bit 0
    const std::uint64_t there = interval_word(0, shape().key_length, j0);
    const auto begin = documents.run_at(key), end = documents.by_place.end();
    for (std::int64_t i = first; i < last; ++i) {
      const std::int64_t place = place_of(i);
      std::uint64_t bits = 0;
      for (auto run = begin; place >= 0 && run != end && run->begin < key + 64; ++run) {
        if (run->id != documents.ids[static_cast<std::size_t>(place)]) continue;
        bits |= interval_word(run->begin, run->end, key);
      }
      words[i - first] = bits & there;
    }
  }

  std::uint64_t fingerprint() const override {
    Hash hash;
    hash.add(shape().offset()).add(shape().key_place);
    for (const Documents& documents : *entries_) hash.add(documents.hash);
    return hash.value();
  }
  bool varies_by_batch() const override { return entries_->size() != 1; }

 private:
  std::int64_t place_of(std::int64_t query) const {
    return query + shape().offset() + shape().key_place;
  }
  const Documents& entry(std::int64_t b) const {
    return (*entries_)[varies_by_batch() ? static_cast<std::size_t>(b) : 0];
  }

  std::shared_ptr<const Entries> entries_;
};

class DocumentNode : public MaskNode {
 public:
  DocumentNode(std::vector<std::vector<std::int64_t>> ids, bool per_entry, std::string source)
      : per_entry_(per_entry), source_(std::move(source)) {
    Entries entries;
    entries.reserve(ids.size());
    for (std::vector<std::int64_t>& list : ids) entries.emplace_back(std::move(list));
    entries_ = std::make_shared<const Entries>(std::move(entries));
  }

  std::string text() const override { return "document(" + source_ + ")"; }

  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    if (per_entry_ && static_cast<std::int64_t>(entries_->size()) != shape.batch) {
      throw Error("mask document: it has " + std::to_string(entries_->size()) +
                  " lists of ids but the batch has " + std::to_string(shape.batch) +
                  " entries: give one list per entry, or one for all");
    }
    for (std::size_t b = 0; b < entries_->size(); ++b) check_ids(shape, b);
    return std::make_unique<BoundDocument>(shape, entries_);
  }

 private:
  /// Ids belong to the whole sequence: there may be more than places.
  void check_ids(const MaskShape& shape, std::size_t b) const {
    const auto count = static_cast<std::int64_t>((*entries_)[b].ids.size());
    const std::int64_t places =
        shape.key_place + std::max(shape.key_length, shape.offset() + shape.query_length);
    if (count >= places) return;
    throw Error(
        "mask document: list " + std::to_string(b) + " has " + std::to_string(count) + " ids but " +
        (shape.is_placed()
             ? "queries and keys stand at places up to " + std::to_string(places - 1) +
                   ": give one id per place"
             : "there are " + std::to_string(shape.key_length) + " keys: give one id per key"));
  }

  std::shared_ptr<const Entries> entries_;
  bool per_entry_;
  std::string source_;
};

Mask make(std::vector<std::vector<std::int64_t>> ids, bool per_entry, std::string source) {
  return Mask(std::make_shared<const DocumentNode>(std::move(ids), per_entry, std::move(source)));
}

}  // namespace

Mask document(const std::vector<std::int64_t>& ids) try {
  return make({ids}, false, list_text(ids));
} catch (...) {
  rethrow_as_error("document");
}

Mask document(const std::vector<std::vector<std::int64_t>>& ids) try {
  std::string source = "[";
  for (std::size_t b = 0; b < ids.size(); ++b) source += (b > 0 ? "," : "") + list_text(ids[b]);
  return make(ids, true, source + "]");
} catch (...) {
  rethrow_as_error("document");
}

Mask document(const Tensor& ids) try { return document_from(ids, "tensor"); } catch (...) {
  rethrow_as_error("document");
}

Mask document_from(const Tensor& ids, const std::string& source) {
  const std::vector<std::int64_t> all = integers_of(ids, 2, "document");
  if (ids.rank() == 1) return make({all}, false, source);
  std::vector<std::vector<std::int64_t>> rows;
  rows.reserve(static_cast<std::size_t>(ids.size(0)));
  const std::int64_t width = ids.size(1);
  for (std::int64_t b = 0; b < ids.size(0); ++b) {
    rows.emplace_back(all.begin() + b * width, all.begin() + (b + 1) * width);
  }
  return make(std::move(rows), true, source);
}

}  // namespace foveal
