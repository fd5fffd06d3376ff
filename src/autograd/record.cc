// Filling the record, and letting go of it.

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

}  // namespace

// One after the other: a chain of 200,000 would overflow the stack if each let go of the next.
Node::~Node() {
  std::shared_ptr<Node> list = std::move(next_to_go);
  const auto take = [&list](std::vector<Edge>& edges) {
    for (Edge& edge : edges) {
      if (edge.node == nullptr) continue;
      if (edge.node.use_count() > 1) {
        edge.node.reset();  // at once: the next edge may be the last one to the same node
        continue;
      }
      edge.node->next_to_go = std::move(list);
      list = std::move(edge.node);
    }
    edges.clear();
  };
  take(edges);
  while (list != nullptr) {
    const std::shared_ptr<Node> node = std::move(list);
    list = std::move(node->next_to_go);
    take(node->edges);
  }
}

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
  auto node = std::make_shared<Node>();
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
