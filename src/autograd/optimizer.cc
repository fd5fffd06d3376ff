// What all optimisers share: the list of parameters, a step through it, and its state.

#include <algorithm>
#include <cmath>
#include <set>

#include "autograd/update_rule.h"
#include "core/door.h"
#include "core/number_text.h"
#include "foveal/autograd.h"
#include "tensor/check.h"

namespace foveal::optim {
namespace {

void require_trainable(const std::vector<Tensor>& parameters, std::size_t n,
                       const char* optimiser) {
  const Tensor& parameter = parameters[n];
  const std::string argument = "parameters[" + std::to_string(n) + "]";
  require_defined(parameter, optimiser, argument.c_str());
  const std::string message = std::string(optimiser) + ": " + argument;
  if (!parameter.requires_grad()) {
    throw Error(message +
                " requires no gradient: an optimiser moves tensors by their gradients; call "
                "requires_grad_() on it, or leave it out");
  }
  if (!parameter.is_leaf()) {
    throw Error(message +
                " was made by an operation: only a leaf can be trained; give the tensors that it "
                "was made from");
  }
  require_writable(parameter, message.c_str());
  for (std::size_t before = 0; before < n; ++before) {
    if (TensorBuilder::body(parameters[before]) != TensorBuilder::body(parameter)) continue;
    throw Error(message + " is the same tensor as parameters[" + std::to_string(before) +
                "]: one step would move it twice; give it once");
  }
}

/// What a parameter's numbers are computed in, and so what is kept for them.
DType computed_in(const Tensor& parameter) {
  return parameter.dtype() == DType::float64 ? DType::float64 : DType::float32;
}

bool is_count(const Tensor& tensor) {
  const double value = tensor.item();
  return value >= 0 && value <= 0x1p53 && value == std::floor(value);
}

/// What keeps `given` from being an entry, or nothing.
std::string complaint(const std::string& name, const Tensor* given, const Shape& shape) {
  if (given == nullptr) return name + " is missing";
  if (!given->defined()) return name + " is an undefined tensor";
  if (given->shape() == shape) return "";
  return name + " has shape " + to_string(given->shape()) + " where it must be " + to_string(shape);
}

/// Reads the entries of a state dictionary, and remembers what is wrong with it.
class StateReader {
 public:
  explicit StateReader(const StateDict& tensors) : tensors_(tensors) {}

  bool has(const std::string& name) const { return find(tensors_, name) != nullptr; }

  Tensor values(const std::string& name, const Tensor& parameter) {
    const Tensor* const given = entry(name, parameter.shape());
    if (given == nullptr) return {};
    if (is_floating(given->dtype())) return given->to(computed_in(parameter)).contiguous().clone();
    problems_.push_back(name + " has dtype " + to_string(given->dtype()) +
                        " where it must be a floating one");
    return {};
  }

  std::int64_t count(const std::string& name) {
    const Tensor* const given = entry(name, {});
    if (given == nullptr) return 0;
    if (is_count(*given)) return static_cast<std::int64_t>(given->item());
    problems_.push_back(name + " is " + number_text(given->item()) +
                        " where it must be a whole number, 0 or more");
    return 0;
  }

  /// Throws Error that lists all that was wrong.
  void finish(const char* optimiser) {
    std::set<std::string> seen;
    for (const auto& [name, tensor] : tensors_) {
      if (!seen.insert(name).second) problems_.push_back(name + " is given twice");
      if (known_.count(name) == 0) problems_.push_back(name + " is unexpected");
    }
    if (problems_.empty()) return;
    std::string message = std::string(optimiser) +
                          "::load_state_dict: names and shapes must be those of state_dict() for "
                          "these parameters, but ";
    for (std::size_t n = 0; n < problems_.size(); ++n) {
      message += (n == 0 ? "" : "; ") + problems_[n];
    }
    throw Error(message);
  }

 private:
  /// Null where it doesn't fit.
  const Tensor* entry(const std::string& name, const Shape& shape) {
    known_.insert(name);
    const Tensor* const given = find(tensors_, name);
    const std::string problem = complaint(name, given, shape);
    if (problem.empty()) return given;
    problems_.push_back(problem);
    return nullptr;
  }

