#pragma once
// The record: histories of tensors, and nodes for operations.

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include "tensor/operation.h"

namespace foveal {

struct Node;

/// Of a tensor: what TensorBody::history points to.
struct History {
  explicit History(DType tensor_dtype) : dtype(tensor_dtype) {}

  DType dtype;  ///< the tensor's, so that of grad
  bool requires_grad = false;
  /// The operation that made the tensor; null for a leaf.
  std::shared_ptr<Node> node;
  /// Result of a backward, which has no history of its own: for the error that says so.
  bool is_gradient = false;

  bool is_leaf() const { return node == nullptr; }

  std::atomic<bool> retains_grad{false};
  std::mutex mutex;  // of grad: several threads may run backward
  Tensor grad;
};

/// Where a gradient goes: to the operation that made the input, or to a leaf; or nowhere.
struct Edge {
  std::shared_ptr<Node> node;
  std::shared_ptr<History> leaf;

  bool leads_on() const { return node != nullptr || leaf != nullptr; }
};

/// A tensor that the gradient will read, and its version when it was recorded.
struct Saved {
  Saved() = default;
  explicit Saved(const Tensor& given)
      : tensor(TensorBuilder::detached(given)), version(tensor.version()) {}

  Tensor tensor;
  std::uint64_t version = 0;
};

/// One recorded operation.
struct Node {
  Node() = default;
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  std::shared_ptr<const Operation> operation;
  std::uint64_t number = 0;  ///< larger than that of any operation that its inputs came from
  Form output_form;
  std::vector<Form> forms;  ///< of the inputs
  std::vector<Edge> edges;  ///< one for each input
  InputSet wanted = 0;
  std::vector<Saved> inputs;
  Saved output;
  std::weak_ptr<History> result;  ///< where retain_grad() may ask
  bool spent = false;             ///< a backward went through, and let go of what was saved
  mutable std::mutex mutex;       ///< of what is saved: several threads may run backward
  Node* next_to_go = nullptr;     ///< while it is freed
};

/// Where the gradient of `tensor` goes: its history, or its base's where the base was written to
/// since the view was made.
Edge edge_of(const Tensor& tensor);

/// A node for `operation` on `inputs`, whose edges are given.
std::shared_ptr<Node> make_node(std::shared_ptr<const Operation> operation, Inputs inputs,
                                std::vector<Edge> edges);

/// The operation that shows `view`'s elements of its base, wherever they lie now.
std::shared_ptr<const Operation> part_of_base(const Tensor& view);

}  // namespace foveal
