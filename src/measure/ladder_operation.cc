// The rungs below the fused kernel, a head a task.

#include <cmath>
#include <memory>

#include "core/thread_pool.h"
#include "foveal/error.h"
#include "measure/inputs.h"
#include "measure/ladder/ladder.h"
#include "measure/operation.h"
#include "tensor/builder.h"

namespace foveal::measure {
namespace {

using Rung = void (*)(const Head&);

Rung rung_of(Op op) {
  if (op == Op::naive) return naive;
  return op == Op::online ? online : tiled;
}

/// The mask cell by cell, for each plane in which it differs; no plane where all is visible.
struct Cells {
  std::vector<Tensor> planes;  // bool (L_q, L_k)

  explicit Cells(const PlanData& plan) {
    const Work work = count_work(plan);
    if (work.needed_pairs == work.all_pairs) return;
    const BoundMask& mask = *plan.sequences.front().mask;
    const MaskShape& shape = mask.shape();
    const std::int64_t batch = mask.varies_by_batch() ? shape.batch : 1;
    const std::int64_t heads = mask.varies_by_head() ? shape.heads : 1;
    for (std::int64_t b = 0; b < batch; ++b) {
      for (std::int64_t h = 0; h < heads; ++h) {
        Tensor plane = Tensor::zeros({shape.query_length, shape.key_length}, DType::boolean);
        bool* const cells = plane.data<bool>();
        parallel_for(shape.query_length, [&](std::int64_t i) {
          for (std::int64_t j = 0; j < shape.key_length; ++j) {
            const std::uint64_t word = mask.word(b, h, i, j / 64 * 64);
            cells[i * shape.key_length + j] = (word >> (j % 64) & 1) != 0;
          }
        });
        planes.push_back(plane);
      }
    }
  }
};

struct Ladder {
  Plan plan;
  Tensor query, key, value, output;
  Cells cells;

  Head head(std::int64_t b, std::int64_t h) {
    const Problem& problem = plan.data().problem;
    const auto of = [&](const Tensor& tensor, std::int64_t heads, std::int64_t at) {
      return tensor.data<float>() + (b * heads + at) * tensor.size(2) * tensor.size(3);
    };
    const std::int64_t kv = problem.kv_head(h);
    return {
        of(query, problem.heads, h),
        of(key, problem.kv_heads, kv),
        of(value, problem.kv_heads, kv),
        visible(b, h),
        output.data<float>() + (b * problem.heads + h) * problem.query_length * problem.value_size,
        problem.query_length,
        problem.key_length,
        problem.head_size,
        problem.value_size,
        static_cast<float>(1 / std::sqrt(static_cast<double>(problem.head_size)))};
  }

  const bool* visible(std::int64_t b, std::int64_t h) const {
    if (cells.planes.empty()) return nullptr;
    const std::int64_t plane = plan.data().sequences.front().plane(b, h);
    return cells.planes[static_cast<std::size_t>(plane)].data<bool>();
  }

  void run(Rung rung) {
    const Problem& problem = plan.data().problem;
    parallel_for(problem.batch * problem.heads, [&](std::int64_t index) {
      rung(head(index / problem.heads, index % problem.heads));
    });
  }
};

double ladder_bytes(const Sizes& s) {
  return bytes_of(s.query(), DType::float32) + bytes_of(s.key(), DType::float32) +
         bytes_of(s.value(), DType::float32) +
         bytes_of({s.batch, s.heads, s.queries, s.value_size}, DType::float32);
}

/// The mask may differ between all heads.
double bytes_of_cells(const Sizes& s) {
  return bytes_of({s.batch, s.heads, s.queries, s.keys}, DType::boolean);
}

}  // namespace

Operation make_rung(const Request& request) {
  if (request.dtype != DType::float32) {
    throw Error(named(request) + ": the ladder computes in float32: leave --dtype out",
                ErrorKind::usage);
  }
  const Plan plan = plan_of(request, options_of(request));
  const Sizes& s = request.sizes;
  require_memory(named(request), ladder_bytes(s) + bytes_of_cells(s));
  const auto ladder = std::make_shared<Ladder>(Ladder{
      plan, random_numbers(s.query(), DType::float32, 1),
      random_numbers(s.key(), DType::float32, 2), random_numbers(s.value(), DType::float32, 3),
      Tensor::zeros(plan.data().problem.output_shape()), Cells(plan.data())});
  const Rung rung = rung_of(request.op);
  Operation operation;
  operation.run = [=](std::int64_t) { ladder->run(rung); };
  operation.verify = [=] {
    ladder->run(rung);
    return output_error(plan.data(), ladder->query, ladder->key, ladder->value, ladder->output);
  };
  const double pairs = static_cast<double>(count_work(plan.data()).needed_pairs);
  operation.flops = 2 * static_cast<double>(s.head_size + s.value_size) * pairs;
  operation.bytes = ladder_bytes(s);
  set_product_peak(operation, DType::float32);
  return operation;
}

}  // namespace foveal::measure
