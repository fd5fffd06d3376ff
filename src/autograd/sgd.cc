#include <memory>

#include "autograd/update_rule.h"
#include "core/number_text.h"

namespace foveal::optim {
namespace {

/// The order of operations is PyTorch's, so that the bits are.
template <class C>
struct SgdLoop {
  C rate, momentum, fresh, decay;
  bool keeps, first, nesterov;

  void operator()(C* __restrict p, const C* __restrict g, const Kept<C>& kept,
                  std::int64_t count) const {
    C* __restrict const buffer = kept[0];
    for (std::int64_t i = 0; i < count; ++i) {
      C move = decay == 0 ? g[i] : g[i] + decay * p[i];
      if (keeps) {
        buffer[i] = first ? move : momentum * buffer[i] + fresh * move;
        move = nesterov ? move + momentum * buffer[i] : buffer[i];
      }
      p[i] -= rate * move;
    }
  }
};

class SgdRule final : public UpdateRule {
 public:
  explicit SgdRule(const SGDOptions& options)
      : UpdateRule("SGD", options.learning_rate, names(options), false), options_(options) {}

  void apply(const Update& update) const override {
    run_update(update, [&](auto zero) {
      using C = decltype(zero);
      return SgdLoop<C>{.rate = static_cast<C>(learning_rate),
                        .momentum = static_cast<C>(options_.momentum),
                        .fresh = static_cast<C>(1 - options_.dampening),
                        .decay = static_cast<C>(options_.weight_decay),
                        .keeps = !kept_names.empty(),
                        .first = update.step == 1,
                        .nesterov = options_.nesterov};
    });
  }

 private:
  static std::vector<std::string> names(const SGDOptions& options) {
    if (options.momentum == 0) return {};
    return {"momentum_buffer"};
  }

  SGDOptions options_;
};

std::unique_ptr<UpdateRule> checked_sgd(const SGDOptions& options) {
  require_number("SGD", "learning_rate", options.learning_rate);
  require_number("SGD", "momentum", options.momentum);
  require_number("SGD", "dampening", options.dampening);
  require_number("SGD", "weight_decay", options.weight_decay);
  if (options.nesterov && (options.momentum == 0 || options.dampening != 0)) {
    throw Error("SGD: nesterov is set with momentum " + number_text(options.momentum) +
                " and dampening " + number_text(options.dampening) +
                ": it needs a momentum above 0 and no dampening");
  }
  return std::make_unique<SgdRule>(options);
}

}  // namespace

SGD::SGD(const std::vector<Tensor>& parameters, const SGDOptions& options)
    : Optimizer(parameters, checked_sgd(options)) {}

}  // namespace foveal::optim
