#include <fmt/format.h>

#include <memory>
#include <optional>
#include <string>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/run_options.h"
#include "foveal/error.h"
#include "io/json.h"
#include "trace/check/check.h"
#include "trace/input/query.h"
#include "trace/run/arithmetic.h"
#include "trace/run/record.h"
#include "trace/views/views.h"

namespace foveal::cli {
namespace {

struct ExplainOptions {
  std::optional<std::string> file, query, cell, out;
  std::string format = "text", theme = "light";
  bool json = false, narrow = false;
};

std::string cell_as_json(const trace::StepCell& cell, double value, const trace::Arithmetic& how) {
  std::string sources;
  for (const trace::Source& source : how.sources) {
    sources += fmt::format(R"({}{{"step": {}, "cell": [{}]}})", sources.empty() ? "" : ", ",
                           json_string(source.matrix), fmt::join(source.cell, ", "));
  }
  return fmt::format(
      "{{\"step\": {}, \"cell\": [{}], \"value\": {}, \"letters\": {}, \"numbers\": {}, "
      "\"sources\": [{}]}}\n",
      json_string(trace::text(cell.step)), fmt::join(cell.at, ", "), json_number(value),
      json_string(how.letters), json_string(how.numbers), sources);
}

std::string explain_cell(const trace::Record& record, const std::string& text, bool as_json) {
  const trace::StepCell cell = trace::parse_cell(record, text);
  const trace::Arithmetic how = trace::arithmetic(record, cell.step, cell.at, trace::Terms::all);
  const double value = trace::find_step(record, cell.step)->data.at(cell.at);
  if (as_json) return cell_as_json(cell, value, how);
  return how.letters + "\n" + std::string(how.letters.find('='), ' ') + "= " + how.numbers + "\n";
}

std::string view(const trace::Record& record, const ExplainOptions& options) {
  if (options.format == "json") return trace::json_view(record);
  if (options.format == "csv") return trace::csv_view(record);
  if (options.format == "svg" || options.format == "png") {
    const auto theme = options.theme == "dark" ? trace::Theme::dark : trace::Theme::light;
    const std::string svg = trace::svg_view(record, theme, options.narrow);
    return options.format == "svg" ? svg : png_of(svg);
  }
  if (options.format == "html") return trace::html_view(record);
  if (options.out) return trace::text_view(record);
  return trace::text_view(record, width_of_stdout(), colour_on_stdout());
}

void explain(ExplainOptions options) {
  if (options.json) options.format = "json";
  if (options.cell && options.format != "text" && options.format != "json") {
    throw Error("--cell gives text or json, not " + options.format, ErrorKind::usage);
  }
  if (options.file) refuse_to_replace(options.out, {*options.file});
  apply({});
  const trace::Input input =
      options.file ? trace::read_input(*options.file) : trace::worked_example();
  std::optional<std::int64_t> followed;
  if (options.query) followed = trace::find_query(input, *options.query);
  trace::Record record =
      naming(options.file.value_or("worked example"), [&] { return trace::run(input, followed); });
  if (trace::has_printed_numbers(input)) record.checks = trace::check(record);
  if (!options.file) record.corrected = trace::corrected(input, record.followed);
  const std::string result = options.cell
                                 ? explain_cell(record, *options.cell, options.format == "json")
                                 : view(record, options);
  write_result(result, options.out);
}

}  // namespace

void add_explain(CLI::App& program, int*) {
  auto options = std::make_shared<ExplainOptions>();
  CLI::App* command = program.add_subcommand(
      "explain", "Run attention step by step and show where every number came from");
  command->add_option("FILE", options->file,
                      "an input (foveal.input/1); without it the worked example");
  CLI::Option* format =
      command->add_option("--format", options->format, "text (default), json, csv, svg, png, html")
          ->check(CLI::IsMember({"text", "json", "csv", "svg", "png", "html"}));
  command->add_flag("--json", options->json, "the same as --format json")->excludes(format);
  command->add_option("--out", options->out, "write here instead of to standard output");
  command->add_option(
      "--query", options->query,
      "the token whose row to follow, or its number from 0: '#2'; without it the first, "
      "under a causal mask the last");
  command->add_option("--cell", options->cell,
                      "the arithmetic of one cell: weights[0,2]; with several heads "
                      "weights[head,0,2]; from 0");
  command->add_option("--theme", options->theme, "of svg and png: light (default), dark")
      ->check(CLI::IsMember({"light", "dark"}));
  command->add_flag("--narrow", options->narrow, "of svg and png: for 390 px, steps stacked");
  command->callback([options] { explain(*options); });
}

}  // namespace foveal::cli
