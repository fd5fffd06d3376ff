#pragma once
// out[i] = function(a[i], ...): all tensors have out's shape (see Tensor::expand). Loops have steps
// of 1 and 0 where they can, so that the compiler makes vectors of them, and run on all threads.

#include "foveal/tensor.h"
#include "tensor/builder.h"
#include "tensor/chunks.h"
#include "tensor/copy.h"
#include "tensor/runs.h"

namespace foveal {

/// On elements as they are, half types as their bits (Raw).
template <class Out, class A, class Function>
void map(Tensor& out, const Tensor& given, Function function) {
  const Tensor a = laid_out_like(out, given);
  Raw<Out>* const out_data = raw(TensorBuilder::written<Out>(out));
  const Raw<A>* const a_data = raw(a.data<A>());
  for_runs<2>(out.shape(), {out.strides(), a.strides()}, [=](const Run<2>& run) {
    Raw<Out>* const to = out_data + run.starts[0];
    const Raw<A>* const from = a_data + run.starts[1];
    const auto [to_step, from_step] = run.steps;
    if (to_step == 1 && from_step == 1) {
      for (std::int64_t i = 0; i < run.count; ++i) to[i] = function(from[i]);
    } else {
      for (std::int64_t i = 0; i < run.count; ++i) {
        to[i * to_step] = function(from[i * from_step]);
      }
    }
  });
}

template <class Out, class A, class B, class Function>
void map(Tensor& out, const Tensor& given_a, const Tensor& given_b, Function function) {
  const Tensor a = laid_out_like(out, given_a), b = laid_out_like(out, given_b);
  Raw<Out>* const out_data = raw(TensorBuilder::written<Out>(out));
  const Raw<A>* const a_data = raw(a.data<A>());
  const Raw<B>* const b_data = raw(b.data<B>());
  const std::array<Strides, 3> strides = {out.strides(), a.strides(), b.strides()};
  for_runs<3>(out.shape(), strides, [=](const Run<3>& run) {
    Raw<Out>* const to = out_data + run.starts[0];
    const Raw<A>* const left = a_data + run.starts[1];
    const Raw<B>* const right = b_data + run.starts[2];
    const auto [to_step, left_step, right_step] = run.steps;
    if (run.is_dense()) {
      for (std::int64_t i = 0; i < run.count; ++i) to[i] = function(left[i], right[i]);
    } else if (to_step == 1 && left_step == 1 && right_step == 0) {
      const Raw<B> value = *right;
      for (std::int64_t i = 0; i < run.count; ++i) to[i] = function(left[i], value);
    } else if (to_step == 1 && left_step == 0 && right_step == 1) {
      const Raw<A> value = *left;
      for (std::int64_t i = 0; i < run.count; ++i) to[i] = function(value, right[i]);
    } else {
      for (std::int64_t i = 0; i < run.count; ++i) {
        to[i * to_step] = function(left[i * left_step], right[i * right_step]);
      }
    }
  });
}

/// function(numbers, count, results) for chunks, in the types that operations compute in (Compute).
template <class Out, class A, class Function>
void map_chunks(Tensor& out, const Tensor& given, Function function) {
  const Tensor a = laid_out_like(out, given);
  Out* const out_data = TensorBuilder::written<Out>(out);
  const A* const a_data = a.data<A>();
  const Reader<A> reader;
  const Writer<Out> writer;
  for_runs<2>(out.shape(), {out.strides(), a.strides()}, [=](const Run<2>& run) {
    alignas(64) Compute<A> room[kChunk];
    alignas(64) Compute<Out> results[kChunk];
    const auto [to_step, from_step] = run.steps;
    for (std::int64_t done = 0; done < run.count; done += kChunk) {
      const std::int64_t count = std::min(kChunk, run.count - done);
      const A* const from = a_data + run.starts[1] + done * from_step;
      function(reader.read(from, from_step, count, room), count, results);
      writer.write(results, count, out_data + run.starts[0] + done * to_step, to_step);
    }
  });
}

/// On numbers in the types that operations compute in.
template <class Out, class A, class Function>
void map_numbers(Tensor& out, const Tensor& a, Function function) {
  if constexpr (!is_half<Out> && !is_half<A>) {
    map<Out, A>(out, a, function);
  } else {
    map_chunks<Out, A>(out, a,
                       [function](const Compute<A>* from, std::int64_t count, Compute<Out>* to) {
                         for (std::int64_t i = 0; i < count; ++i) to[i] = function(from[i]);
                       });
  }
}

template <class Out, class T, class Function>
void map_numbers(Tensor& out, const Tensor& given_a, const Tensor& given_b, Function function) {
  if constexpr (!is_half<Out> && !is_half<T>) {
    return map<Out, T, T>(out, given_a, given_b, function);
  }
  const Tensor a = laid_out_like(out, given_a), b = laid_out_like(out, given_b);
  Out* const out_data = TensorBuilder::written<Out>(out);
  const T* const a_data = a.data<T>();
  const T* const b_data = b.data<T>();
  const Reader<T> reader;
  const Writer<Out> writer;
  const std::array<Strides, 3> strides = {out.strides(), a.strides(), b.strides()};
  for_runs<3>(out.shape(), strides, [=](const Run<3>& run) {
    alignas(64) Compute<T> left_room[kChunk], right_room[kChunk];
    alignas(64) Compute<Out> results[kChunk];
    const auto [to_step, left_step, right_step] = run.steps;
    for (std::int64_t done = 0; done < run.count; done += kChunk) {
      const std::int64_t count = std::min(kChunk, run.count - done);
      const T* const from_a = a_data + run.starts[1] + done * left_step;
      const T* const from_b = b_data + run.starts[2] + done * right_step;
      const Compute<T>* const left = reader.read(from_a, left_step, count, left_room);
      const Compute<T>* const right = reader.read(from_b, right_step, count, right_room);
      for (std::int64_t i = 0; i < count; ++i) results[i] = function(left[i], right[i]);
      writer.write(results, count, out_data + run.starts[0] + done * to_step, to_step);
    }
  });
}

}  // namespace foveal
