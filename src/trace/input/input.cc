#include "trace/input/input.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "attention/mask/node.h"
#include "foveal/error.h"
#include "foveal/npy.h"
#include "io/file.h"
#include "io/json.h"
#include "trace/input/drawn_weights.h"
#include "trace/input/expected.h"
#include "trace/input/fields.h"
#include "trace/input/worked_example.h"

namespace foveal::trace {
namespace {

const std::vector<std::string>& known_keys() {
  static const std::vector<std::string> keys = {
      "schema",  "tokens", "inputs", "weights",   "W_query", "W_key", "W_value", "b_query", "b_key",
      "b_value", "W_out",  "b_out",  "num_heads", "scale",   "mask",  "dropout", "expected"};
  return keys;
}

/// "(2) but W_query (3, 4) has 4 columns" and the like name both sides of a misfit.
std::string shape_of(const Tensor& tensor) { return to_string(tensor.shape()); }

void read_schema(const Field& file) {
  if (!file.has("schema")) return;
  if (file["schema"].text() != "foveal.input/1") {
    file["schema"].fail("must be \"foveal.input/1\", not " + describe(file["schema"].value()));
  }
}

void read_inputs(const Field& file, Input* input) {
  if (!file.has("inputs")) {
    file.fail("has no key \"inputs\": L rows of d_in numbers, one row a token");
  }
  input->inputs = file["inputs"].matrix();
}

void read_tokens(const Field& file, Input* input) {
  const std::int64_t length = input->inputs.size(0);
  if (!file.has("tokens")) {
    for (std::int64_t i = 1; i <= length; ++i) input->tokens.push_back("x" + std::to_string(i));
    return;
  }
  const Field tokens = file["tokens"];
  tokens.require_list("texts");
  if (static_cast<std::int64_t>(tokens.size()) != length) {
    tokens.fail("has length " + std::to_string(tokens.size()) + " but inputs has " +
                std::to_string(length) + " rows: each row is one token");
  }
  for (std::size_t i = 0; i < tokens.size(); ++i) input->tokens.push_back(tokens[i].text());
}

/// W: (rows, any).
Tensor read_weight(const Field& field, std::int64_t rows, const std::string& rows_of) {
  const Tensor weight = field.matrix();
  if (weight.size(0) != rows) {
    field.fail("has shape " + shape_of(weight) + " but needs " + std::to_string(rows) +
               " rows, one for each " + rows_of +
               ": W is (d_in, d_out) and is applied as inputs · W");
  }
  return weight;
}

/// b: (columns of its W).
Tensor read_bias(const Field& field, const Tensor& weight, const std::string& weight_name) {
  const Tensor bias = field.vector();
  if (bias.size(0) != weight.size(1)) {
    field.fail("has shape " + shape_of(bias) + " but " + weight_name + " has shape " +
               shape_of(weight) + ": it needs one number a column");
  }
  return bias;
}

void read_projections(const Field& file, Input* input) {
  if (file.has("weights")) return draw_weights(file, input);
  struct Projection {
    const char* name;
    Tensor* weight;
    Tensor* bias;
  };
  const Projection projections[] = {{"query", &input->W_query, &input->b_query},
                                    {"key", &input->W_key, &input->b_key},
                                    {"value", &input->W_value, &input->b_value}};
  std::vector<std::string> given, missing;
  for (const Projection& p : projections) {
    (file.has(std::string("W_") + p.name) ? given : missing).push_back(std::string("W_") + p.name);
  }
  if (!given.empty() && !missing.empty()) {
    file[given[0]].fail("is given without " + quoted_list(missing) +
                        ": the three W come together or not at all");
  }
  for (const Projection& p : projections) {
    const std::string weight_name = std::string("W_") + p.name;
    const std::string bias_name = std::string("b_") + p.name;
    if (!given.empty()) {
      *p.weight = read_weight(file[weight_name], input->inputs.size(1), "number of an input row");
    }
    if (!file.has(bias_name)) continue;
    if (given.empty()) file[bias_name].fail("is given without " + weight_name);
    *p.bias = read_bias(file[bias_name], *p.weight, weight_name);
  }
  if (given.empty() || input->W_key.size(1) == input->W_query.size(1)) return;
  file["W_key"].fail("has shape " + shape_of(input->W_key) + " but W_query has shape " +
                     shape_of(input->W_query) +
                     ": queries and keys meet in a dot product, so they must be equally wide");
}

void read_num_heads(const Field& file, Input* input) {
  if (!file.has("num_heads")) return;
  const Field field = file["num_heads"];
  const std::int64_t heads = field.whole_number(1);
  input->settings.num_heads = heads;
  if (const auto& drawn = input->settings.weights; drawn && drawn->d_out % heads != 0) {
    file["weights"]["d_out"].fail("is " + std::to_string(drawn->d_out) + " but num_heads is " +
                                  std::to_string(heads) + ": heads must divide it evenly");
  }
  const auto require_divisible = [&](const Tensor& tensor, const std::string& name) {
    if (tensor.size(1) % heads == 0) return;
    field.fail("is " + std::to_string(heads) + " but " + name + " has " +
               std::to_string(tensor.size(1)) + " columns: heads must divide them evenly");
  };
  if (!input->W_query.defined()) return require_divisible(input->inputs, "inputs");
  require_divisible(input->W_query, "W_query");
  require_divisible(input->W_value, "W_value");
}

void read_scale(const Field& file, Input* input) {
  Scale& scale = input->settings.scale;
  scale.kind = input->W_query.defined() ? Scale::Kind::sqrt : Scale::Kind::none;
  if (!file.has("scale")) return;
  const Field field = file["scale"];
  if (field.value().is_number()) {
    scale = {Scale::Kind::factor, field.number()};
  } else if (field.value() == "sqrt") {
    scale.kind = Scale::Kind::sqrt;
  } else if (field.value() == "none") {
    scale.kind = Scale::Kind::none;
  } else {
    field.fail("must be \"sqrt\", \"none\" or a number, the factor; not " +
               describe(field.value()));
  }
}

Tensor read_mask_rows(const Field& field, std::int64_t length) {
  const std::string rule = "the mask is " + std::to_string(length) + " rows of " +
                           std::to_string(length) + " booleans, true = may attend";
  if (static_cast<std::int64_t>(field.size()) != length) {
    field.fail("has " + std::to_string(field.size()) + " rows: " + rule);
  }
  Tensor mask = Tensor::zeros({length, length}, DType::boolean);
  bool* visible = mask.data<bool>();
  for (std::size_t i = 0; i < field.size(); ++i) {
    const Field row = field[i];
    row.require_list("booleans");
    if (static_cast<std::int64_t>(row.size()) != length) {
      row.fail("has length " + std::to_string(row.size()) + ": " + rule);
    }
    for (std::size_t j = 0; j < row.size(); ++j) {
      const nlohmann::json& cell = row.value()[j];
      if (!cell.is_boolean()) row[j].fail("must be true or false, not " + describe(cell));
      *visible++ = cell.get<bool>();
    }
  }
  return mask;
}

/// An expression, held against the lengths; its rows are made when they are needed.
void read_mask_expression(const Field& field, const MaskFileReader& read_file, Input* input) {
  const std::string text = field.text();
  const std::int64_t length = input->inputs.size(0);
  try {
    input->mask = parse_mask(text, read_file);
    input->mask.node().bind({1, 1, length, length});
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::file) throw;
    field.fail(error.what());
  }
  // Both spellings mean the same, and the views know the short one.
  const std::string plain = to_string(input->mask);
  input->settings.mask = plain == "causal()" ? "causal" : plain == "none()" ? "none" : text;
}

void read_mask(const Field& file, const MaskFileReader& read_file, Input* input) {
  if (!file.has("mask")) return;
  const Field field = file["mask"];
  if (field.value().is_array()) {
    input->mask_rows = read_mask_rows(field, input->inputs.size(0));
    input->settings.mask = "rows";
  } else if (field.value() == "none" || field.value() == "causal") {
    input->settings.mask = field.text();
  } else if (field.value().is_string()) {
    read_mask_expression(field, read_file, input);
  } else {
    field.fail(
        "must be \"none\", \"causal\", a mask expression or L rows of L booleans (true = may "
        "attend), not " +
        describe(field.value()));
  }
}

void read_dropout(const Field& file, Input* input) {
  if (!file.has("dropout")) return;
  const Field field = file["dropout"];
  field.require_object({"p", "seed"});
  for (const char* key : {"p", "seed"}) {
    if (!field.has(key)) field.fail(std::string("has no key \"") + key + "\"");
  }
  DropoutSetting dropout;
  dropout.p = field["p"].number();
  if (dropout.p < 0 || dropout.p > 1) {
    field["p"].fail("must be from 0 to 1, not " + describe(field["p"].value()));
  }
  dropout.seed = field["seed"].seed();
  input->settings.dropout = dropout;
}

void read_output_projection(const Field& file, Input* input) {
  if (file.has("W_out")) {
    const Tensor& values = input->W_value.defined() ? input->W_value : input->inputs;
    input->W_out = read_weight(file["W_out"], values.size(1), "number of a context vector");
  }
  if (!file.has("b_out")) return;
  if (!input->W_out.defined()) file["b_out"].fail("is given without W_out");
  input->b_out = read_bias(file["b_out"], input->W_out, "W_out");
}

}  // namespace

Input parse_input(const std::string& text, const std::string& name,
                  const MaskFileReader& read_file) {
  const nlohmann::json document = parse_json(text, name, "expected");
  const Field file(document, name);
  file.require_object(known_keys());
  read_schema(file);
  Input input;
  read_inputs(file, &input);
  read_tokens(file, &input);
  read_projections(file, &input);
  read_num_heads(file, &input);
  read_scale(file, &input);
  read_mask(file, read_file, &input);
  read_dropout(file, &input);
  read_output_projection(file, &input);
  if (file.has("expected")) input.expected = read_expected(file["expected"], input);
  return input;
}

Input read_input(const std::string& path) {
  if (path == "-") return parse_input(read_file("/dev/stdin"), "standard input", load_npy);
  return parse_input(read_file(path), path, load_npy);
}

Input worked_example() { return parse_input(kWorkedExample, "worked example"); }

}  // namespace foveal::trace
