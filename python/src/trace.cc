// explain and check: one run of attention on a small input, its views, and its printed numbers.

#include <nanobind/nanobind.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/pair.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "arrays.h"
#include "bindings.h"
#include "draw/png.h"
#include "foveal/error.h"
#include "foveal/npy.h"
#include "trace/check/check.h"
#include "trace/input/query.h"
#include "trace/run/arithmetic.h"
#include "trace/run/record.h"
#include "trace/views/views.h"

namespace nb = nanobind;
using nb::literals::operator""_a;

namespace foveal::python {
namespace {

using Text = std::optional<std::string>;

/// The text of an input, else the file of that name, else the worked example.
trace::Input input_of(const Text& text, const Text& name) {
  if (text) return trace::parse_input(*text, name.value_or("input"), load_npy);
  return name ? trace::read_input(*name) : trace::worked_example();
}

trace::Theme theme_named(const std::string& name) {
  if (name == "light") return trace::Theme::light;
  if (name == "dark") return trace::Theme::dark;
  throw Error("theme is " + name + ": it must be light or dark", ErrorKind::usage);
}

/// A run, which never changes: several threads may look at it.
class HeldTrace {
 public:
  /// `query`: a token, or "#2"; what is checked and corrected is what `foveal explain` does.
  HeldTrace(const Text& text, const Text& name, const Text& query) {
    const trace::Input input = input_of(text, name);
    try {
      std::optional<std::int64_t> followed;
      if (query) followed = trace::find_query(input, *query);
      record_ = trace::run(input, followed);
      if (trace::has_printed_numbers(input)) record_.checks = trace::check(record_);
      if (!name) record_.corrected = trace::corrected(input, record_.followed);
    } catch (const Error& error) {
      throw Error(name.value_or("worked example") + ": " + error.what(), error.kind());
    }
  }

  std::string text() const { return trace::text_view(record_); }
  std::string json() const { return trace::json_view(record_); }
  std::string csv() const { return trace::csv_view(record_); }
  std::string html() const { return trace::html_view(record_); }
  std::string svg(const std::string& theme, bool narrow) const {
    return trace::svg_view(record_, theme_named(theme), narrow);
  }
  /// The bytes, and which characters have no font here.
  std::pair<std::string, std::string> png(const std::string& theme, bool narrow) const {
    const draw::Png png = draw::png_from_svg(svg(theme, narrow));
    return {png.bytes, draw::missing_note(png)};
  }

  std::string cell(const std::string& text) const {
    const trace::StepCell cell = trace::parse_cell(record_, text);
    const trace::Arithmetic how = trace::arithmetic(record_, cell.step, cell.at, trace::Terms::all);
    return how.letters + "\n" + std::string(how.letters.find('='), ' ') + "= " + how.numbers;
  }

  std::vector<std::string> steps() const {
    std::vector<std::string> names;
    names.reserve(record_.steps.size());
    for (const trace::Step& step : record_.steps) names.push_back(trace::text(step.name));
    return names;
  }

  /// Undefined where the run has no such step.
  Tensor step(const std::string& name) const {
    const std::optional<trace::StepName> asked = trace::step_named(name);
    const trace::Step* const found = asked ? trace::find_step(record_, *asked) : nullptr;
    return found == nullptr ? Tensor() : found->data.clone();
  }

 private:
  trace::Record record_;
};

/// Whether all agree, the report, and foveal.check/1.
std::tuple<bool, std::string, std::string> check_input(const Text& text, const std::string& name) {
  const trace::Input input = input_of(text, name);
  try {
    const trace::Record record = trace::run(input);
    const trace::Findings findings = trace::find_slips(record);
    return {trace::all_agree(findings.all), trace::check_text(record, findings),
            trace::check_json(record, findings)};
  } catch (const Error& error) {
    throw Error(name + ": " + error.what(), error.kind());
  }
}

}  // namespace

void bind_trace(nb::module_& module) {
  using Released = nb::call_guard<nb::gil_scoped_release>;
  nb::class_<HeldTrace>(module, "Trace", "One run of attention, step by step.")
      .def(nb::init<const Text&, const Text&, const Text&>(), "text"_a.none(), "name"_a.none(),
           "query"_a.none(), Released())
      .def("text", &HeldTrace::text, Released())
      .def("json", &HeldTrace::json, Released())
      .def("csv", &HeldTrace::csv, Released())
      .def("html", &HeldTrace::html, Released())
      .def("svg", &HeldTrace::svg, "theme"_a, "narrow"_a, Released())
      .def(
          "png",
          [](const HeldTrace& self, const std::string& theme, bool narrow) {
            std::pair<std::string, std::string> made;
            {
              const nb::gil_scoped_release released;
              made = self.png(theme, narrow);
            }
            return nb::make_tuple(nb::bytes(made.first.data(), made.first.size()), made.second);
          },
          "theme"_a, "narrow"_a)
      .def("cell", &HeldTrace::cell, "text"_a)
      .def("steps", &HeldTrace::steps)
      .def(
          "step",
          [](const HeldTrace& self, const std::string& name) {
            return to_python(self.step(name), Kind::numpy);
          },
          "name"_a);
  module.def("check_input", &check_input, "text"_a.none(), "name"_a, Released());
}

}  // namespace foveal::python
