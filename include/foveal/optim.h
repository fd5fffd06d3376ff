#pragma once
// Optimisers with PyTorch's names, semantics and defaults (torch.optim, one tensor after the
// other):
//
//   optim::AdamW optimizer(model.parameters(), {.learning_rate = 1e-3});
//   loss.backward(); optimizer.step(); optimizer.zero_grad();
//
// A step is one pass over each parameter, on all threads where it is large; it writes in place,
// records nothing and counts in version(). A parameter without a gradient is left alone. float32
// and float64 are worked on in their own type; 16-bit parameters in float32, rounded once, and what
// is kept for them is float32 (PyTorch rounds each operation, and keeps 16 bits). The bits don't
// depend on the number of threads.

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "foveal/state_dict.h"

namespace foveal::optim {
class UpdateRule;  // what an optimiser does to one parameter
}

#pragma GCC visibility push(default)
namespace foveal::optim {

/// A list of leaves that are trained. Not safe for use from several threads at once.
class Optimizer {
 public:
  Optimizer(const Optimizer&) = delete;
  Optimizer& operator=(const Optimizer&) = delete;
  virtual ~Optimizer();

  /// Moves each parameter that has a gradient.
  void step();
  /// Of all parameters: grad() is undefined until the next backward.
  void zero_grad();

  double learning_rate() const;
  /// For the steps to come, so that a schedule can be followed; finite, 0 or more.
  void set_learning_rate(double learning_rate);

  /// What is kept for the parameters that were moved, by their place in the list: "0.step" (int64),
  /// "0.exp_avg", "0.exp_avg_sq", or "0.momentum_buffer". Shares memory with the optimiser's, which
  /// the next step changes. Options are not part of it.
  StateDict state_dict() const;
  /// Copies values in, converted. A parameter has all of its entries or none, and then starts anew.
  /// Missing, unexpected and wrongly shaped entries are one error that lists them all; then nothing
  /// is changed.
  void load_state_dict(const StateDict& tensors);

 protected:
  /// Throws Error where there is no parameter, or one is undefined, read-only, given twice, no leaf
  /// or requires no gradient.
  Optimizer(const std::vector<Tensor>& parameters, std::unique_ptr<UpdateRule> rule);

 private:
  struct Slot {
    Tensor parameter = {};
    std::int64_t steps = 0;
    std::vector<Tensor> kept = {};  ///< as the rule names them; empty until the first step
  };

  void prepare(Slot& slot) const;

  std::vector<Slot> slots_;
  std::unique_ptr<UpdateRule> rule_;
};

/// Numbers are finite and 0 or more; nesterov needs a momentum and no dampening.
struct SGDOptions {
  double learning_rate = 1e-3;
  double momentum = 0;
  double dampening = 0;
  double weight_decay = 0;  ///< times the parameter, added to its gradient
  bool nesterov = false;
};

/// p -= learning_rate * b, where b is the gradient, or with a momentum
/// b = momentum * b + (1 - dampening) * gradient, which is the gradient at the first step; with
/// nesterov p -= learning_rate * (gradient + momentum * b).
class SGD : public Optimizer {
 public:
  explicit SGD(const std::vector<Tensor>& parameters, const SGDOptions& options = {});
};

/// Numbers are finite and 0 or more, betas below 1.
struct AdamOptions {
  double learning_rate = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0;  ///< times the parameter, added to its gradient
};

/// p -= learning_rate * m / (1 - b1^n) / (sqrt(v / (1 - b2^n)) + eps), with the running means m of
/// the gradient and v of its square, and n the parameter's own count of steps (Kingma and Ba,
/// 2015).
class Adam : public Optimizer {
 public:
  explicit Adam(const std::vector<Tensor>& parameters, const AdamOptions& options = {});
};

/// As AdamOptions.
struct AdamWOptions {
  double learning_rate = 1e-3;
  std::pair<double, double> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;  ///< p *= 1 - learning_rate * weight_decay, apart from the gradient
};

/// Adam with the decay apart from the gradient (Loshchilov and Hutter, 2019).
class AdamW : public Optimizer {
 public:
  explicit AdamW(const std::vector<Tensor>& parameters, const AdamWOptions& options = {});
};

/// The norm of all gradients together, as one long vector, in float64 inside; where it is above
/// `max_norm` (0 or more) they are scaled in place by max_norm / (norm + 1e-6). As in PyTorch an
/// infinite norm makes finite gradients 0 and infinite ones NaN, and a norm of NaN makes all NaN:
/// look at what is returned. Parameters without a gradient don't count; 0 where none has one.
double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm);

}  // namespace foveal::optim
#pragma GCC visibility pop
