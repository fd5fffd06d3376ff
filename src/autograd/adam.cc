#include <cmath>
#include <memory>

#include "autograd/update_rule.h"
#include "core/number_text.h"

namespace foveal::optim {
namespace {

/// The order of operations is PyTorch's, so that the bits are.
template <class C>
struct AdamLoop {
  C shrink, decay, weight, rest, beta2, weight2, root, eps, step_size;

  void operator()(C* __restrict p, const C* __restrict g, const Kept<C>& kept,
                  std::int64_t count) const {
    C* __restrict const mean = kept[0];
    C* __restrict const square = kept[1];
    const bool near = weight < C(0.5);  // lerp_ starts from the end that it is nearer to
    for (std::int64_t i = 0; i < count; ++i) {
      const C number = p[i] * shrink;
      const C grad = decay == 0 ? g[i] : g[i] + decay * number;
      const C way = grad - mean[i];
      mean[i] = near ? mean[i] + weight * way : grad - way * rest;
      square[i] = square[i] * beta2 + weight2 * grad * grad;
      p[i] = number - step_size * mean[i] / (std::sqrt(square[i]) / root + eps);
    }
  }
};

class AdamRule final : public UpdateRule {
 public:
  AdamRule(const char* name, const AdamOptions& options, bool decoupled)
      : UpdateRule(name, options.learning_rate, {"exp_avg", "exp_avg_sq"}, true),
        options_(options),
        decoupled_(decoupled) {}

  void apply(const Update& update) const override {
    const auto [beta1, beta2] = options_.betas;
    const auto step = static_cast<double>(update.step);
    const double correction = 1 - std::pow(beta1, step);
    const double root = std::sqrt(1 - std::pow(beta2, step));
    const double shrink = decoupled_ ? 1 - learning_rate * options_.weight_decay : 1;
    const double decay = decoupled_ ? 0 : options_.weight_decay;
    run_update(update, [&, beta1 = beta1, beta2 = beta2](auto zero) {
      using C = decltype(zero);
      const C weight = static_cast<C>(1 - beta1);
      return AdamLoop<C>{.shrink = static_cast<C>(shrink),
                         .decay = static_cast<C>(decay),
                         .weight = weight,
                         .rest = 1 - weight,
                         .beta2 = static_cast<C>(beta2),
                         .weight2 = static_cast<C>(1 - beta2),
                         .root = static_cast<C>(root),
                         .eps = static_cast<C>(options_.eps),
                         .step_size = static_cast<C>(learning_rate / correction)};
    });
  }

 private:
  AdamOptions options_;
  bool decoupled_;
};

void require_beta(const char* optimiser, const char* option, double value) {
  if (value >= 0 && value < 1) return;
  throw Error(std::string(optimiser) + ": " + option + " is " + number_text(value) +
              ": it must be from 0 to below 1; PyTorch's betas are 0.9 and 0.999");
}

std::unique_ptr<UpdateRule> checked_adam(const char* optimiser, const AdamOptions& options,
                                         bool decoupled) {
  require_number(optimiser, "learning_rate", options.learning_rate);
  require_beta(optimiser, "betas.first", options.betas.first);
  require_beta(optimiser, "betas.second", options.betas.second);
  require_number(optimiser, "eps", options.eps);
  require_number(optimiser, "weight_decay", options.weight_decay);
  return std::make_unique<AdamRule>(optimiser, options, decoupled);
}

AdamOptions common(const AdamWOptions& options) {
  return {.learning_rate = options.learning_rate,
          .betas = options.betas,
          .eps = options.eps,
          .weight_decay = options.weight_decay};
}

}  // namespace

Adam::Adam(const std::vector<Tensor>& parameters, const AdamOptions& options)
    : Optimizer(parameters, checked_adam("Adam", options, false)) {}

AdamW::AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options)
    : Optimizer(parameters, checked_adam("AdamW", common(options), true)) {}

}  // namespace foveal::optim