  const StateDict& tensors_;
  std::set<std::string> known_;
  std::vector<std::string> problems_;
};

std::string entry_name(std::size_t n, const std::string& kept) {
  return std::to_string(n) + "." + kept;
}

}  // namespace

void require_number(const char* optimiser, const char* option, double value) {
  if (value >= 0 && std::isfinite(value)) return;
  throw Error(std::string(optimiser) + ": " + option + " is " + number_text(value) +
              ": it must be a finite number, 0 or more");
}

Optimizer::Optimizer(const std::vector<Tensor>& parameters, std::unique_ptr<UpdateRule> rule)
    : rule_(std::move(rule)) {
  if (parameters.empty()) {
    throw Error(std::string(rule_->optimiser) +
                ": parameters is empty: there is nothing to train; give model.parameters()");
  }
  for (std::size_t n = 0; n < parameters.size(); ++n) {
    require_trainable(parameters, n, rule_->optimiser);
    slots_.push_back({.parameter = parameters[n]});
  }
}

Optimizer::~Optimizer() = default;

double Optimizer::learning_rate() const { return rule_->learning_rate; }

void Optimizer::set_learning_rate(double learning_rate) {
  require_number(rule_->optimiser, "learning_rate", learning_rate);
  rule_->learning_rate = learning_rate;
}

void Optimizer::zero_grad() {
  for (Slot& slot : slots_) slot.parameter.zero_grad();
}

/// What is kept is there, and of the type that Module::to has given the parameter since.
void Optimizer::prepare(Slot& slot) const {
  const DType dtype = computed_in(slot.parameter);
  std::vector<Tensor> kept;
  kept.reserve(rule_->kept_names.size());
  for (std::size_t n = 0; n < rule_->kept_names.size(); ++n) {
    kept.push_back(slot.kept.empty() ? Tensor::zeros(slot.parameter.shape(), dtype)
                                     : slot.kept[n].to(dtype));
  }
  slot.kept = std::move(kept);
}

void Optimizer::step() try {
  const NoGrad off;
  // What may fail comes first, so that a step is made for all parameters or for none.
  std::vector<Tensor> gradients, numbers;
  for (Slot& slot : slots_) {
    const Tensor gradient = slot.parameter.grad();
    gradients.push_back(gradient.defined() ? gradient.to(slot.parameter.dtype()).contiguous()
                                           : Tensor());
    numbers.push_back(gradient.defined() ? slot.parameter.contiguous() : Tensor());
    if (gradient.defined()) {
      require_writable(slot.parameter, rule_->optimiser);
      prepare(slot);
    }
  }
  for (std::size_t n = 0; n < slots_.size(); ++n) {
    if (!gradients[n].defined()) continue;
    Slot& slot = slots_[n];
    rule_->apply({numbers[n], gradients[n], slot.kept, ++slot.steps});
    if (!numbers[n].shares_storage(slot.parameter)) slot.parameter.copy_(numbers[n]);
  }
} catch (...) {
  rethrow_as_error("Optimizer::step");
}

StateDict Optimizer::state_dict() const {
  StateDict result;
  for (std::size_t n = 0; n < slots_.size(); ++n) {
    const Slot& slot = slots_[n];
    if (slot.steps == 0) continue;
    if (rule_->shows_steps) {
      result.emplace_back(entry_name(n, "step"),
                          Tensor::from_vector<std::int64_t>({slot.steps}, {}));
    }
    for (std::size_t kept = 0; kept < slot.kept.size(); ++kept) {
      result.emplace_back(entry_name(n, rule_->kept_names[kept]), slot.kept[kept].detach());
    }
  }
  return result;
}

void Optimizer::load_state_dict(const StateDict& tensors) try {
  StateReader reader(tensors);
  std::vector<Slot> slots;
  for (std::size_t n = 0; n < slots_.size(); ++n) {
    Slot slot{.parameter = slots_[n].parameter};
    std::vector<std::string> names = rule_->kept_names;
    if (rule_->shows_steps) names.emplace_back("step");
    const bool there = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return reader.has(entry_name(n, name));
    });
    if (there) {
      slot.steps = rule_->shows_steps ? reader.count(entry_name(n, "step")) : 1;
      for (const std::string& name : rule_->kept_names) {
        slot.kept.push_back(reader.values(entry_name(n, name), slot.parameter));
      }
    }
    slots.push_back(std::move(slot));
  }
  reader.finish(rule_->optimiser);
  slots_ = std::move(slots);
} catch (...) {
  rethrow_as_error("Optimizer::load_state_dict");
}

}  // namespace foveal::optim
