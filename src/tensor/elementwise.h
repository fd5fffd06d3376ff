#pragma once
// out[i] = function(a[i], ...): all tensors have out's shape (see Tensor::expand).

#include "foveal/tensor.h"
#include "tensor/walk.h"

namespace foveal {

template <class Out, class A, class Function>
void map(Tensor& out, const Tensor& a, Function function) {
  Out* const out_data = out.data<Out>();
  const A* const a_data = a.data<A>();
  for_each_run<2>(out.shape(), {out.strides(), a.strides()}, [&](const Run<2>& run) {
    Out* to = out_data + run.starts[0];
    const A* from = a_data + run.starts[1];
    if (run.is_dense()) {
      for (std::int64_t i = 0; i < run.count; ++i) to[i] = function(from[i]);
    } else {
      const auto [to_step, from_step] = run.steps;
      for (std::int64_t i = 0; i < run.count; ++i) {
        to[i * to_step] = function(from[i * from_step]);
      }
    }
  });
}

template <class Out, class A, class B, class Function>
void map(Tensor& out, const Tensor& a, const Tensor& b, Function function) {
  Out* const out_data = out.data<Out>();
  const A* const a_data = a.data<A>();
  const B* const b_data = b.data<B>();
  const std::array<Strides, 3> strides = {out.strides(), a.strides(), b.strides()};
  for_each_run<3>(out.shape(), strides, [&](const Run<3>& run) {
    Out* to = out_data + run.starts[0];
    const A* left = a_data + run.starts[1];
    const B* right = b_data + run.starts[2];
    if (run.is_dense()) {
      for (std::int64_t i = 0; i < run.count; ++i) to[i] = function(left[i], right[i]);
    } else {
      const auto [to_step, left_step, right_step] = run.steps;
      for (std::int64_t i = 0; i < run.count; ++i) {
        to[i * to_step] = function(left[i * left_step], right[i * right_step]);
      }
    }
  });
}

}  // namespace foveal
