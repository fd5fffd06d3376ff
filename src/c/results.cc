#include "c/results.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <tuple>

#include "c/status.h"
#include "c/tensors.h"
#include "foveal/error.h"

namespace foveal::c {
namespace {

/// The k of top-k that a tensor has room for.
int top_k_of(const Tensor& tensor, const char* name, const char* function) {
  if (!tensor.defined()) return 0;
  const std::int64_t k = tensor.rank() == 4 ? tensor.size(3) : 0;
  if (k >= 1 && k <= std::numeric_limits<int>::max()) return static_cast<int>(k);
  throw Error(std::string(function) + ": result->" + name + " has shape " +
              to_string(tensor.shape()) + ": it must be (B, H, L_q, k), k from 1 on");
}

AttentionResult written_result(const foveal_result& given, const char* function) {
  const auto written = [function](const foveal_tensor* tensor, const char* name) {
    return written_if_given(tensor, {function, name});
  };
  AttentionResult result;
  result.output = written(given.output, "result->output");
  result.lse = written(given.lse, "result->lse");
  result.weights = written(given.weights, "result->weights");
  Statistics& s = result.statistics;
  s.top_k_keys = written(given.top_k_keys, "result->top_k_keys");
  s.top_k_weights = written(given.top_k_weights, "result->top_k_weights");
  s.entropy = written(given.entropy, "result->entropy");
  s.maximum = written(given.maximum, "result->maximum");
  s.column_mass = written(given.column_mass, "result->column_mass");
  s.rows = written(given.rows, "result->rows");
  return result;
}

Asked asked_of(const AttentionResult& result, const char* function) {
  const Statistics& s = result.statistics;
  Asked asked;
  asked.lse = result.lse.defined();
  asked.weights = result.weights.defined();
  asked.entropy = s.entropy.defined();
  asked.maximum = s.maximum.defined();
  asked.column_mass = s.column_mass.defined();
  asked.rows = s.rows.defined();
  asked.top_k = std::max(top_k_of(s.top_k_keys, "top_k_keys", function),
                         top_k_of(s.top_k_weights, "top_k_weights", function));
  return asked;
}

}  // namespace

bool operator==(const Asked& a, const Asked& b) {
  const auto all = [](const Asked& x) {
    return std::tuple(x.lse, x.weights, x.entropy, x.maximum, x.column_mass, x.rows, x.top_k,
                      x.gradients.bias, x.gradients.sinks, x.gradients.alibi_slopes);
  };
  return all(a) == all(b);
}

AttentionOptions options_for(const CallOptions& call, const Asked& asked) {
  AttentionOptions options = call.attention();
  options.return_lse = asked.lse;
  options.return_weights = asked.weights;
  options.statistics.top_k = asked.top_k;
  options.statistics.entropy = asked.entropy;
  options.statistics.maximum = asked.maximum;
  options.statistics.column_mass = asked.column_mass;
  if (asked.rows) options.statistics.rows = call.rows();
  options.gradients = asked.gradients;
  return options;
}

WantedResult::WantedResult(const foveal_result* given, const CallOptions& call,
                           const char* function) {
  if (given == nullptr) refuse(function, "result is NULL: say where results go");
  result = written_result(*given, function);
  asked = asked_of(result, function);
  if (!result.output.defined() && asked == Asked()) {
    refuse(function, "result asks for nothing: point one of its members to a tensor");
  }
  if (asked.rows && call.rows().empty()) {
    refuse(function, "result->rows is given but options->rows says of no query: name them there");
  }
}

WantedGradients::WantedGradients(const foveal_gradients* given, const char* function) {
  if (given == nullptr) refuse(function, "gradients is NULL: say where they go");
  const foveal_tensor* const all[] = {given->query, given->key,   given->value,
                                      given->bias,  given->sinks, given->alibi_slopes};
  if (std::all_of(std::begin(all), std::end(all), [](const void* one) { return one == nullptr; })) {
    refuse(function, "gradients asks for nothing: point one of its members to a tensor");
  }
  if (given->reserved != 0) refuse(function, "gradients->reserved isn't 0: begin with all zeros");
  gradients.q = written_if_given(given->query, {function, "gradients->query"});
  gradients.k = written_if_given(given->key, {function, "gradients->key"});
  gradients.v = written_if_given(given->value, {function, "gradients->value"});
  gradients.bias = written_if_given(given->bias, {function, "gradients->bias"});
  gradients.sinks = written_if_given(given->sinks, {function, "gradients->sinks"});
  gradients.alibi_slopes =
      written_if_given(given->alibi_slopes, {function, "gradients->alibi_slopes"});
  asked.lse = true;
  asked.gradients = {gradients.bias.defined(), gradients.sinks.defined(),
                     gradients.alibi_slopes.defined()};
  add = given->add != 0;
}

AttentionResult given_result(const foveal_result* given, const char* function) {
  if (given == nullptr) refuse(function, "result is NULL: give what foveal_attention wrote");
  AttentionResult result;
  result.output = read_tensor(given->output, {function, "result->output"});
  result.lse = read_tensor(given->lse, {function, "result->lse"});
  result.plan = {given->plan[0], given->plan[1], given->plan[2], given->plan[3]};
  return result;
}

AttentionResult finished_result(const foveal_result* given, const char* function) {
  if (given == nullptr) refuse(function, "result is NULL: say where results go");
  AttentionResult result = written_result(*given, function);
  if (!result.output.defined() && asked_of(result, function) == Asked()) {
    refuse(function, "result asks for nothing: point output or lse to a tensor");
  }
  return result;
}

void give_fingerprint(const PlanFingerprint& plan, foveal_result& result) {
  const std::uint64_t all[] = {plan.mask, plan.places, plan.terms, plan.dropout};
  std::copy(std::begin(all), std::end(all), result.plan);
}

}  // namespace foveal::c
