// foveal audit as people and scripts meet it.

#include <nlohmann/json.hpp>

#include "cli/command.h"

namespace foveal {
namespace {

using nlohmann::json;

class AuditCommand : public CommandTest {};

TEST_F(AuditCommand, WritesJson) {
  const Outcome outcome = run({"audit", "--target", "portable", "--threads", "2", "--json"});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.err, "");
  const json result = json::parse(outcome.out);
  ASSERT_GE(result["rows"].size(), 40U);
  for (const json& row : result["rows"]) {
    EXPECT_EQ(row["target"], "portable");
    EXPECT_LE(row["max_error"], row["bound"]);
  }
}

TEST_F(AuditCommand, WritesTheTableToAFile) {
  const Outcome outcome = run({"audit", "--out", path("audit.txt")});
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out + outcome.err, "");
  EXPECT_NE(read(path("audit.txt")).find("bfloat16 H1 L512 D64"), std::string::npos);
}

TEST_F(AuditCommand, WrongOptionsEndWith2) {
  expect_failure({"audit", "--target", "abacus"}, 2, {"abacus", "portable"});
  expect_failure({"audit", "--threads", "0"}, 2, {"--threads"});
  expect_failure({"audit", "extra"}, 2, {"extra"});
}

}  // namespace
}  // namespace foveal
