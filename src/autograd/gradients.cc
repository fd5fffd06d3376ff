// The doors: Tensor's members, gradients(), NoGrad.

#include <string>

#include "autograd/backward.h"
#include "core/door.h"
#include "foveal/autograd.h"
#include "foveal/error.h"
#include "tensor/check.h"
#include "tensor/recording.h"

namespace foveal {
namespace {

/// The tensor's own history, made where there is none.
History& history_of(const Tensor& tensor) {
  std::shared_ptr<History>& history = TensorBuilder::body(tensor)->history;
  if (history == nullptr) history = std::make_shared<History>(tensor.dtype());
  return *history;
}

const History* own_history(const Tensor& tensor) {
  return TensorBuilder::body(tensor)->history.get();
}

std::string made_by(const Edge& edge) {
  return edge.node == nullptr ? "nothing" : edge.node->operation->name();
}

void require_gradient(const Tensor& tensor, const char* function, const std::string& argument) {
  if (tensor.requires_grad()) return;
  const History* const history = own_history(tensor);
  const std::string message = std::string(function) + ": " + argument;
  if (history != nullptr && history->is_gradient) {
    throw Error(message +
                " is a gradient, of which nothing is recorded: second derivatives are "
                "not there");
  }
  throw Error(message +
              " requires no gradient: none of the tensors that it was made from has "
              "requires_grad_(), or it was made under NoGrad or by an operation without "
              "a gradient");
}

/// Where the tensor's own history says where its gradient goes.
Edge own_edge(const Tensor& tensor, const char* function, const std::string& argument) {
  require_gradient(tensor, function, argument);
  Edge edge = edge_of(tensor);
  const History* const history = own_history(tensor);
  if (edge.leaf == nullptr && (history == nullptr || history->node != edge.node)) {
    throw Error(std::string(function) + ": " + argument +
                " is a view of a tensor that was written in place after the view was made: make "
                "the view again");
  }
  return edge;
}

/// What the tensor's gradient starts from.
Tensor first_gradient(const Tensor& tensor, const Tensor& gradient, const char* function,
                      const std::string& argument) {
  if (gradient.defined()) {
    if (gradient.shape() == tensor.shape() && gradient.dtype() == tensor.dtype()) return gradient;
    throw Error(std::string(function) + ": gradient has shape " + to_string(gradient.shape()) +
                " and dtype " + to_string(gradient.dtype()) + " but the tensor has shape " +
                to_string(tensor.shape()) + " and dtype " + to_string(tensor.dtype()) +
                ": they must be the same");
  }
  if (tensor.element_count() == 1) return Tensor::ones(tensor.shape(), tensor.dtype());
  throw Error(std::string(function) + ": " + argument + " has shape " + to_string(tensor.shape()) +
              ": it must have one element; take its sum(...) or mean(...), or give backward a "
              "gradient of that shape");
}

}  // namespace

void convert_grad(const Tensor& tensor) {
  History* const history = TensorBuilder::body(tensor)->history.get();
  if (history == nullptr) return;
  const std::lock_guard lock(history->mutex);
  history->dtype = tensor.dtype();
  if (!history->grad.defined()) return;
  TensorBuilder::replace(history->grad, history->grad.to(history->dtype));
  convert_grad(history->grad);
}

Tensor& Tensor::requires_grad_(bool on) try {
  require_defined(*this, "requires_grad_");
  if (!is_floating(dtype())) {
    throw Error("requires_grad_: the tensor has dtype " + to_string(dtype()) +
                ": only floating tensors have gradients; convert it with to(float32)");
  }
  const Edge edge = edge_of(*this);
  if (edge.node != nullptr) {
    if (on) return *this;
    throw Error("requires_grad_: the tensor was made by " + made_by(edge) +
                ": only a leaf can be told not to require a gradient; use detach()");
  }
  history_of(*this).requires_grad = on;
  // Views of a leaf look at it, not at the tensor whose memory it has.
  if (on) body_->base = nullptr;
  return *this;
} catch (...) {
  rethrow_as_error("requires_grad_");
}

bool Tensor::requires_grad() const try {
  require_defined(*this, "requires_grad");
  return edge_of(*this).leads_on();
} catch (...) {
  rethrow_as_error("requires_grad");
}

bool Tensor::is_leaf() const try {
  require_defined(*this, "is_leaf");
  return edge_of(*this).node == nullptr;
} catch (...) {
  rethrow_as_error("is_leaf");
}

Tensor Tensor::grad() const {
  require_defined(*this, "grad");
  History* const history = body_->history.get();
  if (history == nullptr) return {};
  const std::lock_guard lock(history->mutex);
  return history->grad;
}

void Tensor::zero_grad() {
  require_defined(*this, "zero_grad");
  History* const history = body_->history.get();
  if (history == nullptr) return;
  const std::lock_guard lock(history->mutex);
  history->grad = Tensor();
}

void Tensor::retain_grad() try {
  require_defined(*this, "retain_grad");
  own_edge(*this, "retain_grad", "the tensor");
  history_of(*this).retains_grad = true;
} catch (...) {
  rethrow_as_error("retain_grad");
}

Tensor Tensor::detach() const try {
  require_defined(*this, "detach");
  return TensorBuilder::detached(*this);
} catch (...) {
  rethrow_as_error("detach");
}

void Tensor::backward(const Tensor& gradient, bool retain_graph) const try {
  require_defined(*this, "backward");
  require_gradient(*this, "backward", "the tensor");
  const Tensor start = first_gradient(*this, gradient, "backward", "the tensor");
  run_backward({{edge_of(*this), start.detach()}}, retain_graph, nullptr);
} catch (...) {
  rethrow_as_error("backward");
}

std::vector<Tensor> gradients(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                              bool retain_graph) try {
  std::vector<Root> roots;
  for (std::size_t n = 0; n < outputs.size(); ++n) {
    const std::string argument = "outputs[" + std::to_string(n) + "]";
    require_defined(outputs[n], "gradients", argument.c_str());
    require_gradient(outputs[n], "gradients", argument);
    roots.push_back(
        {edge_of(outputs[n]), first_gradient(outputs[n], Tensor(), "gradients", argument)});
  }
  Wanted wanted;
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    const std::string argument = "inputs[" + std::to_string(n) + "]";
    require_defined(inputs[n], "gradients", argument.c_str());
    wanted.places.push_back(own_edge(inputs[n], "gradients", argument));
  }
  wanted.grads.resize(inputs.size());
  run_backward(roots, retain_graph, &wanted);
  for (Tensor& grad : wanted.grads) {
    if (!grad.defined()) continue;
    grad = TensorBuilder::detached(in_own_memory(grad));
    history_of(grad).is_gradient = true;
  }
  return wanted.grads;
} catch (...) {
  rethrow_as_error("gradients");
}

NoGrad::NoGrad() : before_(recording()) { recording() = false; }
NoGrad::~NoGrad() { recording() = before_; }

}  // namespace foveal
