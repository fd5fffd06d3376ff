#pragma once
// What an attention call will run, before it runs: target, tiles, work, memory, and why.

#include <memory>
#include <string>

#include "foveal/attention.h"

namespace foveal {
struct PlanData;
}

#pragma GCC visibility push(default)
namespace foveal {

/// A plan for shapes, dtype and options. It holds the mask bound to its lengths, cut into tiles, so
/// that a plan that is run many times pays for that once. So the mask is a snapshot: what is
/// written to a dense mask's tensor after planning changes no run. bias, alibi_slopes, sinks and
/// dropout_mask are held as handles and read at each run: what is written to them before a run
/// counts in it. Const use from several threads is safe. Nothing that a plan runs is recorded.
///
/// Each function that takes tensors throws Error where a shape or dtype is another than the plan's.
class Plan {
 public:
  explicit Plan(std::shared_ptr<const PlanData> data) : data_(std::move(data)) {}

  /// A few lines in words.
  std::string explain() const;
  std::string to_json() const;

  /// As attention(query, key, value, options) does.
  AttentionResult run(const Tensor& query, const Tensor& key, const Tensor& value) const;
  /// As attention_into does. Where output and lse are given and no tensor needs converting, a run
  /// after the first of its thread takes no memory from the system.
  void run_into(AttentionResult& result, const Tensor& query, const Tensor& key,
                const Tensor& value) const;
  /// As attention_backward does; `result` is of this plan, or of one with the same options.
  AttentionGradients backward(const Tensor& grad_output, const Tensor& query, const Tensor& key,
                              const Tensor& value, const AttentionResult& result) const;
  /// The same into the tensors that `gradients` holds, or, with `add`, added to them: of the shapes
  /// and dtypes that backward gives, any strides but for a last one of 1. What is undefined is
  /// made. Throws Error, and writes nothing, where one doesn't fit, isn't among the gradients that
  /// the options ask for, or shares memory with another or with what is read.
  void backward_into(AttentionGradients& gradients, const Tensor& grad_output, const Tensor& query,
                     const Tensor& key, const Tensor& value, const AttentionResult& result,
                     bool add = false) const;
  /// As attention_state does.
  AttentionState state(const Tensor& query, const Tensor& key, const Tensor& value) const;
  /// As attention_state_into does.
  void state_into(AttentionState& state, const Tensor& query, const Tensor& key,
                  const Tensor& value) const;

  /// From now on the plan is one for `key_length` keys, at most those that it was made for, and for
  /// key_lengths of entries (none: all have all): where keys are added one by one, they keep their
  /// plan. The mask is bound anew. Copies of the plan made before stay as they are. Throws Error
  /// where a length is negative or more than was planned for, and leaves the plan as it was.
  void set_lengths(std::int64_t key_length, const std::vector<std::int64_t>& key_lengths = {});

  const PlanData& data() const { return *data_; }

 private:
  std::shared_ptr<const PlanData> data_;
};

/// query (B, H, L_q, D), key (B, H_kv, L_k, D), value (B, H_kv, L_k, D_v). Throws Error for shapes,
/// dtype and options that don't fit, and for shapes so large that the plan's counts pass 63 bits or
/// its lists the memory.
Plan plan_attention(const Shape& query, const Shape& key, const Shape& value, DType dtype,
                    const AttentionOptions& options = {});

}  // namespace foveal
#pragma GCC visibility pop
