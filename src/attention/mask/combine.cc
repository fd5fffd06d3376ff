// !a, a & b, a | b.

#include <array>

#include "attention/mask/node.h"
#include "core/door.h"
#include "core/hash.h"
#include "foveal/mask.h"

namespace foveal {
namespace {

using NodePointer = std::shared_ptr<const MaskNode>;

std::string parenthesised(const MaskNode& node, int at_least) {
  return node.precedence() >= at_least ? node.text() : "(" + node.text() + ")";
}

class BoundNot : public BoundMask {
 public:
  explicit BoundNot(std::unique_ptr<BoundMask> a) : BoundMask(a->shape()), a_(std::move(a)) {}

  VisibleKeys keys(std::int64_t b, std::int64_t h, std::int64_t first,
                   std::int64_t last) const override {
    const VisibleKeys keys = a_->keys(b, h, first, last);
    const std::int64_t length = shape().key_length;
    return {complement(keys.all, length), complement(keys.any, length)};
  }

  std::uint64_t word(std::int64_t b, std::int64_t h, std::int64_t i,
                     std::int64_t j0) const override {
    return ~a_->word(b, h, i, j0) & interval_word(0, shape().key_length, j0);
  }

  void words(std::int64_t b, std::int64_t h, std::int64_t first, std::int64_t last, std::int64_t j0,
             std::uint64_t* words) const override {
    a_->words(b, h, first, last, j0, words);
    const std::uint64_t whole = interval_word(0, shape().key_length, j0);
    for (std::int64_t n = 0; n < last - first; ++n) words[n] = ~words[n] & whole;
  }

  std::uint64_t fingerprint() const override { return Hash().add(a_->fingerprint()).value(); }
  bool varies_by_batch() const override { return a_->varies_by_batch(); }
  bool varies_by_head() const override { return a_->varies_by_head(); }

 private:
  std::unique_ptr<BoundMask> a_;
};

class BoundPair : public BoundMask {
 public:
  BoundPair(std::unique_ptr<BoundMask> a, std::unique_ptr<BoundMask> b, bool both)
      : BoundMask(a->shape()), a_(std::move(a)), b_(std::move(b)), both_(both) {}

  VisibleKeys keys(std::int64_t b, std::int64_t h, std::int64_t first,
                   std::int64_t last) const override {
    const VisibleKeys left = a_->keys(b, h, first, last), right = b_->keys(b, h, first, last);
    const auto join = both_ ? intersect : unite;
    return {join(left.any, right.any), join(left.all, right.all)};
  }

  std::uint64_t word(std::int64_t b, std::int64_t h, std::int64_t i,
                     std::int64_t j0) const override {
    const std::uint64_t left = a_->word(b, h, i, j0), right = b_->word(b, h, i, j0);
    return both_ ? left & right : left | right;
  }

  void words(std::int64_t b, std::int64_t h, std::int64_t first, std::int64_t last, std::int64_t j0,
             std::uint64_t* words) const override {
    std::array<std::uint64_t, 64> right;
    a_->words(b, h, first, last, j0, words);
    b_->words(b, h, first, last, j0, right.data());
    for (std::int64_t n = 0; n < last - first; ++n) {
      const std::uint64_t other = right[static_cast<std::size_t>(n)];
      words[n] = both_ ? words[n] & other : words[n] | other;
    }
  }

  std::uint64_t fingerprint() const override {
    return Hash().add(a_->fingerprint()).add(b_->fingerprint()).add(both_).value();
  }
  bool varies_by_batch() const override { return a_->varies_by_batch() || b_->varies_by_batch(); }
  bool varies_by_head() const override { return a_->varies_by_head() || b_->varies_by_head(); }

 private:
  std::unique_ptr<BoundMask> a_, b_;
  bool both_;
};

class NotNode : public MaskNode {
 public:
  explicit NotNode(NodePointer a) : a_(std::move(a)) {}
  std::string text() const override { return "!" + parenthesised(*a_, precedence()); }
  int precedence() const override { return 2; }
  std::int64_t heads() const override { return a_->heads(); }
  bool pads() const override { return a_->pads(); }
  bool counts_from_end() const override { return a_->counts_from_end(); }
  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    return std::make_unique<BoundNot>(a_->bind(shape));
  }
  void lint(const MaskShape& shape, std::vector<std::string>& warnings) const override {
    a_->lint(shape, warnings);
  }

 private:
  NodePointer a_;
};

class PairNode : public MaskNode {
 public:
  PairNode(NodePointer a, NodePointer b, bool both)
      : a_(std::move(a)), b_(std::move(b)), both_(both) {}
  std::string text() const override {
    return parenthesised(*a_, precedence()) + (both_ ? " & " : " | ") +
           parenthesised(*b_, precedence());
  }
  int precedence() const override { return both_ ? 1 : 0; }
  std::int64_t heads() const override { return a_->heads() != 1 ? a_->heads() : b_->heads(); }
  bool pads() const override { return a_->pads() || b_->pads(); }
  bool counts_from_end() const override { return a_->counts_from_end() || b_->counts_from_end(); }
  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    return std::make_unique<BoundPair>(a_->bind(shape), b_->bind(shape), both_);
  }
  void lint(const MaskShape& shape, std::vector<std::string>& warnings) const override {
    a_->lint(shape, warnings);
    b_->lint(shape, warnings);
  }

 private:
  NodePointer a_, b_;
  bool both_;
};

}  // namespace

Mask operator&(const Mask& a, const Mask& b) try {
  return Mask(std::make_shared<const PairNode>(a.shared_node(), b.shared_node(), true));
} catch (...) {
  rethrow_as_error("mask &");
}

Mask operator|(const Mask& a, const Mask& b) try {
  return Mask(std::make_shared<const PairNode>(a.shared_node(), b.shared_node(), false));
} catch (...) {
  rethrow_as_error("mask |");
}

Mask operator!(const Mask& a) try {
  return Mask(std::make_shared<const NotNode>(a.shared_node()));
} catch (...) {
  rethrow_as_error("mask !");
}

std::string to_string(const Mask& mask) try { return mask.node().text(); } catch (...) {
  rethrow_as_error("to_string");
}

}  // namespace foveal
