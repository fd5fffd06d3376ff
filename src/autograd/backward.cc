#include "autograd/backward.h"

#include <algorithm>
#include <queue>
#include <string>
#include <unordered_set>

#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/elementwise.h"
#include "tensor/operation_times.h"
#include "tensor/recording.h"

namespace foveal {
namespace {

/// `grad` summed over the axes along which a tensor of `shape` was repeated.
Tensor sum_to(Tensor grad, const Shape& shape) {
  if (grad.shape() == shape) return grad;
  const std::int64_t extra = grad.rank() - static_cast<std::int64_t>(shape.size());
  if (extra > 0) {
    Shape rows = {element_count(Shape(grad.shape().begin(), grad.shape().begin() + extra))};
    rows.insert(rows.end(), grad.shape().begin() + extra, grad.shape().end());
    grad = sum(grad.reshape(rows), 0);
  }
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (shape[axis] == 1 && grad.shape()[axis] != 1) {
      grad = sum(grad, static_cast<std::int64_t>(axis), true);
    }
  }
  return grad;
}

/// Gradients that arrive one after the other.
class Arriving {
 public:
  bool empty() const { return !total_.defined(); }

  void add(const Tensor& grad) {
    if (empty()) {
      total_ = grad;
    } else if (own_) {
      add_to(total_, grad);
    } else {
      total_ = total_ + grad;
      own_ = true;
    }
  }

  /// Adds to the part of the total that part.run() shows.
  void add_part(const Operation& part, const Form& form, const Tensor& grad) {
    if (empty()) {
      total_ = Tensor::zeros(form.shape, form.dtype);
      part.run({&total_, 1}).copy_(grad);
    } else {
      if (!own_) total_ = total_.clone();
      Tensor shown = part.run({&total_, 1});
      add_to(shown, grad);
    }
    own_ = true;
  }

  Tensor take() { return std::move(total_); }

 private:
  Tensor total_;
  bool own_ = false;  // nobody else has its memory
};

/// Adds to grad(), in memory of its own.
void add_to_grad(History& history, const Tensor& grad) {
  // Module::to may have changed the dtype since the operations ran.
  if (grad.dtype() != history.dtype) return add_to_grad(history, grad.to(history.dtype));
  const std::lock_guard lock(history.mutex);
  if (history.grad.defined()) {
    // The gradient that a backward was given may be this one, or a view of it.
    add_to(history.grad, grad.shares_storage(history.grad) ? grad.clone() : grad);
    TensorBuilder::storage(history.grad).count_write();
    return;
  }
  history.grad = TensorBuilder::detached(in_own_memory(grad));  // what comes later is added there
  auto mark = std::make_shared<History>(history.dtype);
  mark->is_gradient = true;
  TensorBuilder::body(history.grad)->history = std::move(mark);
}

struct EarlierNumber {
  bool operator()(const std::shared_ptr<Node>& a, const std::shared_ptr<Node>& b) const {
    return a->number < b->number;
  }
};

class Backward {
 public:
  Backward(bool retain_graph, Wanted* wanted) : retain_graph_(retain_graph), wanted_(wanted) {
    if (wanted_ == nullptr) return;
    for (std::size_t n = 0; n < wanted_->places.size(); ++n) {
      const Edge& place = wanted_->places[n];
      if (place.node != nullptr) wanted_nodes_[place.node.get()].push_back(n);
      if (place.leaf != nullptr) wanted_leaves_[place.leaf.get()].push_back(n);
    }
  }

  void run(const std::vector<Root>& roots) {
    if (wanted_ != nullptr) find_useful(roots);
    for (const Root& root : roots) deliver(root.edge, root.grad);
    while (!waiting_.empty()) {
      const std::shared_ptr<Node> node = waiting_.top();
      waiting_.pop();
      const auto arrived = arriving_.find(node.get());
      const Tensor grad = arrived->second.take();
      arriving_.erase(arrived);
      pass(*node, grad);
    }
    for (auto& [leaf, arrived] : found_) answer(wanted_leaves_.at(leaf), arrived.take());
  }

 private:
  /// The nodes from which a wanted place can be reached: the others need not run.
  void find_useful(const std::vector<Root>& roots);
  bool is_useful(const Edge& edge) const {
    if (wanted_ == nullptr) return edge.leads_on();
    if (edge.leaf != nullptr) return wanted_leaves_.count(edge.leaf.get()) != 0;
    return edge.node != nullptr && useful_.count(edge.node.get()) != 0;
  }

  Arriving& arriving_at(const std::shared_ptr<Node>& node) {
    const auto [place, is_new] = arriving_.try_emplace(node.get());
    if (is_new) waiting_.push(node);
    return place->second;
  }

  void deliver(const Edge& edge, const Tensor& grad) {
    if (!is_useful(edge)) return;
    if (edge.node != nullptr) return arriving_at(edge.node).add(grad);
    if (wanted_ == nullptr) return add_to_grad(*edge.leaf, grad);
    found_[edge.leaf.get()].add(grad);
  }

  /// The same gradient for each place that asked.
  void answer(const std::vector<std::size_t>& places, const Tensor& grad) {
    for (const std::size_t place : places) wanted_->grads[place] = grad;
  }

  void keep(const Node& node, const Tensor& grad);
  void pass(Node& node, const Tensor& grad);
  void pass_part(const Node& node, const Tensor& grad);

