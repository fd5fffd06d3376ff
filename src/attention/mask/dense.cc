// dense(tensor): a bool tensor says which keys are visible.

#include "attention/mask/node.h"
#include "attention/mask/sources.h"
#include "core/door.h"
#include "core/hash.h"
#include "foveal/error.h"

namespace foveal {
namespace {

/// The tensor packed to 64 keys a word, each row beginning a new word: what it has of the shape's
/// entries and keys. A broadcast axis has size 1.
class BoundDense : public BoundMask {
 public:
  BoundDense(const MaskShape& shape, const Tensor& visible, bool by_batch)
      : BoundMask(shape),
        words_per_row_((shape.key_length + 63) / 64),
        by_batch_(by_batch),
        by_head_(visible.size(1) != 1),
        by_query_(visible.size(2) != 1),
        heads_(visible.size(1)),
        queries_(visible.size(2)) {
    pack(visible.expand({visible.size(0), heads_, queries_, shape.key_length}).contiguous());
  }

  VisibleKeys keys(std::int64_t b, std::int64_t h, std::int64_t first,
                   std::int64_t last) const override {
    const std::int64_t stop = by_query_ ? last : first + 1;
    VisibleKeys keys;
    for (std::int64_t w = 0; w < words_per_row_; ++w) {
      std::uint64_t any = 0, all = ~std::uint64_t{0};
      for (std::int64_t i = first; i < stop; ++i) {
        const std::uint64_t bits = row(b, h, i)[w];
        any |= bits;
        all &= bits;
      }
      append(keys.any, any, w * 64);
      append(keys.all, all, w * 64);
    }
    return keys;
  }

  std::uint64_t word(std::int64_t b, std::int64_t h, std::int64_t i,
                     std::int64_t j0) const override {
    if (j0 >= shape().key_length) return 0;
    const std::uint64_t* bits = row(b, h, i);
    const std::int64_t w = j0 / 64, shift = j0 % 64;
    std::uint64_t result = bits[w] >> shift;
    if (shift != 0 && w + 1 < words_per_row_) result |= bits[w + 1] << (64 - shift);
    return result;
  }

  std::uint64_t fingerprint() const override { return Hash().add_all(words_).value(); }
  bool varies_by_batch() const override { return by_batch_; }
  bool varies_by_head() const override { return by_head_; }

 private:
  void pack(const Tensor& dense) {
    // Bytes, since foreign memory may hold others than 0 and 1.
    const auto* data = static_cast<const unsigned char*>(dense.raw_data());
    const std::int64_t rows = dense.size(0) * heads_ * queries_, length = shape().key_length;
    words_.assign(static_cast<std::size_t>(rows * words_per_row_), 0);
    for (std::int64_t r = 0; r < rows; ++r) {
      for (std::int64_t j = 0; j < length; ++j) {
        words_[static_cast<std::size_t>(r * words_per_row_ + j / 64)] |=
            static_cast<std::uint64_t>(data[r * length + j] != 0) << (j % 64);
      }
    }
  }

  const std::uint64_t* row(std::int64_t b, std::int64_t h, std::int64_t i) const {
    const std::int64_t r =
        ((by_batch_ ? b - shape().first_entry : 0) * heads_ + (by_head_ ? h : 0)) * queries_ +
        (by_query_ ? i : 0);
    return words_.data() + r * words_per_row_;
  }

  static void append(IntervalSet& set, std::uint64_t bits, std::int64_t j0) {
    while (bits != 0) {
      const int low = __builtin_ctzll(bits);
      const std::uint64_t rest = ~(bits >> low);
      const int length = rest == 0 ? 64 - low : __builtin_ctzll(rest);
      set.append(j0 + low, j0 + low + length);
      if (low + length >= 64) return;
      bits &= ~std::uint64_t{0} << (low + length);
    }
  }

  std::int64_t words_per_row_;
  bool by_batch_, by_head_, by_query_;
  std::int64_t heads_, queries_;
  std::vector<std::uint64_t> words_;
};

class DenseNode : public MaskNode {
 public:
  DenseNode(Tensor visible, std::string source)
      : visible_(std::move(visible)), source_(std::move(source)) {}

  std::string text() const override { return "dense(" + source_ + ")"; }

  std::int64_t heads() const override { return visible_.rank() >= 3 ? visible_.size(-3) : 1; }

  std::unique_ptr<BoundMask> bind(const MaskShape& shape) const override {
    const Shape full = {shape.batch, shape.heads, shape.query_length, shape.key_rows()};
    Shape padded(4 - static_cast<std::size_t>(visible_.rank()), 1);
    padded.insert(padded.end(), visible_.shape().begin(), visible_.shape().end());
    for (std::size_t axis = 0; axis < 4; ++axis) {
      if (padded[axis] != 1 && padded[axis] != full[axis]) {
        throw Error("mask dense: its tensor has shape " + to_string(visible_.shape()) +
                    ": it must broadcast from the right to (B, H, L_q, L_k) = " + to_string(full));
      }
    }
    Tensor part = visible_.reshape(padded);
    if (padded[0] != 1) {
      part = part.slice(0, shape.first_entry, shape.first_entry + shape.entry_count());
    }
    if (padded[3] != 1) part = part.slice(3, 0, shape.key_length);
    return std::make_unique<BoundDense>(shape, part, padded[0] != 1);
  }

 private:
  Tensor visible_;
  std::string source_;
};

}  // namespace

Mask dense(const Tensor& visible) try { return dense_from(visible, "tensor"); } catch (...) {
  rethrow_as_error("dense");
}

Mask dense_from(const Tensor& visible, const std::string& source) {
  if (!visible.defined()) throw Error("mask dense: its tensor is undefined: give a bool tensor");
  if (visible.dtype() != DType::boolean) {
    throw Error("mask dense: its tensor has dtype " + to_string(visible.dtype()) +
                ": it must be bool, true where a query may attend; compare first, as in ne(t, 0)");
  }
  if (visible.rank() > 4) {
    throw Error("mask dense: its tensor has shape " + to_string(visible.shape()) +
                ": it must have at most 4 axes, (B, H, L_q, L_k)");
  }
  return Mask(std::make_shared<const DenseNode>(visible, source));
}

}  // namespace foveal
