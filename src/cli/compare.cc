// foveal compare: the nine multi-head variants, agreement first, then what each costs.

#include <fmt/format.h>

#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/run_options.h"
#include "foveal/nn/variants.h"
#include "measure/compare/compare.h"

namespace foveal::cli {
namespace {

struct CompareOptions {
  measure::CompareSettings settings;
  std::string dtype = "float32", theme = "light";
  std::vector<std::string> variants;
  std::optional<std::string> with, out;
  RunOptions run;
  bool json = false, svg = false, png = false, html = false;
};

std::string default_python() {
  const char* const named = std::getenv("FOVEAL_PYTHON");
  return named != nullptr && *named != '\0' ? named : "python3";
}

measure::CompareSettings settings_of(const CompareOptions& options) {
  measure::CompareSettings settings = options.settings;
  settings.dtype = parse_dtype(options.dtype);
  settings.variants = options.variants.empty() ? nn::variants::names() : options.variants;
  settings.with_torch = options.with.has_value();
  if (settings.compile && !settings.with_torch) {
    throw Error("--compile is of PyTorch's rows: say --with torch", ErrorKind::usage);
  }
  if (settings.python.empty()) settings.python = default_python();
  if (options.json + options.svg + options.png + options.html > 1) {
    throw Error("--json, --svg, --png and --html: give one of them", ErrorKind::usage);
  }
  return settings;
}

std::string shown(const measure::Comparison& comparison, const CompareOptions& options) {
  const bool dark = options.theme == "dark";
  if (options.json) return measure::compare_json(comparison);
  if (options.svg) return measure::compare_svg(comparison, dark);
  if (options.png) return png_of(measure::compare_svg(comparison, dark));
  if (options.html) return measure::compare_html(comparison);
  return measure::compare_text(comparison, !options.out && colour_on_stdout());
}

/// What is done, and how long the rest takes at the pace so far.
std::string with_time_left(const std::string& what, double done, double seconds) {
  if (done < 0.05 || seconds < 1) return what;
  return fmt::format("{}, about {:.0f} s left", what, std::ceil(seconds * (1 - done) / done));
}

/// A folder that isn't there is told before anything takes long.
void require_folder(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code none;  // what can't be looked at isn't there
  if (folder.empty() || std::filesystem::is_directory(folder, none)) return;
  throw Error(path + ": there is no folder '" + folder.string() + "': make it first",
              ErrorKind::file);
}

void compare(const CompareOptions& options, int* status) {
  const measure::CompareSettings settings = settings_of(options);
  if (options.out) require_folder(*options.out);
  apply(options.run);
  measure::Comparison result;
  {
    Progress progress("comparing");
    const double start = measure::now();
    result = measure::run_compare(settings, [&](const std::string& what, double done) {
      progress.set(with_time_left(what, done, measure::now() - start));
    });
  }
  write_result(shown(result, options), options.out);
  if (!result.agrees) *status = 1;
}

}  // namespace

void add_compare(CLI::App& program, int* status) {
  auto options = std::make_shared<CompareOptions>();
  CLI::App* command = program.add_subcommand(
      "compare", "Nine ways to multi-head attention: that they agree, then what each costs");
  measure::CompareSettings& settings = options->settings;
  command->add_option("--batch", settings.batch, "8");
  command->add_option("--tokens", settings.tokens, "1024");
  command->add_option("--width", settings.width, "768, of tokens going in and coming out");
  command->add_option("--heads", settings.heads, "12");
  command->add_option("--dtype", options->dtype, "float32 (default), float64, bfloat16, float16");
  command->add_option("--variants", options->variants, "some of the nine, joined by commas")
      ->delimiter(',');
  command->add_option("--repeats", settings.repeats, "how often each is timed: 5");
  command->add_flag("--where", settings.where, "and where the time goes, by operation");
  command->add_option("--with", options->with, "torch: PyTorch's nine in the same run")
      ->check(CLI::IsMember({"torch"}));
  command->add_option("--python", settings.python,
                      "the Python that has PyTorch; FOVEAL_PYTHON, else python3");
  command->add_flag("--compile", settings.compile, "and PyTorch's nine through torch.compile");
  add_run_options(command, options->run);
  command->add_flag("--json", options->json, "write foveal.compare/1");
  command->add_flag("--svg", options->svg, "write the charts as a picture");
  command->add_flag("--png", options->png, "the same as pixels");
  command->add_flag("--html", options->html, "write a page with charts and table");
  command->add_option("--theme", options->theme, "of svg and png: light (default), dark")
      ->check(CLI::IsMember({"light", "dark"}));
  command->add_option("--out", options->out, "write there, whole or not at all");
  command->callback([options, status] { compare(*options, status); });
}

}  // namespace foveal::cli
