#pragma once
// Entropy, maximum and the largest weights of each row, gathered while the scores pass: no second
// look at Q and K. Of a row whose maximum is raised, sums are rescaled as the forward's own are.

#include "kernels/forward/state.h"

namespace foveal {
namespace {

template <class T>
void begin_observation(const ForwardTask<T>& task) {
  constexpr T kInfinity = __builtin_inf();
  Observation<T>& observed = *task.observation;
  for (int q = 0; q < kQueryTile<T>; ++q) {
    observed.weighted[q] = 0;
    observed.top[q] = -kInfinity;
    // Masked scores don't pass minus infinity; nothing passes infinity.
    const bool wanted = observed.k > 0 && q < task.query_count;
    observed.threshold[q] = wanted ? -kInfinity : kInfinity;
    observed.count[q] = 0;
  }
}

/// Puts a score among the row's k largest, before the first that is smaller.
template <class T>
void insert_score(Observation<T>& observed, int64_t q, T score, int64_t key) {
  T* const scores = observed.scores + q * observed.k;
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
__attribute__((noinline)) void insert_scores(Observation<T>& observed, Vector<T> scores, int lane,
                                             int64_t key) {
  for (int64_t n = 0; n < kLanes<T>; ++n) {
    const int64_t q = lane + n;
    if (!(scores[n] > observed.threshold[q])) continue;
    insert_score(observed, q, scores[n], observed.first_key + key);
    if (observed.count[q] < observed.k) continue;
    observed.threshold[q] = observed.scores[(q + 1) * observed.k - 1];
  }
}

/// One key's scores, those above the maximum, and the weights that they became.
template <class T>
inline __attribute__((always_inline)) void observe(const ForwardTask<T>& task, Vector<T> scores,
                                                   Vector<T> above, Vector<T> weights, int lane,
                                                   int64_t key) {
  Observation<T>& observed = *task.observation;
  // A weight of 0 adds nothing, where its score is minus infinity too.
  const Vector<T> weighted = weights == 0 ? Vector<T>{} : weights * above;
  store(observed.weighted + lane, load(observed.weighted + lane) + weighted);
  store(observed.top + lane, larger(scores, load(observed.top + lane)));
  if (any(scores > load(observed.threshold + lane))) insert_scores(observed, scores, lane, key);
}

/// Rows whose maximum rises by `rise`, which multiplies their sums so far, `sum` before, by
/// `factor`.
template <class T>
inline void raise_observation(const ForwardTask<T>& task, int lane, Vector<T> rise,
                              Vector<T> factor, Vector<T> sum) {
  if (task.observation == nullptr) return;
  T* const weighted = task.observation->weighted + lane;
  const Vector<T> rescaled = (load(weighted) - rise * sum) * factor;
  store(weighted, factor == 0 ? Vector<T>{} : rescaled);
}

/// The results of row q, whose weights times `factor` are P. A row with a NaN has no order.
template <class T>
void end_observation(const ForwardTask<T>& task, const ForwardState<T>& state, int64_t q,
                     double factor) {
  Observation<T>& observed = *task.observation;
  const T sum = state.sum[q];
  const bool is_number = sum == sum;
  const auto weight = [&](T score) {
    return static_cast<T>(exp<T>(broadcast(score - state.maximum[q]))[0] * factor);
  };
  if (observed.entropy != nullptr) {
    const double weighted = observed.weighted[q] + __builtin_log(factor) * sum;
    const double entropy = factor == 0 ? 0 : -factor * weighted;
    observed.entropy[q] = static_cast<T>(entropy < 0 ? 0 : entropy);  // rounding; NaN stays
  }
  if (observed.maximum != nullptr) {
    observed.maximum[q] = is_number ? weight(observed.top[q]) : sum;
  }
  for (int64_t n = 0; n < observed.k; ++n) {
    const int64_t at = q * observed.k + n;
    if (!is_number) {
      observed.keys[at] = -1;
      observed.weights[at] = sum;
    } else if (n < observed.count[q]) {
      observed.weights[at] = weight(observed.scores[at]);
    }
  }
}

}  // namespace
}  // namespace foveal
