// How fast the operations of tensor/ run: GB/s of what each reads and writes, beside a plain copy.
//
//   operations_bench [FILTER] [THREADS]
//   operations_bench cases [FILTER] [THREADS]   each operation of tests/operation_cases.h, forward
//                                               and forward with backward, in ms
//
// The median of several rounds. With one thread, the default, its processor time; else wall time.

#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <vector>

#include "foveal/foveal.h"
#include "operation_cases.h"

namespace {

using foveal::DType;
using foveal::Tensor;

std::string filter;

double now() {
  timespec time{};
  clock_gettime(foveal::num_threads() == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds(const std::function<void()>& work) {
  const double start = now();
  work();
  return now() - start;
}

std::int64_t bytes(const Tensor& tensor) {
  return tensor.element_count() * static_cast<std::int64_t>(foveal::size_of(tensor.dtype()));
}

/// `read`: bytes that the work must read; what it writes is the size of its result.
void measure(const std::string& name, std::int64_t read, const std::function<Tensor()>& work) {
  if (name.find(filter) == std::string::npos) return;
  const double moved = static_cast<double>(read + bytes(work()));
  std::vector<double> times;
  double total = 0;
  while (times.size() < 5 || (total < 0.3 && times.size() < 200)) {
    times.push_back(seconds([&] { work(); }));
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  std::printf("%-44s %9.3f ms %8.1f GB/s\n", name.c_str(), times[times.size() / 2] * 1e3,
              moved / times[times.size() / 2] * 1e-9);
  std::fflush(stdout);
}

void measure_reductions(const std::string& of, const Tensor& a) {
  measure("softmax(-1)" + of, bytes(a), [&] { return softmax(a, -1); });
  measure("softmax(-2)" + of, bytes(a), [&] { return softmax(a, -2); });
  measure("sum()" + of, bytes(a), [&] { return sum(a); });
  measure("sum(-1)" + of, bytes(a), [&] { return sum(a, -1); });
  measure("sum(-2)" + of, bytes(a), [&] { return sum(a, -2); });
  measure("max(-1)" + of, bytes(a), [&] { return max(a, -1); });
  measure("max(-2)" + of, bytes(a), [&] { return max(a, -2); });
}

void measure_elementwise(const std::string& of, const Tensor& a) {
  const Tensor b = a + 1.0, row = b.select(0, 0).contiguous(), turned = a.transpose(-1, -2);
  const Tensor column = sum(a, -1, true), flags = gt(a, 0.0), mask = flags.select(0, 0);
  measure("a + b" + of, 2 * bytes(a), [&] { return a + b; });
  measure("a / b" + of, 2 * bytes(a), [&] { return a / b; });
  measure("a * 2" + of, bytes(a), [&] { return a * 2.0; });
  measure("a + row" + of, bytes(a), [&] { return a + row; });
  measure("a / column" + of, bytes(a), [&] { return a / column; });
  measure("a^T + b^T" + of, 2 * bytes(a), [&] { return turned + b.transpose(-1, -2); });
  measure("-a" + of, bytes(a), [&] { return -a; });
  measure("exp" + of, bytes(a), [&] { return exp(a); });
  measure("gt(b)" + of, 2 * bytes(a), [&] { return gt(a, b); });
  measure("gt(0)" + of, bytes(a), [&] { return gt(a, 0.0); });
  measure("masked_fill" + of, bytes(a) + bytes(flags), [&] { return masked_fill(a, flags, 0); });
  measure("masked_fill (broadcast)" + of, bytes(a), [&] { return masked_fill(a, mask, 0); });
  measure("triu" + of, bytes(a), [&] { return triu(a); });
  measure("equal" + of, 2 * bytes(a), [&] { return Tensor::full({}, equal(a, a)); });
  measure("allclose" + of, 2 * bytes(a), [&] { return Tensor::full({}, allclose(a, a)); });
}

void measure_copies(const std::string& of, const Tensor& a) {
  measure("clone" + of, bytes(a), [&] { return a.clone(); });
  measure("transpose(-1, -2)" + of, bytes(a), [&] { return a.transpose(-1, -2).clone(); });
  if (a.rank() == 4) {
    measure("transpose(1, 2)" + of, bytes(a), [&] { return a.transpose(1, 2).clone(); });
  }
  measure("cat(0)" + of, 2 * bytes(a), [&] { return foveal::cat({a, a}, 0); });
  measure("cat(-1)" + of, 2 * bytes(a), [&] { return foveal::cat({a, a}, -1); });
  measure("stack(-1)" + of, 2 * bytes(a), [&] { return foveal::stack({a, a}, -1); });
  measure("full" + of, 0, [&] { return Tensor::full(a.shape(), 3, a.dtype()); });
  measure("zeros" + of, 0, [&] { return Tensor::zeros(a.shape(), a.dtype()); });
  Tensor to_fill = a.clone();
  measure("fill_" + of, 0, [&] { return to_fill.fill_(2); });
  for (const DType to : {DType::float32, DType::float64, DType::bfloat16, DType::float16,
                         DType::int64, DType::boolean}) {
    if (to == a.dtype()) continue;
    measure("to " + foveal::to_string(to) + of, bytes(a), [&] { return a.to(to); });
  }
}

void measure_products(DType dtype, foveal::Generator& generator) {
  const std::string of = " 8192x768x768 " + foveal::to_string(dtype);
  const Tensor x = foveal::randn({8192, 768}, generator).to(dtype);
  const Tensor weight = foveal::randn({768, 768}, generator).to(dtype);
  measure("linear" + of, bytes(x) + bytes(weight), [&] { return linear(x, weight); });
  measure("matmul" + of, bytes(x) + bytes(weight), [&] { return matmul(x, weight); });
}

double median(const std::function<void()>& work) {
  work();
  std::vector<double> times;
  double total = 0;
  while (times.size() < 5 || (total < 0.1 && times.size() < 200)) {
    times.push_back(seconds(work));
    total += times.back();
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

/// What the case list asks for, float32.
Tensor input_for(const foveal::operation_cases::Input& input, foveal::Generator& generator) {
  using foveal::operation_cases::Holds;
  if (input.holds == Holds::flags) return gt(randn(input.shape, generator), 0.0);
  if (input.holds == Holds::small_ids) return randint(0, 3, input.shape, generator);
  const Tensor numbers = randn(input.shape, generator);
  return input.holds == Holds::positive ? abs(numbers) + 0.5 : numbers;
}

void measure_cases() {
  foveal::Generator generator(1);
  std::printf("%-32s %10s %10s\n", "16 x 256 x 256 (x 64), float32", "forward", "+ backward");
  for (const auto& operation : foveal::operation_cases::all()) {
    if (operation.name.find(filter) == std::string::npos) continue;
    std::vector<Tensor> inputs, leaves;
    for (const auto& input : operation.inputs(16, 256, 256, 64)) {
      inputs.push_back(input_for(input, generator));
      leaves.push_back(inputs.back().detach());
      if (is_floating(leaves.back().dtype())) leaves.back().requires_grad_();
    }
    const double forward = median([&] { operation.run(inputs); });
    std::printf("%-32s %7.3f ms", operation.name.c_str(), forward * 1e3);
    if (operation.has_gradient) {
      const double both = median([&] {
        for (Tensor& leaf : leaves) leaf.zero_grad();
        const Tensor result = operation.run(leaves);
        result.backward(Tensor::ones(result.shape()));
      });
      std::printf(" %7.3f ms", both * 1e3);
    }
    std::printf("\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count > 1 && std::string(arguments[1]) == "cases") {
    if (count > 2) filter = arguments[2];
    foveal::set_num_threads(count > 3 ? std::atoi(arguments[3]) : 1);
    measure_cases();
    return 0;
  }
  if (count > 1) filter = arguments[1];
  foveal::set_num_threads(count > 2 ? std::atoi(arguments[2]) : 1);
  foveal::Generator generator(1);
  for (const foveal::Shape& shape : {foveal::Shape{8, 12, 1024, 64}, foveal::Shape{1024, 1024}}) {
    for (const DType dtype : {DType::float32, DType::float64, DType::bfloat16, DType::float16}) {
      const Tensor a = foveal::randn(shape, generator).to(dtype);
      const std::string of = " " + foveal::to_string(shape) + " " + foveal::to_string(dtype);
      measure_copies(of, a);
      measure_elementwise(of, a);
      measure_reductions(of, a);
    }
  }
  const Tensor table = foveal::randn({50257, 768}, generator);
  const Tensor ids = foveal::randint(0, 50257, {8, 1024}, generator);
  measure("embedding (50257, 768), ids (8, 1024)", 8192 * 768 * 4,
          [&] { return embedding(table, ids); });
  for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16}) {
    measure_products(dtype, generator);
  }
}
