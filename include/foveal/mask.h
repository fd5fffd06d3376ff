#pragma once
// Masks as expressions: which keys each query may attend to. True means "may attend".

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "foveal/tensor.h"

namespace foveal {
class MaskNode;
}

#pragma GCC visibility push(default)
namespace foveal {

/// Where the diagonal of a causal mask starts when L_q and L_k differ. PyTorch's is_causal is
/// top_left.
enum class Corner { top_left, bottom_right };

/// An expression that says for batch entry b, head h, query i and key j whether j is visible. With
/// i' = i + L_k - L_q, the query's place among the keys; where a call gives offsets, i' and j are
/// places in the whole sequence (docs/notation.md). It holds no lengths: they come when it is used,
/// and are checked then.
///
/// The numbers of `document` and `padding` are copied as the mask is made; the tensor of `dense` is
/// held, and read when the mask is bound to lengths: as a plan is made, or by lint.
///
/// `!` binds before `&` before `|`. In C++ parenthesise: (!a) & b, (a & b) | c.
class Mask {
 public:
  /// The same as none().
  Mask();
  explicit Mask(std::shared_ptr<const MaskNode> node) : node_(std::move(node)) {}

  const MaskNode& node() const { return *node_; }
  const std::shared_ptr<const MaskNode>& shared_node() const { return node_; }

 private:
  std::shared_ptr<const MaskNode> node_;
};

/// Every key.
Mask none();
/// j <= i where L_q = L_k; elsewhere an Error that names both corners.
Mask causal();
/// top_left: j <= i; bottom_right: j <= i'.
Mask causal(Corner corner);
/// i' - left <= j <= i' + right, both ends included; -1 leaves a side unbounded.
Mask window(std::int64_t left, std::int64_t right);
/// ids[j] = ids[i']; a query with i' < 0 sees no key. An id for each place, so L_k or more, or such
/// a list per batch entry.
Mask document(const std::vector<std::int64_t>& ids);
Mask document(const std::vector<std::vector<std::int64_t>>& ids);
/// ids: int64, (L_k) or (B, L_k).
Mask document(const Tensor& ids);
/// j < n, 0 <= n <= L_k.
Mask prefix(std::int64_t n);
/// j < lengths[b]; B lengths in 0 .. L_k.
Mask padding(const std::vector<std::int64_t>& lengths);
/// lengths: int64 (B).
Mask padding(const Tensor& lengths);
/// The bool tensor says so, broadcast from the right to (B, H, L_q, L_k).
Mask dense(const Tensor& visible);

Mask operator&(const Mask& a, const Mask& b);
Mask operator|(const Mask& a, const Mask& b);
Mask operator!(const Mask& a);

/// The expression as text that parse_mask reads back. A tensor that came from no file is written
/// as dense(tensor), document(tensor), padding(tensor).
std::string to_string(const Mask& mask);

/// Reads an array file named in a mask's text.
using MaskFileReader = std::function<Tensor(const std::string& path)>;

/// "causal(top_left) & !window(128, 0)" -> Mask. Throws Error (kind usage) with the place where the
/// text doesn't parse. Files are read by `read_file`; without one, a file name throws.
Mask parse_mask(std::string_view text, const MaskFileReader& read_file = nullptr);

struct MaskWarning {
  std::string text = {};
};

/// Suspicious masks: rows with every key masked, inverted polarity, a causal mask that hides
/// nothing, a window wider than the keys. Throws Error where the mask doesn't fit the lengths, or
/// where 63 bits can't count their pairs.
std::vector<MaskWarning> lint(const Mask& mask, std::int64_t batch, std::int64_t query_length,
                              std::int64_t key_length);

}  // namespace foveal
#pragma GCC visibility pop
