#pragma once
// foveal.input/1: what `explain` and `check` read.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "foveal/mask.h"
#include "foveal/tensor.h"
#include "trace/input/step_names.h"

namespace foveal::trace {

/// `scale` of the input: sqrt (1 / sqrt of the head size), none, or a factor.
struct Scale {
  enum class Kind { sqrt, none, factor };
  Kind kind = Kind::sqrt;
  double factor = 1;  ///< for Kind::factor
};

/// Longer masks are not written out beside numbers, in bytes.
constexpr std::size_t kLongestMask = 60;

struct DropoutSetting {
  double p = 0;
  std::uint64_t seed = 0;
};

/// `weights` of the input: how W was drawn.
struct WeightsSetting {
  enum class Init {
    rand,   ///< as SelfAttention_v1 draws: three torch.rand (d_in, d_out)
    linear  ///< as SelfAttention_v2 draws: three nn.Linear (d_in, d_out)
  };
  std::uint64_t seed = 0;
  Init init = Init::rand;
  std::int64_t d_out = 0;
  bool qkv_bias = false;  ///< each Linear of the three with a bias
  bool out_proj = false;  ///< then one more Linear (d_out, d_out), with a bias
};

struct Settings {
  std::int64_t num_heads = 1;
  Scale scale;
  /// "none", "causal", "rows" (then Input::mask_rows holds them), or an expression's text (then
  /// Input::mask is that).
  std::string mask = "none";
  std::optional<DropoutSetting> dropout;
  std::optional<WeightsSetting> weights;  ///< where W was drawn
};

/// A number as it was printed, with the decimals that were typed.
struct PrintedNumber {
  std::string text;
  double value = 0;
  int decimals = 0;
};

/// The first rows of a step as printed: [head][row][column]; one head where the step has no head
/// axis or num_heads is 1. A null cell is nullopt.
struct ExpectedStep {
  StepName name = {};
  std::vector<std::vector<std::vector<std::optional<PrintedNumber>>>> heads;
};

/// A checked input: every shape in it fits the others.
struct Input {
  std::vector<std::string> tokens;
  Tensor inputs;                   ///< float64 (L, d_in)
  Tensor W_query, W_key, W_value;  ///< float64 (d_in, d), undefined where neither given nor drawn
  Tensor b_query, b_key, b_value;  ///< float64 (d), undefined where not given
  Tensor W_out, b_out;             ///< float64, undefined where not given
  Settings settings;
  Tensor mask_rows;                    ///< bool (L, L), true = may attend
  Mask mask;                           ///< fits L queries and L keys
  std::vector<ExpectedStep> expected;  ///< in the order of steps
};

/// Reads and checks a file, or standard input where `path` is "-". Throws Error: kind file where it
/// can't be read, kind data with "FILE: /json/pointer: rule" where its content is wrong.
Input read_input(const std::string& path);
/// The same from memory; `name` stands in errors for the file. Files that the mask names are read
/// by `read_file`; without one they are an error.
Input parse_input(const std::string& text, const std::string& name,
                  const MaskFileReader& read_file = nullptr);

/// The worked example as the seed document prints it (scale none), its printed numbers in
/// `expected`.
Input worked_example();

}  // namespace foveal::trace
