#pragma once
// JSON from files that we don't trust, and the few words of JSON that our writers need.

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace foveal {

/// Reads one JSON document. Beyond JSON's own rules: no key twice in one object, numbers finite in
/// float64, at most 64 levels deep, strings in valid UTF-8, nothing after the document. UTF-8's
/// mark may stand before it; UTF-16 is named. Throws Error (kind data): "NAME: byte 17 (line 2,
/// column 5): rule" for what can't be read, and "NAME: /json/pointer: rule" for what can be read
/// but may not be. Numbers with a point or an exponent are kept as they were typed below the
/// document's key `typed_below`: see typed_number.
nlohmann::json parse_json(std::string_view text, const std::string& name,
                          const std::string& typed_below = "");

/// The text of a number that was kept as it was typed, "0.2000"; nothing for any other value.
std::optional<std::string> typed_number(const nlohmann::json& value);

/// A number as it stands in the file: nlohmann's reader puts the decimal point of the C library's
/// locale into the text that it hands on.
std::string with_point(std::string number);

/// `key` as one step of a JSON pointer on one line: "~" becomes "~0", "/" becomes "~1", control
/// characters and quotes are escaped as in JSON, and invalid UTF-8 becomes U+FFFD.
std::string pointer_step(const std::string& key);

/// Text in quotes, escaped. Throws Error (kind data) where it isn't UTF-8.
std::string json_string(const std::string& text);

/// A number that reads back to the same float64; integers up to 2^53 without a fraction; "-inf",
/// "inf" and "nan" as strings, since JSON has no numbers for them.
std::string json_number(double value);

}  // namespace foveal
