#include "trace/input/fields.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "foveal/error.h"
#include "io/json.h"

namespace foveal::trace {

using nlohmann::json;

namespace {

/// At most `limit` bytes of valid UTF-8, cut between characters.
std::string cut(const std::string& text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

}  // namespace

std::string describe(const json& value) {
  constexpr std::size_t longest = 60;
  if (value.is_string()) return "the text " + json_string(cut(value.get<std::string>(), longest));
  if (const auto typed = typed_number(value)) return cut(*typed, longest);
  if (value.is_object()) return "an object";
  if (value.is_array()) return "a list";
  return value.dump();
}

std::string quoted_list(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + json_string(name);
  return text;
}

bool Field::has(const std::string& key) const { return value_->contains(key); }

std::size_t Field::size() const { return value_->size(); }

Field Field::operator[](const std::string& key) const {
  return Field(value_->at(key), *file_, pointer_ + "/" + pointer_step(key));
}

Field Field::operator[](std::size_t index) const {
  return Field(value_->at(index), *file_, pointer_ + "/" + std::to_string(index));
}

void Field::fail(const std::string& rule) const {
  throw Error(*file_ + ": " + (pointer_.empty() ? "" : pointer_ + ": ") + rule);
}

void Field::require_object(const std::vector<std::string>& known_keys) const {
  if (!value_->is_object()) fail("must be an object, not " + describe(*value_));
  for (const auto& entry : value_->items()) {
    if (std::find(known_keys.begin(), known_keys.end(), entry.key()) != known_keys.end()) continue;
    Field(*value_, *file_, pointer_ + "/" + cut(pointer_step(entry.key()), 80))
        .fail("unknown key; known here: " + quoted_list(known_keys));
  }
}

void Field::require_list(const std::string& of) const {
  if (!value_->is_array()) fail("must be a list of " + of + ", not " + describe(*value_));
}

double Field::number() const {
  if (!value_->is_number()) fail("must be a number, not " + describe(*value_));
  return value_->get<double>();
}

std::int64_t Field::whole_number(std::int64_t lowest) const {
  const bool fits = value_->is_number_integer() &&
                    (!value_->is_number_unsigned() || value_->get<std::uint64_t>() >> 63 == 0) &&
                    value_->get<std::int64_t>() >= lowest;
  if (!fits) {
    fail("must be a whole number from " + std::to_string(lowest) + " on, not " + describe(*value_));
  }
  return value_->get<std::int64_t>();
}

std::uint64_t Field::seed() const {
  if (!value_->is_number_unsigned()) {
    fail("must be a whole number from 0 to 2^64 - 1, not " + describe(*value_));
  }
  return value_->get<std::uint64_t>();
}

bool Field::boolean() const {
  if (!value_->is_boolean()) fail("must be true or false, not " + describe(*value_));
  return value_->get<bool>();
}

std::string Field::text() const {
  if (!value_->is_string()) fail("must be a text, not " + describe(*value_));
  return value_->get<std::string>();
}

void Field::append_numbers(std::vector<double>* numbers) const {
  for (std::size_t i = 0; i < value_->size(); ++i) {
    const json& entry = (*value_)[i];
    // The place is put into words only where it is needed: a file may hold millions of numbers.
    numbers->push_back(entry.is_number() ? entry.get<double>() : (*this)[i].number());
  }
}

Tensor Field::vector() const {
  require_list("numbers");
  if (value_->empty()) fail("must hold at least one number");
  std::vector<double> numbers;
  append_numbers(&numbers);
  return Tensor::from_vector(numbers, {static_cast<std::int64_t>(numbers.size())});
}

Tensor Field::matrix() const {
  require_list("rows of numbers");
  if (value_->empty()) fail("must hold at least one row");
  std::vector<double> numbers;
  for (std::size_t i = 0; i < size(); ++i) {
    const Field row = (*this)[i];
    row.require_list("numbers");
    if (row.size() == 0) row.fail("must hold at least one number");
    if (row.size() != (*value_)[0].size()) {
      row.fail("has length " + std::to_string(row.size()) + " but row 0 has length " +
               std::to_string((*value_)[0].size()) + ": rows must be equally long");
    }
    row.append_numbers(&numbers);
  }
  const auto rows = static_cast<std::int64_t>(size());
  return Tensor::from_vector(numbers, {rows, static_cast<std::int64_t>(numbers.size()) / rows});
}

}  // namespace foveal::trace
