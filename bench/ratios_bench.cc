// Times of attention's calls by one another, each pair taken by turns in one process: what
// docs/performance.md shows under "Ratios of calls".
//
//   ratios_bench [FILTER] [PAIRS]   rows whose name holds FILTER; PAIRS (11) of each

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>
#include <vector>

#include "foveal/foveal.h"
#include "foveal/plan.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"
#include "measure/clock.h"
#include "measure/inputs.h"
#include "measure/peak.h"

namespace {

using foveal::AttentionOptions;
using foveal::DType;
using foveal::Shape;
using foveal::Tensor;
using foveal::measure::now;
using foveal::measure::PeakKind;
using foveal::measure::random_numbers;
using foveal::measure::summarize;

std::string filter;
int pairs = 11;

using Work = std::function<void()>;

/// Seconds of one call: of so many that it takes a hundred microseconds at least.
double seconds(const Work& work, int calls) {
  const double start = now();
  for (int n = 0; n < calls; ++n) work();
  return (now() - start) / calls;
}

int calls_of(const Work& work) {
  work();
  const double once = seconds(work, 1);
  return std::clamp(static_cast<int>(1e-4 / std::max(once, 1e-7)), 1, 1000);
}

/// Medians of the two, and of their ratio.
struct Pair {
  double first, second, ratio;
};

Pair by_turns(const Work& first, const Work& second) {
  const int first_calls = calls_of(first), second_calls = calls_of(second);
  std::vector<double> a, b, ratios;
  for (int n = 0; n < pairs; ++n) {
    a.push_back(seconds(first, first_calls));
    b.push_back(seconds(second, second_calls));
    ratios.push_back(a.back() / b.back());
  }
  return {summarize(a).median, summarize(b).median, summarize(ratios).median};
}

void print(const std::string& name, const Pair& pair, const std::string& value,
           const std::string& goal) {
  std::printf("| %s | %.4g ms | %.4g ms | %s | %s |\n", name.c_str(), pair.first * 1e3,
              pair.second * 1e3, value.c_str(), goal.c_str());
  std::fflush(stdout);
}

std::string text(const char* format, double value) {
  char line[64];
  std::snprintf(line, sizeof line, format, value);
  return line;
}

bool is_wanted(const std::string& name) { return name.find(filter) != std::string::npos; }

/// The time of `first` by that of `second`.
void compare(const std::string& name, const std::string& goal, const Work& first,
             const Work& second) {
  if (!is_wanted(name)) return;
  const Pair pair = by_turns(first, second);
  print(name, pair, text("%.2f", pair.ratio), goal);
}

/// What a peak allows in the time of `work`, as a share: a sample before each call, and a call in
/// between, so that the caches hold what they hold while calls follow one another.
void share(const std::string& name, const std::string& goal, PeakKind kind, double amount,
           const Work& work) {
  if (!is_wanted(name)) return;
  foveal::measure::PeakMeter meter(foveal::find_target(""));
  const int calls = calls_of(work);
  std::vector<double> times, shares;
  for (int n = 0; n < pairs; ++n) {
    const double peak = meter.sample(kind) * 1e9;
    work();
    times.push_back(seconds(work, calls));
    shares.push_back(amount / times.back() / peak);
  }
  const double time = summarize(times).median, at_peak = amount / (meter.median(kind) * 1e9);
  print(name, {time, at_peak, 0}, text("%.0f %%", 100 * summarize(shares).median), goal);
}

struct Inputs {
  Tensor query, key, value;
};

Inputs inputs(const Shape& query, const Shape& key, std::int64_t value_size,
              DType dtype = DType::float32) {
  Inputs made{random_numbers(query, dtype, 1), random_numbers(key, dtype, 2), {}};
  Shape value = key;
  value.back() = value_size;
  made.value = random_numbers(value, dtype, 3);
  return made;
}

Work forward(const Inputs& of, const AttentionOptions& options = {}) {
  return [=] { attention(of.query, of.key, of.value, options); };
}

Work backward(const Inputs& of, AttentionOptions options) {
  options.return_lse = true;
  const foveal::AttentionResult result = attention(of.query, of.key, of.value, options);
  const Tensor gradient = random_numbers(result.output.shape(), DType::float32, 4);
  return [=] { attention_backward(gradient, of.query, of.key, of.value, result, options); };
}

/// As in the paper: 2^(-8 (h + 1) / H).
Tensor slopes(std::int64_t heads) {
  Tensor made = Tensor::zeros({heads});
  for (std::int64_t h = 0; h < heads; ++h) {
    made.data<float>()[h] = std::exp2(-8 * static_cast<float>(h + 1) / static_cast<float>(heads));
  }
  return made;
}

void measure_few_queries() {
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    const auto at = [dtype](std::int64_t queries) {
      return inputs({1, 32, queries, 128}, {1, 8, 4096, 128}, 128, dtype);
    };
    const std::string name = "32 heads on 8, 4096 keys, D 128, " + to_string(dtype) + ": ";
    compare(name + "L_q 3 to L_q 2", "1.6", forward(at(3)), forward(at(2)));
    AttentionOptions options;
    options.alibi_slopes = slopes(32);
    compare(name + "L_q 3 with ALiBi to without", "", forward(at(3), options), forward(at(3)));
    options = {};
    options.bias = random_numbers({1, 32, 3, 4096}, DType::float32, 5);
    compare(name + "L_q 3 with a bias to without", "", forward(at(3), options), forward(at(3)));
    options = {};
    options.dropout = 0.1;
    compare(name + "L_q 3 with dropout to without", "", forward(at(3), options), forward(at(3)));
  }
}

