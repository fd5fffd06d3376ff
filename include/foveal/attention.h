#pragma once
// Fused attention: forward, backward, partial states. Semantics to the letter: docs/notation.md.

#include <optional>
#include <string>
#include <vector>

#include "foveal/mask.h"
#include "foveal/tensor.h"

#pragma GCC visibility push(default)
namespace foveal {

/// What to gather about the weights P, before dropout; nothing of size L_q x L_k is kept. Top-k,
/// entropy and maximum are gathered as the scores pass, in float32 (float64 for float64). Column
/// mass and rows take a second pass over the scores with each row's lse, rows only where they lie.
struct StatisticsOptions {
  int top_k = 0;                        ///< the k largest weights of each row and their keys
  bool entropy = false;                 ///< of each row, in nats
  bool maximum = false;                 ///< the largest weight of each row
  bool column_mass = false;             ///< the sum of each key's weights over the queries
  std::vector<std::int64_t> rows = {};  ///< queries whose rows are wanted in full
};

/// Which gradients besides those of query, key and value attention_backward gives.
struct GradientOptions {
  bool bias = false, sinks = false, alibi_slopes = false;
};

/// Members are only ever appended.
struct AttentionOptions {
  Mask mask = none();
  std::optional<double> scale = {};    ///< 1 / sqrt(D) where not given
  double softcap = 0;                  ///< c > 0: c * tanh(S / c)
  Tensor bias = {};                    ///< floating, broadcast from the right to (B, H, L_q, L_k)
  Tensor alibi_slopes = {};            ///< (H): adds -slope * |i' - j|
  Tensor sinks = {};                   ///< (H): one more logit in each row's denominator
  double dropout = 0;                  ///< probability that a weight is dropped
  std::uint64_t seed = 0, offset = 0;  ///< of dropout's counter
  bool return_lse = false, return_weights = false;
  /// Not `{}`: GCC 12 would warn of members that it takes for uninitialised at -O3.
  StatisticsOptions statistics = StatisticsOptions();
  GradientOptions gradients = {};
  /// A batch of sequences of different lengths, packed: B = 1, (1, H, total, D), and n + 1 offsets
  /// from 0 to the total. Masks, corners and bias are those of each sequence.
  std::vector<std::int64_t> query_starts = {}, key_starts = {};
  std::string target = {};  ///< the name of a target; empty: the best usable one
  bool strict = false;      ///< anything but the fused path is an Error
  /// bool, broadcast from the right to (B, H, L_q, L_k): true keeps a weight, times 1 / (1 -
  /// dropout), false drops it. Then nothing is drawn by counter.
  Tensor dropout_mask = {};
  /// How many keys each batch entry has, at most L_k (each sequence where packed, at most its
  /// rows): rows past them are nobody's. Their weights, column mass and gradients are 0, and
  /// nothing reads them. The L_k of masks, corners and places is then the entry's own.
  std::vector<std::int64_t> key_lengths = {};
  /// The place of the first query in the whole sequence: query i stands at query_offset + i. Where
  /// none is given, at key_offset + i + L_k - L_q: the last query at the last key.
  std::optional<std::int64_t> query_offset = {};
  /// The same for each batch entry, or packed sequence. Not both.
  std::vector<std::int64_t> query_offsets = {};
  /// The place of the first key: key j stands at key_offset + j. Masks but dense, ALiBi and dropout
  /// go by places (dropout by the query's row where no query offset is given); dense masks and the
  /// bias are those of the rows and keys given.
  std::int64_t key_offset = 0;
  /// Threads of this call, the caller's included; 0: those of set_num_threads.
  int threads = 0;
  /// Asked between tasks, on the calling thread alone; true ends the call with an Error (kind
  /// stopped), its results undefined. `stop_user` is what it is given.
  bool (*stop)(void* user) = nullptr;
  void* stop_user = nullptr;
};

/// What was asked for in StatisticsOptions; the others are undefined. float32 (float64 for
/// float64). In a packed batch keys and rows are counted through the whole batch.
struct Statistics {
  Tensor top_k_keys = {};     ///< int64 (B, H, L_q, k), ties to the lower key; -1 past those seen
  Tensor top_k_weights = {};  ///< (B, H, L_q, k)
  Tensor entropy = {};        ///< -sum of P ln P, (B, H, L_q)
  Tensor maximum = {};        ///< (B, H, L_q)
  Tensor column_mass = {};    ///< (B, H, L_k)
  Tensor rows = {};           ///< (B, H, rows, L_k)
};

/// What of a call's options its gradients depend on, a hash each. All 0: unknown.
struct PlanFingerprint {
  std::uint64_t mask = 0, places = 0, terms = 0, dropout = 0;
  bool operator==(const PlanFingerprint&) const = default;
};

struct AttentionResult {
  Tensor output = {};  ///< (B, H, L_q, D_v), of the query's dtype
  Tensor lse = {};     ///< (B, H, L_q), float32 (float64 for float64), where asked for
  /// P before dropout, where asked for: (B, H, L_q, L_k), float32 (float64 for float64).
  Tensor weights = {};
  Statistics statistics = Statistics();
  /// Of the call that it comes from: a backward with other options refuses it.
  PlanFingerprint plan = PlanFingerprint();
};

/// O = softmax(Q K^T * scale, masked) V. query (B, H, L_q, D), key (B, H_kv, L_k, D), value (B,
/// H_kv, L_k, D_v), of one floating dtype; H divisible by H_kv. Strides are free but for a last one
/// of 1 (else that tensor is copied). Products and sums accumulate in float32 (float64 for
/// float64). A fully masked row gives 0 and lse -inf. The bits don't depend on the number of
/// threads.
///
/// Where a tensor requires a gradient (foveal/autograd.h), the bias, slopes and sinks too, this is
/// recorded as one operation: the output alone carries the gradient.
///
/// Throws Error for shapes, dtypes and options that don't fit, naming argument, rule and mend.
AttentionResult attention(const Tensor& query, const Tensor& key, const Tensor& value,
                          const AttentionOptions& options = {});

/// attention() into tensors of the caller's. What is undefined of `result` and asked for is made;
/// what is defined is written in its own strides, the last of which must be 1, whatever the others:
/// (B, L_q, H, D_v) in memory costs no copy. Nothing is recorded. Throws Error, and writes nothing,
/// where a tensor is given but not asked for, has another shape or dtype, or shares memory with an
/// input or another result; and where an input requires a gradient, outside NoGrad.
void attention_into(AttentionResult& result, const Tensor& query, const Tensor& key,
                    const Tensor& value, const AttentionOptions& options = {});

struct AttentionGradients {
  Tensor q = {}, k = {}, v = {};
  Tensor bias = {}, sinks = {}, alibi_slopes = {};  ///< where options.gradients asks
};

/// Gradients of a loss whose gradient by the output is `grad_output` (B, H, L_q, D_v). `result` is
/// what attention returned for the same arguments, with return_lse: one that comes from other
/// options is an Error, one put together by hand isn't checked. Accumulates in float32 (float64 for
/// float64).
AttentionGradients attention_backward(const Tensor& grad_output, const Tensor& query,
                                      const Tensor& key, const Tensor& value,
                                      const AttentionResult& result,
                                      const AttentionOptions& options = {});

/// attention_backward() into the tensors that `gradients` holds, or, with `add`, added to them, as
/// Plan::backward_into does it (plan.h).
void attention_backward_into(AttentionGradients& gradients, const Tensor& grad_output,
                             const Tensor& query, const Tensor& key, const Tensor& value,
                             const AttentionResult& result, const AttentionOptions& options = {},
                             bool add = false);

/// A partial result over some of the keys; (0, -inf, 0) is neutral for merge. float32 (float64 for
/// float64), whatever the query's dtype.
struct AttentionState {
  Tensor output = {};   ///< sum of exp(S - m) V, not yet divided: (B, H, L_q, D_v)
  Tensor maximum = {};  ///< m, (B, H, L_q)
  Tensor sum = {};      ///< l = sum of exp(S - m), (B, H, L_q)
};

/// The part of attention that these keys have. key_offset says where they stand in the whole
/// sequence, and query_offset where the queries do: masks, ALiBi and dropout go by that. The bias
/// is that of these keys; sinks belong into one part only. Throws Error as attention does, and
/// where weights or statistics are asked for: a part has none.
AttentionState attention_state(const Tensor& query, const Tensor& key, const Tensor& value,
                               const AttentionOptions& options = {});
/// The same into the tensors that `state` holds, of the shapes and dtypes that attention_state
/// gives, any strides but for a last one of 1. What is undefined is made. Throws Error, and writes
/// nothing, where attention_state does, or where a tensor doesn't fit or shares memory with another
/// or an input.
void attention_state_into(AttentionState& state, const Tensor& query, const Tensor& key,
                          const Tensor& value, const AttentionOptions& options = {});
/// Both parts as one: associative and commutative but for rounding. Throws Error where shapes or
/// dtypes differ.
AttentionState merge(const AttentionState& a, const AttentionState& b);
/// The same into `a`, in whose memory and strides it is written. Throws Error, and writes nothing,
/// where merge does, or where the two share memory.
void merge_into(AttentionState& a, const AttentionState& b);
/// Divides: output and lse, in the state's dtype. A row that saw no key gives 0 and lse -inf.
AttentionResult finish(const AttentionState& state);
/// The same with the output rounded to a floating `dtype`; lse stays in the state's.
AttentionResult finish(const AttentionState& state, DType dtype);
/// The same into the tensors that `result` holds: output of any floating dtype, lse of the state's,
/// any strides but for a last one of 1. What is undefined is made, in the state's dtype. Throws
/// Error, and writes nothing, where finish does, where a tensor doesn't fit or shares memory with
/// another or the state, and where weights or statistics are given. The result is of no plan then.
void finish_into(AttentionResult& result, const AttentionState& state);

}  // namespace foveal
#pragma GCC visibility pop
