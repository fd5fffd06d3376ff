#include "trace/check/check.h"

#include <algorithm>

#include "core/filled.h"
#include "io/json.h"
#include "trace/check/findings.h"
#include "trace/run/arithmetic.h"

namespace foveal::trace {

namespace {

Tensor row_of(const Record& record, StepName name) {
  const Step* step = find_step(record, name);
  if (step == nullptr) return {};
  return step->data.select(-2, record.followed).contiguous();
}

}  // namespace

bool has_printed_numbers(const Input& input) {
  return std::any_of(input.expected.begin(), input.expected.end(),
                     [&input](const auto& step) { return !numbers_of(input, step).empty(); });
}

std::vector<Check> check(const Record& record) { return checks_of(record, find_slips(record)); }

std::vector<Check> checks_of(const Record& record, const Findings& findings) {
  std::vector<Check> checks;
  for (const Finding& finding : findings.all) {
    Check one;
    one.step = finding.step;
    one.cell = finding.cell;
    one.printed = finding.printed.text;
    one.ours = finding.ours;
    one.arithmetic = arithmetic(record, finding.step, finding.cell).numbers;
    if (!finding.slip.empty()) one.slip = finding.slip;
    if (!finding.kind.empty()) one.slip_kind = finding.kind;
    one.also_possible = finding.also;
    one.agrees = finding.agrees;
    checks.push_back(std::move(one));
  }
  return checks;
}

std::string check_entry(const Check& check) {
  std::vector<std::string> also;
  also.reserve(check.also_possible.size());
  for (const std::string& kind : check.also_possible) also.push_back(json_string(kind));
  const auto or_null = [](const std::optional<std::string>& text) {
    return text ? json_string(*text) : "null";
  };
  return filled(
      R"({{"step": {}, "cell": [{}], "printed": {}, "ours": {}, "arithmetic": {}, "slip": {}, )"
      R"("slip_kind": {}, "also_possible": [{}], "agrees": {}}})",
      json_string(text(check.step)), joined_with(check.cell, ", "), json_string(check.printed),
      json_number(check.ours), json_string(check.arithmetic), or_null(check.slip),
      or_null(check.slip_kind), joined_with(also, ", "), check.agrees);
}

std::string check_json(const Record& record, const Findings& findings) {
  std::string entries;
  for (const Check& one : checks_of(record, findings)) {
    entries += filled("{}\n    {}", entries.empty() ? "" : ",", check_entry(one));
  }
  return filled(
      "{{\n  \"schema\": \"foveal.check/1\",\n  \"agrees\": {},\n  \"checks\": [{}\n  ]\n}}\n",
      all_agree(findings.all), entries);
}

Record with_scale(const Input& input, Scale::Kind kind, std::int64_t followed) {
  Input changed = input;
  changed.settings.scale = {kind, 1};
  return run(changed, followed);
}

std::vector<Corrected> corrected(const Input& input, std::int64_t followed) {
  std::vector<Corrected> results;
  for (const auto& [name, kind] :
       {std::pair("unscaled", Scale::Kind::none), std::pair("scaled", Scale::Kind::sqrt)}) {
    const Record record = with_scale(input, kind, followed);
    Tensor scores = row_of(record, StepName::masked_scores);
    if (!scores.defined()) scores = row_of(record, StepName::scaled_scores);
    if (!scores.defined()) scores = row_of(record, StepName::scores);
    results.push_back(
        {name, scores, row_of(record, StepName::weights), row_of(record, StepName::context)});
  }
  return results;
}

}  // namespace foveal::trace