/// One query, all heads on one KV head: against the heads as queries of one head.
void measure_one_kv_head(const std::string& name, std::int64_t heads, std::int64_t keys,
                         std::int64_t size, std::int64_t value_size, double needed_share) {
  Inputs many = inputs({1, heads, 1, size}, {1, 1, keys, size}, value_size);
  if (value_size < size) many.value = many.key.slice(3, 0, value_size);  // as latent attention's
  Inputs folded = many;
  folded.query = many.query.reshape({1, 1, heads, size});
  compare(name + " to the heads folded into queries", "1.05", forward(many), forward(folded));
  const auto of = [](std::int64_t count) { return static_cast<double>(count); };
  const double operations = 2 * of(heads) * of(keys) * of(size + value_size);
  share(name + ", of FMA peak", text("%.0f %%", needed_share), PeakKind::float32, operations,
        forward(many));
  share(name + ", of read bandwidth", "", PeakKind::read, of(keys) * of(size) * 4, forward(many));
}

void measure_states() {
  const Inputs one = inputs({1, 32, 1, 128}, {1, 8, 2048, 128}, 128);
  compare(
      "attention_state to attention, L_q 1, 2048 keys", "1.1",
      [=] { attention_state(one.query, one.key, one.value); }, forward(one));
}

std::vector<std::int64_t> starts_of(const std::vector<std::int64_t>& lengths) {
  std::vector<std::int64_t> starts{0};
  for (const std::int64_t length : lengths) starts.push_back(starts.back() + length);
  return starts;
}

void measure_packed() {
  std::vector<std::int64_t> lengths;
  for (std::int64_t n = 0; n < 200; ++n) lengths.push_back(10 + n * 37 % 50);
  AttentionOptions options;
  options.query_starts = starts_of(lengths);
  options.key_starts = options.query_starts;
  const std::int64_t rows = options.query_starts.back();
  const Inputs all = inputs({1, 12, rows, 64}, {1, 12, rows, 64}, 64);
  AttentionOptions alone = options;
  alone.threads = 1;
  compare("200 packed sequences of 10 to 59, 12 heads: one thread to two", "at least 1.8",
          forward(all, alone), forward(all, options));
}

/// 32 sequences of 15,832 keys in all, one query each: packed and padded, against one sequence.
void measure_many_decodes() {
  std::vector<std::int64_t> lengths;
  for (std::int64_t n = 0; n < 31; ++n) lengths.push_back(40 + n * 131 % 907);
  lengths.push_back(15832 - std::accumulate(lengths.begin(), lengths.end(), std::int64_t{0}));
  const std::int64_t keys = 15832, longest = *std::max_element(lengths.begin(), lengths.end());
  const Inputs one = inputs({1, 32, 1, 128}, {1, 8, keys, 128}, 128);
  Inputs packed = one;
  packed.query = random_numbers({1, 32, 32, 128}, DType::float32, 1);
  AttentionOptions options;
  options.query_starts = starts_of(std::vector<std::int64_t>(32, 1));
  options.key_starts = starts_of(lengths);
  compare("decode of 32 sequences, 15,832 keys, packed: to one sequence of as many", "1.1",
          forward(packed, options), forward(one));
  const Inputs padded = inputs({32, 32, 1, 128}, {32, 8, longest, 128}, 128);
  options = {};
  options.key_lengths = lengths;
  compare("the same, padded with key_lengths", "1.1", forward(padded, options), forward(one));
}

