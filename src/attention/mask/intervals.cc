// Masks in which a query sees one interval of keys: none, causal, window, prefix, padding.

#include <algorithm>
#include <functional>

#include "attention/mask/node.h"
#include "attention/mask/sources.h"
#include "foveal/error.h"

namespace foveal {

void MaskNode::lint(const MaskShape&, std::vector<std::string>&) const {}

std::uint64_t interval_word(std::int64_t begin, std::int64_t end, std::int64_t j0) {
  const std::int64_t low = std::clamp<std::int64_t>(begin - j0, 0, 64);
  const std::int64_t high = std::clamp<std::int64_t>(end - j0, 0, 64);
  if (low >= high) return 0;
  const std::uint64_t ones =
      high - low == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << (high - low)) - 1;
  return ones << low;
}

namespace {

/// Visible keys of query i are [begin(b, i), end(b, i)), both never falling as i grows.
class BoundInterval : public BoundMask {
 public:
  using Bound = std::function<std::int64_t(std::int64_t b, std::int64_t i)>;

  BoundInterval(const MaskShape& shape, Bound begin, Bound end, bool by_batch)
      : BoundMask(shape), begin_(std::move(begin)), end_(std::move(end)), by_batch_(by_batch) {}

  VisibleKeys keys(std::int64_t b, std::int64_t, std::int64_t first,
                   std::int64_t last) const override {
    const std::int64_t length = shape().key_length;
    return {IntervalSet(begin_(b, first), end_(b, last - 1), length),
            IntervalSet(begin_(b, last - 1), end_(b, first), length)};
  }

  std::uint64_t word(std::int64_t b, std::int64_t, std::int64_t i, std::int64_t j0) const override {
    return interval_word(std::max<std::int64_t>(begin_(b, i), 0),
                         std::min(end_(b, i), shape().key_length), j0);
  }

  bool varies_by_batch() const override { return by_batch_; }

 private:
  Bound begin_, end_;
  bool by_batch_;
};

constexpr auto from_zero = [](std::int64_t, std::int64_t) { return std::int64_t{0}; };

std::unique_ptr<BoundMask> bind_interval(const MaskShape& shape, BoundInterval::Bound begin,
                                         BoundInterval::Bound end, bool by_batch = false) {
  return std::make_unique<BoundInterval>(shape, std::move(begin), std::move(end), by_batch);
}

class NoneNode : public MaskNode {
 public:
  std::string text() const override { return "none()"; }
  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    return bind_interval(shape, from_zero,
                         [n = shape.key_length](std::int64_t, std::int64_t) { return n; });
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

  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    if (kind_ == Kind::square && shape.query_length != shape.key_length) {
      throw Error("mask causal(): there are " + std::to_string(shape.query_length) +
                  " queries and " + std::to_string(shape.key_length) +
                  " keys: where they differ, say causal(top_left) (j <= i) or "
                  "causal(bottom_right) (j <= i + L_k - L_q)");
    }
    const std::int64_t shift = kind_ == Kind::bottom_right ? shape.offset() : 0;
    return bind_interval(shape, from_zero,
                         [shift](std::int64_t, std::int64_t i) { return i + shift + 1; });
  }

  void lint(const MaskShape& shape, std::vector<std::string>& warnings) const override {
    const std::int64_t first_end = kind_ == Kind::bottom_right ? shape.offset() + 1 : 1;
    if (shape.query_length > 0 && shape.key_length > 0 && first_end >= shape.key_length) {
      warnings.push_back(text() + " hides nothing: query 0 already sees all " +
                         std::to_string(shape.key_length) + " keys");
    }
  }

 private:
  Kind kind_;
};

class WindowNode : public MaskNode {
 public:
  WindowNode(std::int64_t left, std::int64_t right) : left_(left), right_(right) {}

  std::string text() const override {
    return "window(" + std::to_string(left_) + ", " + std::to_string(right_) + ")";
  }

  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    const std::int64_t offset = shape.offset(), length = shape.key_length;
    // A side is cut to the lengths first, so that i' + right can't overflow.
    const std::int64_t reach = shape.query_length + length;
    const std::int64_t left = std::min(left_, reach), right = std::min(right_, reach);
    BoundInterval::Bound begin = from_zero;
    if (left >= 0) begin = [=](std::int64_t, std::int64_t i) { return i + offset - left; };
    BoundInterval::Bound end = [=](std::int64_t, std::int64_t) { return length; };
    if (right >= 0) end = [=](std::int64_t, std::int64_t i) { return i + offset + right + 1; };
    return bind_interval(shape, begin, end);
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
    if (n_ > shape.key_length) {
      throw Error("mask " + text() + ": there are " + std::to_string(shape.key_length) +
                  " keys: n must be from 0 to " + std::to_string(shape.key_length));
    }
    return bind_interval(shape, from_zero, [n = n_](std::int64_t, std::int64_t) { return n; });
  }

 private:
  std::int64_t n_;
};

class PaddingNode : public MaskNode {
 public:
  PaddingNode(std::vector<std::int64_t> lengths, std::string source)
      : lengths_(std::move(lengths)), source_(std::move(source)) {}

  std::string text() const override { return "padding(" + source_ + ")"; }

  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    const auto count = static_cast<std::int64_t>(lengths_.size());
    if (count != shape.batch) {
      throw Error("mask padding: it has " + std::to_string(count) + " lengths but the batch has " +
                  std::to_string(shape.batch) + " entries: give one length per entry");
    }
    for (std::size_t b = 0; b < lengths_.size(); ++b) {
      if (lengths_[b] < 0 || lengths_[b] > shape.key_length) {
        throw Error("mask padding: lengths[" + std::to_string(b) + "] is " +
                    std::to_string(lengths_[b]) + ": it must be from 0 to " +
                    std::to_string(shape.key_length) + ", the number of keys");
      }
    }
    return bind_interval(
        shape, from_zero,
        [lengths = lengths_](std::int64_t b, std::int64_t) {
          return lengths[static_cast<std::size_t>(b)];
        },
        true);
  }

 private:
  std::vector<std::int64_t> lengths_;
  std::string source_;
};

}  // namespace

Mask::Mask() : Mask(none()) {}

Mask none() {
  static const auto node = std::make_shared<const NoneNode>();
  return Mask(node);
}

Mask causal() { return Mask(std::make_shared<const CausalNode>(CausalNode::Kind::square)); }

Mask causal(Corner corner) {
  return Mask(std::make_shared<const CausalNode>(
      corner == Corner::top_left ? CausalNode::Kind::top_left : CausalNode::Kind::bottom_right));
}

Mask window(std::int64_t left, std::int64_t right) {
  if (left < -1 || right < -1) {
    throw Error("mask window(" + std::to_string(left) + ", " + std::to_string(right) +
                    "): each side must be 0 or more, or -1 for unbounded",
                ErrorKind::usage);
  }
  return Mask(std::make_shared<const WindowNode>(left, right));
}

Mask padding(const std::vector<std::int64_t>& lengths) {
  return Mask(std::make_shared<const PaddingNode>(lengths, list_text(lengths)));
}

Mask padding(const Tensor& lengths) { return padding_from(lengths, "tensor"); }

Mask padding_from(const Tensor& lengths, const std::string& source) {
  return Mask(std::make_shared<const PaddingNode>(integers_of(lengths, 1, "padding"), source));
}

Mask prefix(std::int64_t n) {
  if (n < 0) {
    throw Error("mask prefix(" + std::to_string(n) + "): n must be 0 or more", ErrorKind::usage);
  }
  return Mask(std::make_shared<const PrefixNode>(n));
}

}  // namespace foveal
