// How fast the operations of tensor/ run: GB/s of what each reads and writes, beside a plain copy.
//
//   operations_bench [FILTER] [THREADS]
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

}  // namespace

int main(int count, char** arguments) {
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
