// Each rung of the ladder against the reference, over generated shapes.

#include "measure/ladder/ladder.h"

#include <cmath>

#include "attention/cases.h"
#include "case_count.h"
#include "foveal/operations.h"
#include "foveal/reference.h"

namespace foveal::measure {
namespace {

using Rung = void (*)(const Head&);

Tensor run(Rung rung, const Tensor& query, const Tensor& key, const Tensor& value,
           const Tensor& visible) {
  Tensor output = Tensor::full({query.size(0), value.size(1)}, 7);
  rung({query.data<float>(), key.data<float>(), value.data<float>(),
        visible.defined() ? visible.data<bool>() : nullptr, output.data<float>(), query.size(0),
        key.size(0), query.size(1), value.size(1),
        static_cast<float>(1 / std::sqrt(static_cast<double>(query.size(1))))});
  return output;
}

/// Rows without a key are NaN in the reference and 0 here.
Tensor expected(const Tensor& query, const Tensor& key, const Tensor& value,
                const Tensor& visible) {
  reference::Options options;
  options.mask = visible;
  Tensor context = reference::attention(query.to(DType::float64), key.to(DType::float64),
                                        value.to(DType::float64), options)
                       .context;
  for (std::int64_t i = 0; i < context.size(0); ++i) {
    if (std::isnan(context.at({i, 0}))) context.select(0, i).fill_(0);
  }
  return context;
}

void check_rung(Rung rung, const char* name) {
  for (unsigned seed = 0; seed < case_count(20); ++seed) {
    Cases cases(seed);
    const std::int64_t queries = cases.pick({1, 3, 63, 64, 65, 130}),
                       keys = cases.pick({1, 2, 5, 63, 64, 65, 66, 131}),
                       d = cases.pick({1, 3, 16, 80}), dv = cases.pick({1, 5, 64});
    SCOPED_TRACE(std::string(name) + " seed " + std::to_string(seed));
    const Tensor query = cases.normal({queries, d}, cases.chance(20) ? 20 : 1).to(DType::float32);
    const Tensor key = cases.normal({keys, d}).to(DType::float32);
    const Tensor value = cases.normal({keys, dv}).to(DType::float32);
    Tensor visible;
    if (cases.chance(50)) visible = gt(cases.normal({queries, keys}), cases.chance(30) ? 1.5 : 0.0);
    const double scores = largest(matmul(query, key.transpose(0, 1))) / std::sqrt(d);
    expect_close(run(rung, query, key, value, visible), expected(query, key, value, visible),
                 1e-6 * (16 + scores) * largest(value), "output");
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(Ladder, NaiveEqualsTheReference) { check_rung(naive, "naive"); }
TEST(Ladder, OnlineEqualsTheReference) { check_rung(online, "online"); }
TEST(Ladder, TiledEqualsTheReference) { check_rung(tiled, "tiled"); }

}  // namespace
}  // namespace foveal::measure
