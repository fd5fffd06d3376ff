#include "trace/input/drawn_weights.h"

#include <nlohmann/json.hpp>

#include "foveal/nn/attention.h"

namespace foveal::trace {
namespace {

/// An input is read cell by cell; this is far beyond it, and no file of a few bytes may ask for all
/// memory.
constexpr std::int64_t kMostNumbers = std::int64_t{1} << 24;

/// `keys` are what the drawing would make.
void require_not_given(const Field& file, const Field& drawn,
                       const std::vector<std::string>& keys) {
  std::vector<std::string> given;
  for (const std::string& key : keys) {
    if (file.has(key)) given.push_back(key);
  }
  if (given.empty()) return;
  drawn.fail("is given beside " + quoted_list(given) +
             ": weights are drawn, or their numbers are given; leave out one of the two");
}

WeightsSetting::Init read_init(const Field& field) {
  if (field.value() == "rand") return WeightsSetting::Init::rand;
  if (field.value() == "linear") return WeightsSetting::Init::linear;
  field.fail("must be \"rand\" (three torch.rand) or \"linear\" (three nn.Linear), not " +
             describe(field.value()));
}

/// `key` of `weights`: false unless it is given.
bool read_switch(const Field& weights, const std::string& key) {
  return weights.has(key) && weights[key].boolean();
}

/// Under init rand no `key`, which would draw `what`.
void require_absent(const Field& weights, const std::string& key, const std::string& what) {
  if (!read_switch(weights, key)) return;
  weights[key].fail("is true but init is \"rand\", which draws three matrices and no " + what +
                    ", as SelfAttention_v1 does: init \"linear\" has one");
}

void require_few(const Field& d_out_field, std::int64_t d_in, std::int64_t d_out) {
  if (d_out <= kMostNumbers && 3 * d_in * d_out + d_out * d_out <= kMostNumbers) return;
  d_out_field.fail("is " + std::to_string(d_out) + " and d_in is " + std::to_string(d_in) +
                   ": three W and W_out of this size are more than the 2^24 numbers that an input "
                   "may draw");
}

WeightsSetting read_setting(const Field& file, std::int64_t d_in) {
  const Field weights = file["weights"];
  weights.require_object({"seed", "init", "d_out", "qkv_bias", "out_proj"});
  for (const char* key : {"seed", "init", "d_out"}) {
    if (weights.has(key)) continue;
    weights.fail(std::string("has no key \"") + key +
                 "\": \"seed\", \"init\" and \"d_out\" are needed");
  }
  WeightsSetting setting;
  setting.seed = weights["seed"].seed();
  setting.init = read_init(weights["init"]);
  setting.d_out = weights["d_out"].whole_number(1);
  require_few(weights["d_out"], d_in, setting.d_out);
  setting.qkv_bias = read_switch(weights, "qkv_bias");
  setting.out_proj = read_switch(weights, "out_proj");
  if (setting.out_proj) require_not_given(file, weights["out_proj"], {"W_out", "b_out"});
  if (setting.init == WeightsSetting::Init::rand) {
    require_absent(weights, "qkv_bias", "bias");
    require_absent(weights, "out_proj", "output projection");
  }
  return setting;
}

/// Without the history that parameters have: nothing here is trained.
Tensor widened(const Tensor& drawn) { return drawn.detach().to(DType::float64); }

/// A Linear keeps (d_out, d_in).
void take(const nn::Linear& linear, Tensor* weight, Tensor* bias) {
  *weight = widened(linear.weight).transpose(0, 1).contiguous();
  if (linear.bias.defined()) *bias = widened(linear.bias);
}

}  // namespace

void draw_weights(const Field& file, Input* input) {
  require_not_given(file, file["weights"],
                    {"W_query", "W_key", "W_value", "b_query", "b_key", "b_value"});
  const std::int64_t d_in = input->inputs.size(1);
  const WeightsSetting setting = read_setting(file, d_in);
  input->settings.weights = setting;
  // The chapter's classes draw themselves: query, key, value.
  Generator generator(setting.seed);
  if (setting.init == WeightsSetting::Init::rand) {
    const nn::SelfAttention_v1 drawn(d_in, setting.d_out, generator);
    input->W_query = widened(drawn.W_query);
    input->W_key = widened(drawn.W_key);
    input->W_value = widened(drawn.W_value);
    return;
  }
  const nn::SelfAttention_v2 drawn(d_in, setting.d_out, generator, setting.qkv_bias);
  take(drawn.W_query, &input->W_query, &input->b_query);
  take(drawn.W_key, &input->W_key, &input->b_key);
  take(drawn.W_value, &input->W_value, &input->b_value);
  if (!setting.out_proj) return;
  take(nn::Linear(setting.d_out, setting.d_out, true, generator), &input->W_out, &input->b_out);
}

}  // namespace foveal::trace