  bool retain_graph_;
  Wanted* wanted_;
  std::unordered_map<const Node*, std::vector<std::size_t>> wanted_nodes_;
  std::unordered_map<const History*, std::vector<std::size_t>> wanted_leaves_;
  std::unordered_set<const Node*> useful_;
  std::unordered_map<const Node*, Arriving> arriving_;
  std::unordered_map<const History*, Arriving> found_;
  std::priority_queue<std::shared_ptr<Node>, std::vector<std::shared_ptr<Node>>, EarlierNumber>
      waiting_;
};

void Backward::find_useful(const std::vector<Root>& roots) {
  // Nodes in the order of their numbers: inputs come before what was made from them.
  std::vector<const Node*> nodes;
  std::unordered_set<const Node*> seen;
  const auto visit = [&](const Edge& edge) {
    if (edge.node != nullptr && seen.insert(edge.node.get()).second) {
      nodes.push_back(edge.node.get());
    }
  };
  for (const Root& root : roots) visit(root.edge);
  for (std::size_t n = 0; n < nodes.size(); ++n) {
    for (const Edge& edge : nodes[n]->edges) visit(edge);
  }
  std::sort(nodes.begin(), nodes.end(),
            [](const Node* a, const Node* b) { return a->number < b->number; });
  for (const Node* const node : nodes) {
    const bool leads = std::any_of(node->edges.begin(), node->edges.end(),
                                   [this](const Edge& edge) { return is_useful(edge); });
    if (leads || wanted_nodes_.count(node) != 0) useful_.insert(node);
  }
}

/// For whoever asked for the gradient of what the node made.
void Backward::keep(const Node& node, const Tensor& grad) {
  if (wanted_ != nullptr) {
    const auto places = wanted_nodes_.find(&node);
    if (places != wanted_nodes_.end()) answer(places->second, grad);
    return;
  }
  const std::shared_ptr<History> result = node.result.lock();
  if (result != nullptr && result->retains_grad) add_to_grad(*result, grad.clone());
}

/// node.mutex is held.
void require_unspent(const Node& node) {
  if (!node.spent) return;
  throw Error(
      std::string("backward: what was recorded of ") + node.operation->name() +
      " was let go of by an earlier backward: give that one retain_graph = true, or run the "
      "operations again");
}

void require_unchanged(const Node& node, const Saved& saved, const std::string& what) {
  if (!saved.tensor.defined() || saved.tensor.version() == saved.version) return;
  throw Error(std::string("backward: ") + node.operation->name() + " needs its " + what +
              " of shape " + to_string(saved.tensor.shape()) + " as it was at version " +
              std::to_string(saved.version) + ", but it was written in place since, and is at " +
              std::to_string(saved.tensor.version()) + ": write into clone()");
}

Recorded recorded(const Node& node, const Tensor& grad) {
  const std::lock_guard lock(node.mutex);
  require_unspent(node);
  Recorded call{grad, {}, node.forms, node.output.tensor, node.wanted};
  for (std::size_t n = 0; n < node.inputs.size(); ++n) {
    require_unchanged(node, node.inputs[n], "input " + std::to_string(n));
    call.inputs.push_back(node.inputs[n].tensor);
  }
  require_unchanged(node, node.output, "output");
  return call;
}

void let_go(Node& node) {
  const std::lock_guard lock(node.mutex);
  node.spent = true;
  node.inputs.clear();
  node.output = Saved();
}

void Backward::pass_part(const Node& node, const Tensor& grad) {
  {
    const std::lock_guard lock(node.mutex);
    require_unspent(node);
  }
  const Edge& edge = node.edges[0];
  if (edge.node != nullptr) {
    arriving_at(edge.node).add_part(*node.operation, node.forms[0], grad);
  } else {
    Arriving whole;
    whole.add_part(*node.operation, node.forms[0], grad);
    deliver(edge, whole.take());
  }
}

void Backward::pass(Node& node, const Tensor& grad) {
  const TimedOperation timed(node.operation->name());
  keep(node, grad);
  const bool leads = std::any_of(node.edges.begin(), node.edges.end(),
                                 [this](const Edge& edge) { return is_useful(edge); });
  if (!leads) return;
  if (node.operation->takes_part()) {
    pass_part(node, grad);
  } else {
    Tensors grads = node.operation->gradient(recorded(node, grad));
    for (std::size_t n = 0; n < node.edges.size(); ++n) {
      if (!is_useful(node.edges[n])) continue;
      const Form& form = node.forms[n];
      deliver(node.edges[n], grads[n].defined() ? sum_to(std::move(grads[n]), form.shape)
                                                : Tensor::zeros(form.shape, form.dtype));
      grads[n] = Tensor();
    }
  }
  if (!retain_graph_) let_go(node);
}

}  // namespace

Tensor in_own_memory(const Tensor& grad) {
  const std::shared_ptr<TensorBody>& body = TensorBuilder::body(grad);
  const bool alone = body.use_count() == 1 && body->storage.use_count() == 1;
  return alone && grad.is_contiguous() ? grad : grad.clone();
}

void run_backward(const std::vector<Root>& roots, bool retain_graph, Wanted* wanted) {
  const Unrecorded inside;
  Backward(retain_graph, wanted).run(roots);
}

}  // namespace foveal
