#pragma once
// Elementwise operations of one or two tensors, with broadcasting: each is an entry with its loops.

#include <array>
#include <optional>

#include "tensor/loops.h"
#include "tensor/operation.h"

namespace foveal {

/// The dtypes that an operation takes.
enum class Takes { anything, numbers, floating };

struct ElementwiseEntry {
  const char* name;
  std::size_t inputs;  ///< 1 or 2, named a and b in errors
  Takes takes;
  Loops loops;
  bool gives_bool = false;  ///< else the inputs' dtype
  /// Null where there is no gradient.
  Tensors (*gradient)(const Recorded& call) = nullptr;
  Saves (*saves)(InputSet wanted) = [](InputSet) { return Saves{}; };
};

class Elementwise final : public OperationOf<Elementwise> {
 public:
  explicit Elementwise(const ElementwiseEntry& entry) : entry_(entry) {}
  /// With a number in the place of input `place`, in the other input's dtype.
  Elementwise(const ElementwiseEntry& entry, double number, std::size_t place)
      : entry_(entry), number_(number), place_(place) {}

  const char* name() const override { return entry_.name; }
  Form form(Inputs inputs) const override;
  void compute(Inputs inputs, Tensor& out) const override;
  bool has_gradient() const override { return entry_.gradient != nullptr; }
  Saves saves(InputSet wanted) const override;
  Tensors gradient(const Recorded& call) const override;

 private:
  const char* name_of(std::size_t input) const;

  const ElementwiseEntry& entry_;
  std::optional<double> number_;
  std::size_t place_ = 0;
};

/// Adds `a`, of the same shape and dtype, to `sum`, which nobody else looks at.
void add_to(Tensor& sum, const Tensor& a);

}  // namespace foveal
