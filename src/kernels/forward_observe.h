#pragma once
// Entropy, maximum and the largest weights of each row, gathered while the scores pass: no second
// look at Q and K. Of a row whose maximum is raised, sums are rescaled as the forward's own are.

#include "kernels/forward_state.h"

namespace foveal {
namespace {

template <class T>
void begin_observation(const ForwardTask<T>& task) {
  Observation<T>& observed = *task.observation;
  for (int q = 0; q < kQueryTile<T>; ++q) {
    observed.weighted[q] = 0;
    observed.top[q] = kMasked<T>;
    // Masked scores are below; infinity is never passed.
    const bool wanted = observed.k > 0 && q < task.query_count;
    observed.threshold[q] = wanted ? kUnset<T> : static_cast<T>(__builtin_inf());
    observed.count[q] = 0;
  }
}

/// Puts a score among the row's k largest, before the first that is smaller.
template <class T>
void insert_score(Observation<T>& observed, int64_t q, double score, int64_t key) {
  double* const scores = observed.scores + q * observed.k;
  int64_t* const keys = observed.keys + q * observed.k;
  const int64_t count = observed.count[q];
  int64_t place = count < observed.k ? count : observed.k - 1;
  for (; place > 0 && scores[place - 1] < score; --place) {
    scores[place] = scores[place - 1];
    keys[place] = keys[place - 1];
  }
  scores[place] = score;
  keys[place] = key;
  if (count < observed.k) observed.count[q] = count + 1;
}

/// The scores of one key that pass their row's threshold. Keys come in rising order, so that of
/// equal ones the earlier stay.
template <class T>
__attribute__((noinline)) void insert_scores(const ForwardTask<T>& task,
                                             const ForwardState<T>& state, Vector<T> scores,
                                             int lane, int64_t key) {
  Observation<T>& observed = *task.observation;
  for (int64_t n = 0; n < kLanes<T>; ++n) {
    const int64_t q = lane + n;
    if (!(scores[n] > observed.threshold[q])) continue;
    const double maximum = state.maximum[q];
    insert_score(observed, q, maximum + scores[n], observed.first_key + key);
    if (observed.count[q] < observed.k) continue;
    const double last = observed.scores[(q + 1) * observed.k - 1];
    observed.threshold[q] = static_cast<T>(last - maximum);
  }
}

/// One key's scores and the weights that they became.
template <class T>
inline __attribute__((always_inline)) void observe(const ForwardTask<T>& task,
                                                   const ForwardState<T>& state, Vector<T> scores,
                                                   Vector<T> weights, int lane, int64_t key) {
  Observation<T>& observed = *task.observation;
  store(observed.weighted + lane, load(observed.weighted + lane) + weights * scores);
  store(observed.top + lane, larger(scores, load(observed.top + lane)));
  if (any(scores > load(observed.threshold + lane))) insert_scores(task, state, scores, lane, key);
}

/// Rows whose maximum rises by `shift`, which multiplies their sums so far, `sum` before, by
/// `factor`.
template <class T>
inline void raise_observation(const ForwardTask<T>& task, int lane, Vector<T> shift,
                              Vector<T> factor, Vector<T> sum) {
  if (task.observation == nullptr) return;
  Observation<T>& observed = *task.observation;
  const auto change = [lane](T* numbers, auto&& how) {
    store(numbers + lane, how(load(numbers + lane)));
  };
  change(observed.weighted, [&](Vector<T> old) { return (old - shift * sum) * factor; });
  change(observed.top, [&](Vector<T> old) { return old - shift; });
  change(observed.threshold, [&](Vector<T> old) { return old - shift; });
}

/// P of a score above the maximum, by the exponential that the row's sum is made of.
template <class T>
inline T weight_of(double score, double factor) {
  return static_cast<T>(exp2(broadcast(static_cast<T>(score)))[0] * factor);
}

/// The results of row q, whose weights times `factor` are P. A row with a NaN has no order.
template <class T>
void end_observation(const ForwardTask<T>& task, const ForwardState<T>& state, int64_t q,
                     double factor) {
  Observation<T>& observed = *task.observation;
  const T sum = state.sum[q];
  const bool is_number = sum == sum;
  if (observed.entropy != nullptr) {
    const double weighted = observed.weighted[q] + __builtin_log2(factor) * sum;
    const double entropy = factor == 0 ? 0 : -kLn2 * factor * weighted;
    observed.entropy[q] = static_cast<T>(entropy < 0 ? 0 : entropy);  // rounding; NaN stays
  }
  if (observed.maximum != nullptr) {
    observed.maximum[q] = is_number ? weight_of<T>(observed.top[q], factor) : sum;
  }
  for (int64_t n = 0; n < observed.k; ++n) {
    const int64_t at = q * observed.k + n;
    if (!is_number) {
      observed.keys[at] = -1;
      observed.weights[at] = sum;
    } else if (n < observed.count[q]) {
      observed.weights[at] = weight_of<T>(observed.scores[at] - state.maximum[q], factor);
    }
  }
}

}  // namespace
}  // namespace foveal