void measure_terms() {
  const Inputs middle = inputs({8, 12, 1024, 64}, {8, 12, 1024, 64}, 64);
  const Inputs longer = inputs({2, 12, 2048, 64}, {2, 12, 2048, 64}, 64);
  AttentionOptions causal;
  causal.mask = foveal::causal(foveal::Corner::top_left);
  AttentionOptions options = causal;
  options.dropout = 0.1;
  options.seed = 7;
  compare("dropout 0.1, causal 2048, forward", "1.4", forward(longer, options),
          forward(longer, causal));
  compare("dropout 0.1, causal 2048, backward", "1.3", backward(longer, options),
          backward(longer, causal));
  options = {};
  options.bias = random_numbers({8, 12, 1024, 1024}, DType::float32, 5);
  compare("bias (B, H, L, L) at 1024", "1.3", forward(middle, options), forward(middle));
  options = {};
  options.softcap = 20;
  compare("softcap at 1024", "1.35", forward(middle, options), forward(middle));
  options = {};
  options.alibi_slopes = slopes(12);
  compare("ALiBi at 1024", "1.1", forward(middle, options), forward(middle));
  const auto with = [&options](AttentionOptions other) {
    other.alibi_slopes = options.alibi_slopes;
    return other;
  };
  compare("ALiBi, causal 1024", "1.1", forward(middle, with(causal)), forward(middle, causal));
}

/// One row times a matrix: of the bytes read, and against a plain loop on one thread.
void measure_linear() {
  for (const DType dtype : {DType::float32, DType::bfloat16}) {
    const Tensor row = random_numbers({1, 4096}, dtype, 1);
    const Tensor weight = random_numbers({11008, 4096}, dtype, 2);
    const double bytes = foveal::measure::bytes_of(weight.shape(), dtype);
    share("linear of a row, 4096 to 11008, " + to_string(dtype) + ", of read bandwidth", "90 %",
          PeakKind::read, bytes, [=] { linear(row, weight, {}); });
  }
  for (const auto& [from, to] : {std::pair{768, 3072}, std::pair{3072, 768}}) {
    const Tensor row = random_numbers({1, from}, DType::float32, 1);
    const Tensor weight = random_numbers({to, from}, DType::float32, 2);
    Tensor result = Tensor::zeros({1, to});
    const Work plain = [=]() mutable {
      const float *x = row.data<float>(), *w = weight.data<float>();
      float* const y = result.data<float>();
      for (int r = 0; r < to; ++r) {
        float sum = 0;
        for (int c = 0; c < from; ++c) sum += x[c] * w[r * from + c];
        y[r] = sum;
      }
    };
    compare("a plain loop on one thread to linear of a row, " + std::to_string(from) + " to " +
                std::to_string(to),
            "at least 2", plain, [=] { linear(row, weight, {}); });
  }
}

/// Calls so small that what isn't arithmetic shows; run_into of a plan beside them.
void measure_small_calls() {
  for (const std::int64_t keys : {1, 16, 64}) {
    const Inputs one = inputs({1, 12, 1, 64}, {1, 12, keys, 64}, 64);
    const foveal::Plan plan =
        plan_attention(one.query.shape(), one.key.shape(), one.value.shape(), DType::float32, {});
    foveal::AttentionResult result = plan.run(one.query, one.key, one.value);
    const std::string name = "a call, L_q 1, H 12, D 64, L_k " + std::to_string(keys);
    compare(name + ": to a plan's run_into", keys <= 16 ? "4 µs" : "", forward(one),
            [=]() mutable { plan.run_into(result, one.query, one.key, one.value); });
  }
}

}  // namespace

int main(int count, char** words) try {
  if (count > 1) filter = words[1];
  if (count > 2) pairs = std::max(std::atoi(words[2]), 1);
  std::printf("target %s, %d threads\n\n", foveal::find_target("").name, foveal::num_threads());
  std::printf("| work | time | the other's, or at the peak | ratio | goal |\n");
  std::printf("| --- | --- | --- | --- | --- |\n");
  measure_few_queries();
  measure_one_kv_head("32 heads on one, 4096 keys, D 128", 32, 4096, 128, 128, 65);
  measure_one_kv_head("128 heads on one, 4096 keys, D 576, D_v 512", 128, 4096, 576, 512, 65);
  measure_one_kv_head("16 heads on one, 4096 keys, D 576, D_v 512", 16, 4096, 576, 512, 80);
  measure_states();
  measure_packed();
  measure_many_decodes();
  measure_terms();
  measure_linear();
  measure_small_calls();
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "ratios_bench: %s\n", error.what());
  return 1;
}
