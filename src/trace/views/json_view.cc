#include <iterator>

#include "core/filled.h"
#include "io/json.h"
#include "trace/check/check.h"
#include "trace/views/views.h"

namespace foveal::trace {
namespace {

/// Values separated by ", " in brackets.
template <class Items, class Write>
std::string list(const Items& items, const Write& write) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "" : ", ") + write(item);
  return "[" + text + "]";
}

void append_nested(const Tensor& data, std::int64_t axis, std::int64_t* at, std::string* out) {
  if (axis == data.rank()) {
    const std::int64_t i = (*at)++;
    *out += data.dtype() == DType::boolean ? (data.data<bool>()[i] ? "true" : "false")
                                           : json_number(data.data<double>()[i]);
    return;
  }
  *out += '[';
  for (std::int64_t i = 0; i < data.size(axis); ++i) {
    if (i > 0) *out += ',';
    append_nested(data, axis + 1, at, out);
  }
  *out += ']';
}

std::string nested(const Tensor& data) {
  std::string text;
  std::int64_t at = 0;
  append_nested(data.contiguous(), 0, &at, &text);
  return text;
}

std::string scale_text(const Scale& scale) {
  switch (scale.kind) {
    case Scale::Kind::sqrt:
      return "\"sqrt\"";
    case Scale::Kind::none:
      return "\"none\"";
    case Scale::Kind::factor:
      break;
  }
  return json_number(scale.factor);
}

std::string settings_text(const Settings& settings) {
  const std::string dropout = settings.dropout
                                  ? filled(R"({{"p": {}, "seed": {}}})",
                                           json_number(settings.dropout->p), settings.dropout->seed)
                                  : "null";
  return filled(R"({{"num_heads": {}, "scale": {}, "mask": {}, "dropout": {}}})",
                settings.num_heads, scale_text(settings.scale), json_string(settings.mask),
                dropout);
}

std::string step_text(const Step& step) {
  return filled(R"({{"name": {}, "title": {}, "axes": {}, "shape": [{}], "data": {}, "note": {}}})",
                json_string(text(step.name)), json_string(step.title), list(step.axes, json_string),
                joined_with(step.data.shape(), ", "), nested(step.data), json_string(step.note));
}

std::string corrected_text(const Corrected& corrected) {
  return filled(R"({{"name": {}, "scores": {}, "weights": {}, "context": {}}})",
                json_string(corrected.name), nested(corrected.scores), nested(corrected.weights),
                nested(corrected.context));
}

/// A list with one entry a line.
template <class Items, class Write>
std::string lines(const Items& items, const Write& write) {
  std::string text;
  for (const auto& item : items) text += (text.empty() ? "\n  " : ",\n  ") + write(item);
  return "[" + text + "]";
}

}  // namespace

std::string json_view(const Record& record) {
  std::string text = filled(
      "{{\"schema\": \"foveal.trace/1\",\n\"tokens\": {},\n\"settings\": {},\n\"steps\": {},\n"
      "\"checks\": {}",
      list(record.input.tokens, json_string), settings_text(record.input.settings),
      lines(record.steps, step_text), lines(record.checks, check_entry));
  if (!record.corrected.empty()) {
    text += ",\n\"corrected\": " + lines(record.corrected, corrected_text);
  }
  return text + "}\n";
}

}  // namespace foveal::trace
