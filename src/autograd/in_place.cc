// Writes in place. A tensor that was written comes from what it was and from what was written.
// Where it is a view, it is its base that has a new history; the base's other views find it there.

#include <algorithm>

#include "autograd/node.h"
#include "foveal/autograd.h"
#include "foveal/error.h"
#include "foveal/operations.h"
#include "tensor/recording.h"

namespace foveal {
namespace {

/// Where elements lie in their storage.
struct Layout {
  explicit Layout(const TensorBody& body)
      : shape(body.shape), strides(body.strides), offset(body.offset) {}

  Shape shape;
  Strides strides;
  std::int64_t offset;
};

/// Memory laid out as the base's, for gradients, and what a view shows of it.
class Laid {
 public:
  Laid(const Layout& base, DType dtype) : base_(base) {
    std::int64_t highest = 0;
    for (std::size_t axis = 0; axis < base.shape.size(); ++axis) {
      const std::int64_t span = base.strides[axis] * (base.shape[axis] - 1);
      (span < 0 ? lowest_ : highest) += span;
    }
    const bool empty = element_count(base.shape) == 0;
    memory_ = Tensor::zeros({empty ? 0 : highest - lowest_ + 1}, dtype);
  }

  Tensor base() const { return part(base_); }
  Tensor part(const Layout& layout) const {
    const std::int64_t first = layout.offset - base_.offset - lowest_;
    return TensorBuilder::view(memory_, layout.shape, layout.strides,
                               element_count(layout.shape) == 0 ? 0 : first);
  }

 private:
  Layout base_;
  std::int64_t lowest_ = 0;
  Tensor memory_;
};

/// A view shown as part of its base, wherever that came from.
class PartOfBase final : public OperationOf<PartOfBase> {
 public:
  PartOfBase(const TensorBody& base, const TensorBody& view) : base_(base), view_(view) {}

  const char* name() const override { return "a view of what was written in place"; }
  Form form(Inputs inputs) const override { return {view_.shape, inputs[0].dtype()}; }
  void compute(Inputs, Tensor&) const override {}  // the view is there
  Tensors gradient(const Recorded& call) const override {
    const Laid gradient(base_, call.grad.dtype());
    // An expanded axis stands at one place of the base: its entries add up.
    Layout once = view_;
    Tensor grad = call.grad;
    for (std::size_t axis = 0; axis < once.shape.size(); ++axis) {
      if (once.shape[axis] <= 1 || once.strides[axis] != 0) continue;
      grad = sum(grad, static_cast<std::int64_t>(axis), true);
      once.shape[axis] = 1;
    }
    gradient.part(once).copy_(grad);
    return {gradient.base()};
  }

 private:
  Layout base_, view_;
};

/// A base, a part of which an operation wrote.
class PartWritten final : public OperationOf<PartWritten> {
 public:
  PartWritten(const Operation& write, const TensorBody& base, const TensorBody& view)
      : write_(write.copy()), base_(base), view_(view) {}

  const char* name() const override { return write_->name(); }
  Form form(Inputs inputs) const override { return {base_.shape, inputs[0].dtype()}; }
  void compute(Inputs, Tensor&) const override {}  // it was written
  Saves saves(InputSet wanted) const override { return write_->saves(wanted); }
  Tensors gradient(const Recorded& call) const override {
    const Laid gradient(base_, call.grad.dtype());
    gradient.base().copy_(call.grad);
    Tensor part = gradient.part(view_);
    Recorded of_part = call;
    of_part.grad = part.clone();
    of_part.forms[0].shape = view_.shape;
    Tensors result = write_->gradient(of_part);
    result[0].defined() ? part.copy_(result[0]) : part.fill_(0);
    result[0] = gradient.base();
    return result;
  }

 private:
  std::shared_ptr<const Operation> write_;
  Layout base_, view_;
};

bool is_wanted_leaf(const std::shared_ptr<History>& history) {
  return history != nullptr && history->requires_grad && history->is_leaf();
}

}  // namespace

std::shared_ptr<const Operation> part_of_base(const Tensor& view) {
  const TensorBody& body = *TensorBuilder::body(view);
  return std::make_shared<PartOfBase>(*body.base, body);
}

void require_no_leaf(const Tensor& target, const char* function) {
  const TensorBody& body = *TensorBuilder::body(target);
  const bool is_leaf = is_wanted_leaf(body.history);
  if (!is_leaf && (body.base == nullptr || !is_wanted_leaf(body.base->history))) return;
  throw Error(std::string(function) + ": the tensor " + (is_leaf ? "is" : "is a view of") +
              " a leaf that requires a gradient, and must not change while operations are "
              "recorded: write under NoGrad, or into clone()");
}

void record_in_place(const Operation& operation, Inputs inputs, Tensor& target) {
  const std::shared_ptr<TensorBody>& body = TensorBuilder::body(target);
  const std::shared_ptr<TensorBody>& written = body->base ? body->base : body;
  Tensors all(inputs.begin(), inputs.end());
  all[0] = TensorBuilder::of(written);
  std::vector<Edge> edges;
  for (const Tensor& input : all) edges.push_back(edge_of(input));
  auto history = std::make_shared<History>(written->dtype);
  history->requires_grad = true;
  history->node = make_node(
      body->base ? std::make_shared<PartWritten>(operation, *written, *body) : operation.copy(),
      all, std::move(edges));
  history->node->output_form = {written->shape, written->dtype};
  history->node->result = history;
  if (const std::shared_ptr<History>& before = written->history) {
    history->retains_grad = before->retains_grad.load();
    const std::lock_guard lock(before->mutex);
    history->grad = before->grad;
  }
  written->history = std::move(history);
  ++written->rewritten;
}

}  // namespace foveal
