// What an audit measures, and where it calls a row wrong.

#include "measure/audit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "case_count.h"
#include "draw/terminal.h"
#include "foveal/plan.h"
#include "kernels/targets/registry.h"
#include "measure/inputs.h"
#include "measure/naive_row.h"

namespace foveal::measure {
namespace {

using Json = nlohmann::ordered_json;

/// Where few cases are wanted, one: the command's tests audit the best.
std::vector<const Target*> audited_targets() {
  std::vector<const Target*> targets = usable_targets();
  if (case_count(100) < 300) targets.resize(1);
  return targets;
}

TEST(Audit, EveryTargetIsWithinItsBound) {
  for (const Target* target : audited_targets()) {
    std::size_t begun = 0;
    const std::vector<AuditRow> rows =
        run_audit(target->name, [&](std::size_t index, std::size_t count) {
          EXPECT_EQ(index, begun++);
          EXPECT_EQ(count, audit_cases().size());
        });
    EXPECT_TRUE(holds(rows)) << audit_text(rows);
    for (const AuditRow& row : rows) {
      EXPECT_EQ(row.target, target->name);
      EXPECT_GE(row.max_error, row.rms_error);
      EXPECT_GE(row.naive_max_error, row.naive_rms_error);
      EXPECT_GT(row.max_error, 0);
    }
  }
}

TEST(Audit, ARowAboveItsBoundIsWrong) {
  AuditRow row;
  row.bound = 1;
  row.max_error = 1;
  EXPECT_TRUE(holds({row}));
  row.max_error = 1.0001;
  EXPECT_FALSE(holds({AuditRow(), row}));
  row.max_error = NAN;
  EXPECT_FALSE(holds({row}));
  EXPECT_NE(audit_text({row}).find("ABOVE"), std::string::npos);
}

TEST(Audit, TheNaiveRowInFloat64IsExact) {
  const Shape query{1, 1, 20, 5}, key{1, 1, 30, 5}, value{1, 1, 30, 3};
  const Tensor q = random_numbers(query, DType::float64, 1);
  const Tensor k = random_numbers(key, DType::float64, 2);
  const Tensor v = random_numbers(value, DType::float64, 3);
  AttentionOptions options;
  options.mask = window(4, -1) & !prefix(2);
  const Plan plan = plan_attention(query, key, value, DType::float64, options);
  const ExactHead exact(plan.data(), q, k, v, 0, 0);
  const NaiveHead<double> naive{q.data<double>(), k.data<double>(), v.data<double>(), 30, 5, 3,
                                DType::float64};
  for (std::int64_t i = 0; i < 20; ++i) {
    const std::vector<double> want = exact.row(i).output, got = naive_row(naive, exact, i, true);
    for (std::size_t d = 0; d < 3; ++d) EXPECT_NEAR(got[d], want[d], 1e-14);
  }
}

TEST(Audit, NumbersAreStoredInTheirDtype) {
  EXPECT_EQ(stored(1.004f, DType::bfloat16), 1.0078125f);
  EXPECT_EQ(stored(1.0002f, DType::float16), 1.0f);
  EXPECT_EQ(stored(1.0002f, DType::float32), 1.0002f);
  EXPECT_EQ(stored(1.0002, DType::float64), 1.0002);
}

TEST(Audit, JsonHasItsKeysInOrderAndTheTableFits) {
  AuditRow row;
  row.sizes = parse_sizes(Op::forward, "B128,H128,KV64,Lq131072,Lk262144,D128,Dv256");
  row.dtype = DType::bfloat16;
  row.mask = parse_mask("document([0,0,1,1]) | window(100, 0)");
  row.target = "avx512_bf16";
  row.max_error = row.bound = 1e-12;
  const Json json = Json::parse(audit_json({row, row}));
  EXPECT_EQ(json["schema"], "foveal.audit/1");
  ASSERT_EQ(json["rows"].size(), 2U);
  std::vector<std::string> names;
  for (const auto& [name, value] : json["rows"][1].items()) names.push_back(name);
  EXPECT_EQ(names,
            (std::vector<std::string>{"shape", "dtype", "mask", "target", "max_error", "rms_error",
                                      "naive_max_error", "naive_rms_error", "bound"}));
  const std::string text = audit_text({row});
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    EXPECT_LE(draw::terminal::width(text.substr(at, end - at)), 80) << text;
    at = end + 1;
  }
}

}  // namespace
}  // namespace foveal::measure
