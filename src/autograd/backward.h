#pragma once
// The walk through the record.

#include <unordered_map>
#include <vector>

#include "autograd/node.h"

namespace foveal {

/// A tensor whose gradient is given: where a backward starts.
struct Root {
  Edge edge;
  Tensor grad;
};

/// What a backward is to find, if not grad() of all leaves: places[n] in `grads`.
struct Wanted {
  std::vector<Edge> places;
  Tensors grads;
};

/// From the roots to the leaves, the latest operation first. Gradients of leaves are added to their
/// grad(), or, where `wanted` isn't null, to its grads alone. Throws Error where a saved tensor was
/// changed, or the record was let go of.
void run_backward(const std::vector<Root>& roots, bool retain_graph, Wanted* wanted);

/// `grad`, or a copy where its memory is someone else's too, by this handle or another, or not
/// dense.
Tensor in_own_memory(const Tensor& grad);

}  // namespace foveal
