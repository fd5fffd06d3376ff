#include "measure/audit.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/thread_pool.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"
#include "measure/inputs.h"
#include "measure/naive_row.h"

namespace foveal::measure {
namespace {

AuditRow audit_case(const std::string& sizes, const Mask& mask) {
  AuditRow row;
  row.sizes = parse_sizes(Op::forward, sizes);
  row.mask = mask;
  return row;
}

/// What is gathered over the rows of a case.
struct Errors {
  Error64 ours, naive, naive_of_bound;
  double largest_score = 0;
};

/// All rows of one head; T is what a plain implementation computes in.
template <class T>
void add_head(Errors& errors, const PlanData& plan, const Tensor& query, const Tensor& key,
              const Tensor& value, const Tensor& output, std::int64_t b, std::int64_t h) {
  const Problem& problem = plan.problem;
  const std::int64_t kv = problem.kv_head(h);
  const auto plain = [](const Tensor& tensor, std::int64_t batch, std::int64_t head) {
    return tensor.select(0, batch).select(0, head).to(dtype_of<T>()).contiguous();
  };
  const ExactHead exact(plan, query, key, value, b, h);
  const Tensor q = plain(query, b, h), k = plain(key, b, kv), v = plain(value, b, kv);
  const Tensor got = exact_copy(output, b, h);
  const NaiveHead<T> naive{q.data<T>(),       k.data<T>(),        v.data<T>(),  problem.key_length,
                           problem.head_size, problem.value_size, problem.dtype};
  for (std::int64_t i = 0; i < problem.query_length; ++i) {
    const ExactHead::Row row = exact.row(i);
    const std::vector<T> each_stage = naive_row(naive, exact, i, true);
    const std::vector<T> ends = naive_row(naive, exact, i, false);
    errors.largest_score = std::max(errors.largest_score, row.largest_score);
    for (std::size_t d = 0; d < row.output.size(); ++d) {
      errors.ours.add(got.at({i, static_cast<std::int64_t>(d)}), row.output[d]);
      errors.naive.add(static_cast<double>(each_stage[d]), row.output[d]);
      errors.naive_of_bound.add(static_cast<double>(ends[d]), row.output[d]);
    }
  }
}

double largest_of(const Tensor& tensor) {
  double largest = 0;
  for (const double number : tensor.to_vector()) largest = std::max(largest, std::fabs(number));
  return largest;
}

/// notation.md: twice the naive path's error, plus (4 ulp + 2 ulp * max |S|) * max |V|.
double bound_of(const Errors& errors, double largest_value, DType dtype) {
  const double ulp = dtype == DType::float64 ? 0x1p-52 : 0x1p-23;
  return 2 * errors.naive_of_bound.error + (4 + 2 * errors.largest_score) * ulp * largest_value;
}

void audit(AuditRow& row) {
  const Sizes& s = row.sizes;
  AttentionOptions options;
  options.mask = row.mask;
  options.target = row.target;
  const Plan plan = plan_attention(s.query(), s.key(), s.value(), row.dtype, options);
  const Tensor query = random_numbers(s.query(), row.dtype, 1);
  const Tensor key = random_numbers(s.key(), row.dtype, 2);
  const Tensor value = random_numbers(s.value(), row.dtype, 3);
  const Tensor output = plan.run(query, key, value).output;
  std::vector<Errors> heads(static_cast<std::size_t>(s.batch * s.heads));
  parallel_for(s.batch * s.heads, [&](std::int64_t index) {
    const std::int64_t b = index / s.heads, h = index % s.heads;
    Errors& errors = heads[static_cast<std::size_t>(index)];
    if (row.dtype == DType::float64) {
      add_head<double>(errors, plan.data(), query, key, value, output, b, h);
    } else {
      add_head<float>(errors, plan.data(), query, key, value, output, b, h);
    }
  });
  Errors all;
  for (const Errors& head : heads) {
    all.ours.add(head.ours);
    all.naive.add(head.naive);
    all.naive_of_bound.add(head.naive_of_bound);
    all.largest_score = std::max(all.largest_score, head.largest_score);
  }
  row.max_error = all.ours.error;
  row.rms_error = all.ours.rms();
  row.naive_max_error = all.naive.error;
  row.naive_rms_error = all.naive.rms();
  row.bound = bound_of(all, largest_of(value), row.dtype);
}

}  // namespace

std::vector<AuditRow> audit_cases() {
  const std::vector<AuditRow> shapes = {
      audit_case("B2,H4,KV2,Lq128,D64", none()),
      audit_case("B2,H4,KV2,Lq128,D64", padding({128, 77})),
      audit_case("H1,Lq512,D64", causal()),
      audit_case("H2,Lq200,D128", none()),
      audit_case("H2,Lq200,D128", window(100, 0) | prefix(4)),
      audit_case("H2,Lq257,D80", causal()),
      audit_case("H2,Lq257,D80,Dv40", none()),
      audit_case("H2,Lq100,Lk300,D64", causal(Corner::bottom_right)),
      audit_case("H8,KV2,Lq1,Lk3000,D128", none()),
      audit_case("H8,KV2,Lq2,Lk3000,D64", window(2500, 0)),
      audit_case("H4,Lq16,D64", none()),
      audit_case("H2,Lq65,D1", causal()),
  };
  std::vector<AuditRow> cases;
  for (const DType dtype : {DType::float32, DType::bfloat16, DType::float16, DType::float64}) {
    for (AuditRow row : shapes) {
      row.dtype = dtype;
      cases.push_back(row);
    }
  }
  return cases;
}

std::vector<AuditRow> run_audit(const std::string& target, const AuditBegins& begins) {
  std::vector<AuditRow> rows = audit_cases();
  for (std::size_t n = 0; n < rows.size(); ++n) {
    begins(n, rows.size());
    rows[n].target = find_target(target).name;
    audit(rows[n]);
  }
  return rows;
}

bool holds(const std::vector<AuditRow>& rows) {
  return std::all_of(rows.begin(), rows.end(), [](const AuditRow& row) { return row.holds(); });
}

}  // namespace foveal::measure
