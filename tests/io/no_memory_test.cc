// Each allocation of a reader or writer fails in turn: what leaves it is an Error.

#include <gtest/gtest.h>

#include <filesystem>

#include "fail_each.h"
#include "foveal/npy.h"
#include "foveal/operations.h"
#include "foveal/safetensors.h"

namespace foveal {
namespace {

TEST(NoMemory, LeavesReadersAndWritersAsAnError) {
  const Tensor a = Tensor::ones({3, 50});
  const std::string folder = std::filesystem::temp_directory_path() / "foveal_no_memory";
  std::filesystem::create_directories(folder);
  const std::string npy = folder + "/a.npy", tensors = folder + "/a.safetensors";
  const std::map<std::string, std::string> metadata = {{"format", "pt"}};
  const StateDict state = {{"a", a}, {"b", gt(a, 0.5)}};
  EXPECT_GT(fail_each([&] { save_npy(npy, a); }), 0);
  EXPECT_GT(fail_each([&] { load_npy(npy); }), 0);
  EXPECT_GT(fail_each([&] { save_safetensors(tensors, state, metadata); }), 0);
  EXPECT_GT(fail_each([&] { load_safetensors(tensors); }), 0);
  EXPECT_TRUE(equal(load_npy(npy), a));
  EXPECT_EQ(load_safetensors(tensors).tensors.size(), 2U);
  std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace foveal
