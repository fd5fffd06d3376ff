#include "nn/checks.h"

#include "foveal/error.h"

namespace foveal::nn {
namespace {

void check_axes(const std::string& layer, const Tensor& x, const std::string& axes,
                std::int64_t rank, std::int64_t d_in) {
  if (x.defined() && x.rank() == rank && x.size(-1) == d_in) return;
  throw Error(layer + ": x " +
              (x.defined() ? "has shape " + to_string(x.shape()) : "is undefined") +
              ": it must be " + axes + " with d_in = " + std::to_string(d_in));
}

}  // namespace

void check_at_least_one(const std::string& layer, const std::string& name, std::int64_t size) {
  if (size >= 1) return;
  throw Error(layer + ": " + name + " is " + std::to_string(size) + ": it must be 1 or more");
}

void check_tokens(const std::string& layer, const Tensor& x, std::int64_t d_in) {
  check_axes(layer, x, "(L, d_in)", 2, d_in);
}

void check_batch(const std::string& layer, const Tensor& x, std::int64_t d_in,
                 std::int64_t context_length) {
  check_axes(layer, x, "(B, L, d_in)", 3, d_in);
  if (x.size(1) <= context_length) return;
  throw Error(layer + ": x has shape " + to_string(x.shape()) +
              ": L (axis 1) must be at most the " + "context_length " +
              std::to_string(context_length) + "; cut x or make the module longer");
}

}  // namespace foveal::nn
