#pragma once
// One operation is one entry: its name, the rule for its result, what it computes, its gradient.
// All pass through apply().

#include <memory>
#include <span>
#include <vector>

#include "foveal/tensor.h"
#include "tensor/builder.h"

namespace foveal {

using Inputs = std::span<const Tensor>;
using Tensors = std::vector<Tensor>;

/// What a tensor is without its numbers.
struct Form {
  Shape shape;
  DType dtype = DType::float32;
};

/// Of which inputs the gradient is asked for, or which are kept: input n where bit n is set.
using InputSet = std::uint64_t;
inline bool holds(InputSet set, std::size_t input) {
  return input >= 64 || ((set >> input) & 1) != 0;  // beyond what a set can say: yes
}

/// What the gradient reads of a call, and is kept until it ran.
struct Saves {
  InputSet inputs = 0;
  bool output = false;
};

/// What the gradient of a call is worked out from.
struct Recorded {
  Tensor grad;              ///< of the output: its shape and dtype
  Tensors inputs;           ///< undefined where they weren't saved
  std::vector<Form> forms;  ///< of all inputs
  Tensor output;            ///< undefined where it wasn't saved
  InputSet wanted = 0;
};

/// Its arguments other than tensors are its members.
class Operation {
 public:
  Operation() = default;
  Operation(const Operation&) = default;
  Operation& operator=(const Operation&) = delete;
  virtual ~Operation() = default;

  virtual const char* name() const = 0;
  /// The result's shape and dtype. Throws Error where the inputs break a rule.
  virtual Form form(Inputs inputs) const = 0;
  /// Writes the result to `out`, of that form.
  virtual void compute(Inputs inputs, Tensor& out) const = 0;
  /// The result: memory of its own. Views, which have none, say so here.
  virtual Tensor run(Inputs inputs) const {
    const Form result = form(inputs);
    Tensor out = TensorBuilder::empty(result.shape, result.dtype);
    compute(inputs, out);
    return out;
  }

  virtual bool has_gradient() const { return true; }
  virtual Saves saves(InputSet) const { return {}; }
  /// Whether the result is a part of the first input, which run() then shows of any tensor of its
  /// shape: the gradient is added there, and gradient() isn't asked.
  virtual bool takes_part() const { return false; }
  /// One for each input; undefined where it isn't wanted, or is zero. One that has the shape that
  /// the input was broadcast to is summed by the caller. Nothing is recorded here.
  virtual Tensors gradient(const Recorded& call) const = 0;
  /// For the record of a call.
  virtual std::shared_ptr<const Operation> copy() const = 0;
};

/// copy() for each operation.
template <class Self>
class OperationOf : public Operation {
 public:
  std::shared_ptr<const Operation> copy() const override {
    return std::make_shared<Self>(static_cast<const Self&>(*this));
  }
};

/// Runs the operation, and records it where an input requires a gradient; what runs inside isn't
/// recorded again. Throws Error alone.
Tensor apply(const Operation& operation, Inputs inputs);

inline Tensor apply(const Operation& operation, std::initializer_list<Tensor> inputs) {
  return apply(operation, Inputs(inputs.begin(), inputs.size()));
}

/// The same with the result written to the first input, `target`, whose version then counts one.
void apply_in_place(const Operation& operation, Tensor& target, Inputs others);

}  // namespace foveal
