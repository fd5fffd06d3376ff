// No golden case is left out: each has a test of its name, and each such test has its case. (That a
// test looks at every value of its case, the fixture sees to.)

#include "golden/golden.h"

namespace foveal {
namespace {

std::set<std::string> case_ids() {
  std::set<std::string> ids;
  for (const json& test_case : golden_cases()) ids.insert(test_case.at("id"));
  return ids;
}

std::set<std::string> tests_of_fixture() {
  std::set<std::string> names;
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    if (suite.name() != std::string("Golden")) continue;
    for (int j = 0; j < suite.total_test_count(); ++j) names.insert(suite.GetTestInfo(j)->name());
  }
  return names;
}

TEST(GoldenCoverage, EveryCaseHasItsTest) {
  EXPECT_EQ(case_ids().size(), 41u);
  EXPECT_EQ(golden_cases().size(), 41u);
  EXPECT_EQ(tests_of_fixture(), case_ids());
}

}  // namespace
}  // namespace foveal
