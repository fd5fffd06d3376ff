// Masks in which a query sees one interval of keys: none, causal, window, prefix, padding.

#include <algorithm>

#include "attention/mask/node.h"
#include "attention/mask/sources.h"
#include "core/door.h"
#include "core/hash.h"
#include "foveal/error.h"

namespace foveal {

void BoundMask::words(std::int64_t b, std::int64_t h, std::int64_t first, std::int64_t last,
                      std::int64_t j0, std::uint64_t* words) const {
  for (std::int64_t i = first; i < last; ++i) words[i - first] = word(b, h, i, j0);
}

void MaskNode::lint(const MaskShape&, std::vector<std::string>&) const {}

namespace {

/// One end of the keys that query i of batch entry b sees.
struct Bound {
  std::vector<std::int64_t> starts = {0};  // one for all batch entries, or one each
  bool follows_query = false;              // start + i instead of start

  std::int64_t at(std::int64_t b, std::int64_t i) const {
    const std::int64_t start = starts[starts.size() == 1 ? 0 : static_cast<std::size_t>(b)];
    return follows_query ? start + i : start;
  }
};

Bound fixed(std::int64_t key) { return {{key}, false}; }
Bound following(std::int64_t shift) { return {{shift}, true}; }

/// Query i sees the keys from begin to before end; neither falls as i grows.
class BoundInterval : public BoundMask {
 public:
  BoundInterval(const MaskShape& shape, Bound begin, Bound end, bool by_batch)
      : BoundMask(shape), begin_(std::move(begin)), end_(std::move(end)), by_batch_(by_batch) {}

  VisibleKeys keys(std::int64_t b, std::int64_t, std::int64_t first,
                   std::int64_t last) const override {
    const std::int64_t length = shape().key_length;
    return {IntervalSet(begin_.at(b, first), end_.at(b, last - 1), length),
            IntervalSet(begin_.at(b, last - 1), end_.at(b, first), length)};
  }

  std::uint64_t word(std::int64_t b, std::int64_t, std::int64_t i, std::int64_t j0) const override {
    return row(b, i, j0);
  }

  void words(std::int64_t b, std::int64_t, std::int64_t first, std::int64_t last, std::int64_t j0,
             std::uint64_t* words) const override {
    for (std::int64_t i = first; i < last; ++i) words[i - first] = row(b, i, j0);
  }

  std::uint64_t fingerprint() const override {
    Hash hash;
    for (const Bound* bound : {&begin_, &end_}) {
      hash.add_all(bound->starts).add(bound->follows_query);
    }
    return hash.value();
  }

  bool varies_by_batch() const override { return by_batch_; }

 private:
  std::uint64_t row(std::int64_t b, std::int64_t i, std::int64_t j0) const {
    return interval_word(std::max<std::int64_t>(begin_.at(b, i), 0),
                         std::min(end_.at(b, i), shape().key_length), j0);
  }

  Bound begin_, end_;
  bool by_batch_;
};

std::unique_ptr<BoundMask> bind_interval(const MaskShape& shape, Bound begin, Bound end,
                                         bool by_batch = false) {
  return std::make_unique<BoundInterval>(shape, std::move(begin), std::move(end), by_batch);
}

class NoneNode : public MaskNode {
 public:
  std::string text() const override { return "none()"; }
  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    return bind_interval(shape, fixed(0), fixed(shape.key_length));
  }
};

class CausalNode : public MaskNode {
 public:
  enum class Kind { square, top_left, bottom_right };
  explicit CausalNode(Kind kind) : kind_(kind) {}

  std::string text() const override {
    switch (kind_) {
      case Kind::square:
        return "causal()";
      case Kind::top_left:
        return "causal(top_left)";
      default:
        return "causal(bottom_right)";
    }
  }

  bool counts_from_end() const override { return kind_ == Kind::bottom_right; }

  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    check_corner(shape);
    return bind_interval(shape, fixed(0), following(shift(shape) + 1));
  }

  void lint(const MaskShape& shape, std::vector<std::string>& warnings) const override {
    const std::int64_t first_end = shift(shape) + 1;
    if (shape.query_length > 0 && shape.key_length > 0 && first_end >= shape.key_length) {
      warnings.push_back(text() + " hides nothing: query 0 already sees all " +
                         std::to_string(shape.key_length) + " keys");
    }
  }

 private:
  /// Where the diagonal begins. Once queries have places, both corners are the same.
  std::int64_t shift(const MaskShape& shape) const {
    return shape.query_place || kind_ == Kind::bottom_right ? shape.offset() : 0;
  }

  void check_corner(const MaskShape& shape) const {
    if (shape.query_place) return;
    if (kind_ == Kind::square && shape.query_length != shape.key_length) {
      throw Error("mask causal(): there are " + std::to_string(shape.query_length) +
                  " queries and " + std::to_string(shape.key_length) +
                  " keys: where they differ, say causal(top_left) (j <= i) or "
                  "causal(bottom_right) (j <= i + L_k - L_q)");
    }
    if (kind_ == Kind::top_left && shape.key_place > 0) {
      throw Error("mask causal(top_left): key_offset is " + std::to_string(shape.key_place) +
                  " but no query offset is given: give query_offset, or causal(bottom_right)");
    }
  }

