#pragma once
// Values of a JSON file that know where they stand, so that every error names its place.

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "foveal/tensor.h"

namespace foveal::trace {

class Field {
 public:
  /// The whole document. `file` stands in errors; document and name must outlive the field.
  Field(const nlohmann::json& document, const std::string& file)
      : value_(&document), file_(&file) {}

  const nlohmann::json& value() const { return *value_; }
  bool has(const std::string& key) const;
  std::size_t size() const;
  /// The member or entry of that name; it must be there.
  Field operator[](const std::string& key) const;
  Field operator[](std::size_t index) const;

  /// Throws Error (kind data): "FILE: /pointer: rule".
  [[noreturn]] void fail(const std::string& rule) const;

  /// Each of these fails where the value is something else.
  void require_object(const std::vector<std::string>& known_keys) const;
  /// A list, empty or not; `of` says of what ("rows").
  void require_list(const std::string& of) const;
  double number() const;
  std::int64_t whole_number(std::int64_t lowest) const;
  /// A whole number from 0 to 2^64 - 1.
  std::uint64_t seed() const;
  bool boolean() const;
  std::string text() const;
  /// A list of numbers, at least one: float64 (n).
  Tensor vector() const;
  /// A list of rows, equally long, at least one number each: float64 (rows, columns).
  Tensor matrix() const;

 private:
  Field(const nlohmann::json& value, const std::string& file, std::string pointer)
      : value_(&value), file_(&file), pointer_(std::move(pointer)) {}
  void append_numbers(std::vector<double>* numbers) const;

  const nlohmann::json* value_;
  const std::string* file_;
  std::string pointer_;
};

/// A value as an error quotes it: "the text \"abc\"", "a list", "null". Long ones are cut.
std::string describe(const nlohmann::json& value);

/// Names in quotes with commas between them, for errors.
std::string quoted_list(const std::vector<std::string>& names);

}  // namespace foveal::trace
