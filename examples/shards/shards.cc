// One sequence over four workers, as over four machines: each holds some of its queries, keys and
// values, and computes for its own queries over each one's keys.
//
// A worker's rows are a part of the sequence, so it says where they stand: the causal mask goes by
// the places of queries and keys, and ALiBi by the distances between them. The result must be that
// of one call over the whole sequence: where it isn't, the program fails.

#include <foveal/foveal.h>

#include <cstdio>
#include <future>
#include <vector>

namespace {

using namespace foveal;

constexpr std::int64_t kLengths[] = {100, 90, 110, 84};
constexpr std::size_t kWorkers = std::size(kLengths);
constexpr std::int64_t kHeads = 4, kKeyHeads = 2, kHeadSize = 16;
constexpr double kTolerance = 1e-12;

/// The whole sequence, or a worker's part of it: (B, heads, L, D).
struct Tokens {
  Tensor query = {}, key = {}, value = {}, grad_output = {};
};

Tokens random_tokens(std::int64_t length) {
  Generator generator(123);
  const auto draw = [&](std::int64_t heads) {
    return randn({1, heads, length, kHeadSize}, generator, DType::float64);
  };
  return {draw(kHeads), draw(kKeyHeads), draw(kKeyHeads), draw(kHeads)};
}

/// What is asked of the whole sequence, and, with places, of its parts.
AttentionOptions options_of_all() {
  return {.mask = causal(),
          .alibi_slopes = tensor({0.5, 0.25, 0.125, 0.0625}, DType::float64),
          .return_lse = true};
}

struct Worker {
  std::int64_t first = 0;  ///< the place of its first token
  Tokens own = {};
  AttentionResult seen = {};          ///< by its queries, over the keys of all
  AttentionGradients gradients = {};  ///< of its own rows
};

std::vector<Worker> share_out(const Tokens& all) {
  std::vector<Worker> workers;
  std::int64_t first = 0;
  for (const std::int64_t length : kLengths) {
    const auto part = [&](const Tensor& whole) { return whole.narrow(2, first, length).clone(); };
    Worker worker{.first = first,
                  .own = {part(all.query), part(all.key), part(all.value), part(all.grad_output)}};
    worker.gradients = {.q = Tensor::zeros(worker.own.query.shape(), DType::float64),
                        .k = Tensor::zeros(worker.own.key.shape(), DType::float64),
                        .v = Tensor::zeros(worker.own.value.shape(), DType::float64)};
    workers.push_back(worker);
    first += length;
  }
  return workers;
}

/// Runs work(n) for each worker on a thread of its own. What one throws is thrown when all are
/// done.
template <class Work>
void on_each(const Work& work) {
  std::vector<std::future<void>> running;
  for (std::size_t n = 0; n < kWorkers; ++n) {
    running.push_back(std::async(std::launch::async, work, n));
  }
  for (std::future<void>& one : running) one.get();
}

/// What a worker's queries ask of an owner's keys: each stand where they stand in the sequence.
AttentionOptions options_between(const Worker& worker, const Worker& owner) {
  AttentionOptions options = options_of_all();
  options.query_offset = worker.first;
  options.key_offset = owner.first;
  options.threads = 1;  // the workers are the threads
  return options;
}

/// Over its own keys and those before them; the ones after are hidden.
void forward(const std::vector<Worker>& workers, std::size_t self, AttentionResult& seen) {
  const Worker& worker = workers[self];
  const auto part = [&worker](const Worker& owner) {
    return attention_state(worker.own.query, owner.own.key, owner.own.value,
                           options_between(worker, owner));
  };
  AttentionState state = part(worker);
  for (std::size_t n = 0; n < self; ++n) merge_into(state, part(workers[n]));
  seen = finish(state);
}

/// Adds to the worker's dQ, and to the dK and dV of the owner, what its queries and these keys have
/// to do with each other. The output and lse are those over all keys.
void backward(const Worker& worker, const Worker& owner) {
  const Plan plan =
      plan_attention(worker.own.query.shape(), owner.own.key.shape(), owner.own.value.shape(),
                     DType::float64, options_between(worker, owner));
  AttentionGradients sums{.q = worker.gradients.q, .k = owner.gradients.k, .v = owner.gradients.v};
  plan.backward_into(sums, worker.own.grad_output, worker.own.query, owner.own.key, owner.own.value,
                     worker.seen, true);
}

void run_workers(std::vector<Worker>& workers) {
  on_each([&](std::size_t self) { forward(workers, self, workers[self].seen); });
  // A ring: in each round an owner's dK and dV are with one worker alone, so that no lock is
  // needed, and sums are added in the same order each time.
  for (std::size_t round = 0; round < kWorkers; ++round) {
    on_each([&](std::size_t self) {
      if (self >= round) backward(workers[self], workers[self - round]);
    });
  }
}

/// The rows of all workers, one after the other.
template <class Part>
Tensor together(const std::vector<Worker>& workers, const Part& part) {
  std::vector<Tensor> parts;
  for (const Worker& worker : workers) parts.push_back(part(worker));
  return cat(parts, 2);
}

bool compare(const char* name, const Tensor& parts, const Tensor& whole) {
  const double difference = max(abs(parts - whole).reshape({-1}), 0).item();
  if (difference <= kTolerance) {
    std::printf("%s %s: equal within 1e-12\n", name, to_string(whole.shape()).c_str());
    return true;
  }
  std::printf("%s %s: they differ by %g\n", name, to_string(whole.shape()).c_str(), difference);
  return false;
}

bool compare_with_one_call(const std::vector<Worker>& workers, const Tokens& all) {
  const AttentionOptions options = options_of_all();
  const AttentionResult seen = attention(all.query, all.key, all.value, options);
  const AttentionGradients gradients =
      attention_backward(all.grad_output, all.query, all.key, all.value, seen, options);
  const auto output = [](const Worker& worker) { return worker.seen.output; };
  const auto dq = [](const Worker& worker) { return worker.gradients.q; };
  const auto dk = [](const Worker& worker) { return worker.gradients.k; };
  const auto dv = [](const Worker& worker) { return worker.gradients.v; };
  bool equal = compare("output", together(workers, output), seen.output);
  equal = compare("dQ", together(workers, dq), gradients.q) && equal;
  equal = compare("dK", together(workers, dk), gradients.k) && equal;
  return compare("dV", together(workers, dv), gradients.v) && equal;
}

bool run() {
  std::int64_t length = 0;
  for (const std::int64_t own : kLengths) length += own;
  const Tokens all = random_tokens(length);
  std::vector<Worker> workers = share_out(all);
  std::printf("%d tokens, H %d, H_kv %d, D %d; causal, with ALiBi\n", int(length), int{kHeads},
              int{kKeyHeads}, int{kHeadSize});
  for (const Worker& worker : workers) {
    std::printf("a worker has places %d to %d\n", int(worker.first),
                int(worker.first + worker.own.query.size(2) - 1));
  }
  run_workers(workers);
  return compare_with_one_call(workers, all);
}

}  // namespace

int main() {
  try {
    return run() ? 0 : 1;
  } catch (const foveal::Error& error) {
    std::fprintf(stderr, "shards: %s\n", error.what());
    return 1;
  }
}