  Kind kind_;
};

class WindowNode : public MaskNode {
 public:
  WindowNode(std::int64_t left, std::int64_t right) : left_(left), right_(right) {}

  std::string text() const override {
    return "window(" + std::to_string(left_) + ", " + std::to_string(right_) + ")";
  }

  bool counts_from_end() const override { return true; }

  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    const std::int64_t offset = shape.offset(), length = shape.key_length;
    // A side is cut to the lengths first, so that i' + right can't overflow.
    const std::int64_t reach = std::abs(offset) + shape.query_length + length;
    const std::int64_t left = std::min(left_, reach), right = std::min(right_, reach);
    return bind_interval(shape, left >= 0 ? following(offset - left) : fixed(0),
                         right >= 0 ? following(offset + right + 1) : fixed(length));
  }

  void lint(const MaskShape& shape, std::vector<std::string>& warnings) const override {
    if (shape.key_length > 0 && std::max(left_, right_) >= shape.key_length) {
      warnings.push_back(text() + " is wider than the " + std::to_string(shape.key_length) +
                         " keys: use -1 for an unbounded side");
    }
  }

 private:
  std::int64_t left_, right_;
};

class PrefixNode : public MaskNode {
 public:
  explicit PrefixNode(std::int64_t n) : n_(n) {}
  std::string text() const override { return "prefix(" + std::to_string(n_) + ")"; }
  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    if (n_ > shape.key_rows() && !shape.is_placed()) {
      throw Error("mask " + text() + ": there are " + std::to_string(shape.key_rows()) +
                  " keys: n must be from 0 to " + std::to_string(shape.key_rows()));
    }
    return bind_interval(shape, fixed(0), fixed(n_ - shape.key_place));
  }

 private:
  std::int64_t n_;
};

class PaddingNode : public MaskNode {
 public:
  PaddingNode(std::vector<std::int64_t> lengths, std::string source)
      : lengths_(std::move(lengths)), source_(std::move(source)) {}

  std::string text() const override { return "padding(" + source_ + ")"; }
  bool pads() const override { return true; }

  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    const auto count = static_cast<std::int64_t>(lengths_.size());
    if (count != shape.batch) {
      throw Error("mask padding: it has " + std::to_string(count) + " lengths but the batch has " +
                  std::to_string(shape.batch) + " entries: give one length per entry");
    }
    std::vector<std::int64_t> ends;
    ends.reserve(lengths_.size());
    for (std::size_t b = 0; b < lengths_.size(); ++b) {
      const bool too_long = lengths_[b] > shape.key_rows() && !shape.is_placed();
      if (lengths_[b] < 0 || too_long) {
        throw Error("mask padding: lengths[" + std::to_string(b) + "] is " +
                    std::to_string(lengths_[b]) + ": it must be from 0 to " +
                    std::to_string(shape.key_rows()) + ", the number of keys");
      }
      ends.push_back(lengths_[b] - shape.key_place);
    }
    return bind_interval(shape, fixed(0), {ends, false}, true);
  }

 private:
  std::vector<std::int64_t> lengths_;
  std::string source_;
};

}  // namespace

Mask::Mask() : Mask(none()) {}

Mask none() try {
  static const auto node = std::make_shared<const NoneNode>();
  return Mask(node);
} catch (...) {
  rethrow_as_error("none");
}

Mask causal() try {
  return Mask(std::make_shared<const CausalNode>(CausalNode::Kind::square));
} catch (...) {
  rethrow_as_error("causal");
}

Mask causal(Corner corner) try {
  return Mask(std::make_shared<const CausalNode>(
      corner == Corner::top_left ? CausalNode::Kind::top_left : CausalNode::Kind::bottom_right));
} catch (...) {
  rethrow_as_error("causal");
}

Mask window(std::int64_t left, std::int64_t right) try {
  if (left < -1 || right < -1) {
    throw Error("mask window(" + std::to_string(left) + ", " + std::to_string(right) +
                    "): each side must be 0 or more, or -1 for unbounded",
                ErrorKind::usage);
  }
  return Mask(std::make_shared<const WindowNode>(left, right));
} catch (...) {
  rethrow_as_error("window");
}

Mask padding(const std::vector<std::int64_t>& lengths) try {
  return Mask(std::make_shared<const PaddingNode>(lengths, list_text(lengths)));
} catch (...) {
  rethrow_as_error("padding");
}

Mask padding(const Tensor& lengths) try { return padding_from(lengths, "tensor"); } catch (...) {
  rethrow_as_error("padding");
}

Mask padding_from(const Tensor& lengths, const std::string& source) {
  return Mask(std::make_shared<const PaddingNode>(integers_of(lengths, 1, "padding"), source));
}

Mask prefix(std::int64_t n) try {
  if (n < 0) {
    throw Error("mask prefix(" + std::to_string(n) + "): n must be 0 or more", ErrorKind::usage);
  }
  return Mask(std::make_shared<const PrefixNode>(n));
} catch (...) {
  rethrow_as_error("prefix");
}

}  // namespace foveal
