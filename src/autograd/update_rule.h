#pragma once
// What an optimiser does to one parameter, in one pass over its memory.

#include <array>
#include <string>
#include <vector>

#include "foveal/optim.h"
#include "tensor/builder.h"
#include "tensor/chunks.h"
#include "tensor/parallel.h"
#include "tensor/visit.h"

namespace foveal::optim {

/// A parameter, its gradient of the same dtype, and what is kept for each of its numbers, in the
/// type that is computed in; all dense and row-major.
struct Update {
  Tensor& parameter;
  const Tensor& gradient;
  std::vector<Tensor>& kept;
  std::int64_t step;  ///< 1 at the first
};

class UpdateRule {
 public:
  UpdateRule(const char* name, double rate, std::vector<std::string> kept, bool counts)
      : optimiser(name), learning_rate(rate), kept_names(std::move(kept)), shows_steps(counts) {}
  UpdateRule(const UpdateRule&) = delete;
  UpdateRule& operator=(const UpdateRule&) = delete;
  virtual ~UpdateRule() = default;

  virtual void apply(const Update& update) const = 0;

  const char* const optimiser;
  double learning_rate;
  const std::vector<std::string> kept_names;  ///< PyTorch's
  const bool shows_steps;                     ///< whether state_dict has "step"
};

/// Throws Error unless the number is finite and 0 or more.
void require_number(const char* optimiser, const char* option, double value);

constexpr std::size_t kMostKept = 2;
template <class C>
using Kept = std::array<C*, kMostKept>;

/// loop(parameter, gradient, kept, count) on numbers of the type C that is computed in.
template <class T, class Loop>
void run_pass(const Update& update, const Loop& loop) {
  using C = Compute<T>;
  T* const parameter = TensorBuilder::written<T>(update.parameter);
  const T* const gradient = update.gradient.data<T>();
  Kept<C> kept{};
  for (std::size_t n = 0; n < update.kept.size(); ++n) {
    kept[n] = TensorBuilder::written<C>(update.kept[n]);
  }
  const Reader<T> reader;
  const Writer<T> writer;
  for_ranges(update.parameter.element_count(), 4, [&](std::int64_t first, std::int64_t last) {
    std::array<C, kChunk> numbers, gradients;  // used by the half types alone
    for (std::int64_t at = first; at < last; at += kChunk) {
      const std::int64_t count = std::min(kChunk, last - at);
      Kept<C> here = kept;
      for (std::size_t n = 0; n < update.kept.size(); ++n) here[n] += at;
      if constexpr (is_half<T>) {
        reader.read(parameter + at, 1, count, numbers.data());
        reader.read(gradient + at, 1, count, gradients.data());
        loop(numbers.data(), gradients.data(), here, count);
        writer.write(numbers.data(), count, parameter + at, 1);
      } else {
        loop(parameter + at, gradient + at, here, count);
      }
    }
  });
}

/// make(zero) gives the loop for numbers of zero's type.
template <class Make>
void run_update(const Update& update, const Make& make) {
  visit_floating(update.parameter.dtype(), [&](auto zero) {
    run_pass<decltype(zero)>(update, make(Compute<decltype(zero)>{}));
  });
  TensorBuilder::storage(update.parameter).count_write();
}

}  // namespace foveal::optim
