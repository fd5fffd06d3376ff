// What decides about the target: a call's options, then set_target, then the environment.

#include "foveal/target.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "foveal/error.h"
#include "kernels/targets/registry.h"

namespace foveal {
namespace {

TEST(Target, NamesAreThoseOfTheUsableOnes) {
  const std::vector<std::string> names = targets();
  ASSERT_EQ(names.size(), usable_targets().size());
  EXPECT_EQ(names.front(), "portable");
  for (const std::string& name : names) EXPECT_EQ(find_target(name).name, name);
}

TEST(Target, ANameIsSetAndTakenBack) {
  const std::string before = find_target("").name;
  for (const std::string& name : targets()) {
    set_target(name);
    EXPECT_EQ(find_target("").name, name);
    EXPECT_STREQ(find_target("portable").name, "portable");
  }
  set_target("");
  EXPECT_EQ(find_target("").name, before);
}

TEST(Target, AnUnknownNameIsAnErrorAndChangesNothing) {
  set_target("portable");
  try {
    set_target("abacus");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    for (const std::string& name : targets()) {
      EXPECT_NE(std::string(error.what()).find(name), std::string::npos) << error.what();
    }
  }
  EXPECT_STREQ(find_target("").name, "portable");
  set_target("");
}

TEST(Target, TheEnvironmentIsReadOnce) {
  const std::string before = find_target("").name;
  const char* const variable = std::getenv("FOVEAL_TARGET");
  const std::string was = variable == nullptr ? "" : variable;
  setenv("FOVEAL_TARGET", "abacus", 1);
  EXPECT_EQ(find_target("").name, before);
  if (variable == nullptr) {
    unsetenv("FOVEAL_TARGET");
  } else {
    setenv("FOVEAL_TARGET", was.c_str(), 1);
  }
}

}  // namespace
}  // namespace foveal
