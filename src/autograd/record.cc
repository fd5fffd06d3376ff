// Filling the record, and letting go of it.

#include <memory>
#include <utility>

#include "autograd/node.h"
#include "tensor/recording.h"

namespace foveal {
namespace {

std::atomic<std::uint64_t> next_number{1};

bool is_behind(const TensorBody& body) {
  return body.base != nullptr && body.base_rewritten != body.base->rewritten;
}

bool wants_gradient(const std::shared_ptr<History>& history) {
  return history != nullptr && history->requires_grad;
}

/// Frees a node that no handle is left of, and those that it alone held, one after the other: a
/// chain of 200,000 would overflow the stack if each freed the next.
void free_node(Node* node) {
  static thread_local Node* waiting = nullptr;
  static thread_local bool freeing = false;
  node->next_to_go = std::exchange(waiting, node);
  if (freeing) return;
  freeing = true;
  while (waiting != nullptr) {
    const std::unique_ptr<Node> first(waiting);
    waiting = first->next_to_go;
  }
  freeing = false;
}

}  // namespace

bool is_recorded(const Tensor& tensor) {
  if (!recording()) return false;
  const TensorBody& body = *TensorBuilder::body(tensor);
  return wants_gradient(is_behind(body) ? body.base->history : body.history);
}

bool is_recorded_write(const Tensor& target) {
  if (!recording()) return false;
  const TensorBody& body = *TensorBuilder::body(target);
  return wants_gradient(body.history) ||
         (body.base != nullptr && wants_gradient(body.base->history));
}

Edge edge_of(const Tensor& tensor) {
  if (!tensor.defined()) return {};
  const TensorBody& body = *TensorBuilder::body(tensor);
  if (is_behind(body)) {
    if (!wants_gradient(body.base->history)) return {};
    const Tensor base = TensorBuilder::of(body.base);
    return {make_node(part_of_base(tensor), {&base, 1}, {edge_of(base)}), nullptr};
  }
  if (!wants_gradient(body.history)) return {};
  if (body.history->is_leaf()) return {nullptr, body.history};
  return {body.history->node, nullptr};
}

std::shared_ptr<Node> make_node(std::shared_ptr<const Operation> operation, Inputs inputs,
                                std::vector<Edge> edges) {
  const std::shared_ptr<Node> node(new Node, free_node);
  node->operation = std::move(operation);
  node->edges = std::move(edges);
  for (std::size_t n = 0; n < inputs.size(); ++n) {
    node->forms.push_back({inputs[n].shape(), inputs[n].dtype()});
    if (n < 64 && node->edges[n].leads_on()) node->wanted |= InputSet{1} << n;
  }
  const Saves saves = node->operation->saves(node->wanted);
  node->inputs.resize(inputs.size());
  for (std::size_t n = 0; n < inputs.size() && n < 64; ++n) {
    if (((saves.inputs >> n) & 1) != 0) node->inputs[n] = Saved(inputs[n]);
  }
  node->number = next_number.fetch_add(1, std::memory_order_relaxed);
  return node;
}

void record(const Operation& operation, Inputs inputs, Tensor& output) {
  if (!is_floating(output.dtype())) return;
  std::vector<Edge> edges;
  edges.reserve(inputs.size());
  for (const Tensor& input : inputs) edges.push_back(edge_of(input));
  const std::shared_ptr<Node> node = make_node(operation.copy(), inputs, std::move(edges));
  node->output_form = {output.shape(), output.dtype()};
  if (operation.saves(node->wanted).output) node->output = Saved(output);
  auto history = std::make_shared<History>(output.dtype());
  history->requires_grad = true;
  history->node = node;
  node->result = history;
  TensorBuilder::body(output)->history = std::move(history);
}

}  // namespace foveal
