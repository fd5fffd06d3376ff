#include "io/safetensors_json.h"

#include <limits>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "io/json.h"
#include "io/safetensors_dtype.h"

namespace foveal {
namespace {

constexpr std::size_t kMostAxesOfTensor = 64;
constexpr const char* kMetadata = "__metadata__";

/// Receives the JSON piece by piece and keeps only what the format allows, so that neither depth
/// nor size of a hostile header costs more than its own bytes. Each function returns false to stop.
class HeaderReader : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit HeaderReader(SafetensorsHeader* header) : header_(header) {}

  const std::string& problem() const { return problem_; }

  bool start_object(std::size_t) override {
    if (place_ == Place::outside) return enter(Place::names);
    if (place_ != Place::names) return reject("an object");
    fields_ = {};
    return enter(key_ == kMetadata ? Place::metadata : Place::fields);
  }

  bool key(std::string& text) override {
    key_ = text;
    if (place_ == Place::names) return begin_entry();
    if (place_ == Place::metadata) {
      if (header_->metadata.emplace(key_, "").second) return true;
      return stop("__metadata__ has the key " + shown(key_) + " twice");
    }
    return begin_field();
  }

  bool string(std::string& text) override {
    if (place_ == Place::metadata) {
      header_->metadata[key_] = text;
      return true;
    }
    if (place_ != Place::fields || key_ != "dtype") return reject("text");
    entry().dtype_name = text;
    if (const SafetensorsDtype* known = safetensors_dtype(text)) entry().dtype = known->dtype;
    return true;
  }

  bool start_array(std::size_t) override {
    if (place_ != Place::fields || key_ == "dtype") return reject("a list");
    offsets_ = 0;
    return enter(key_ == "shape" ? Place::shape : Place::offsets);
  }

  bool number_unsigned(std::uint64_t value) override {
    if (place_ == Place::shape) return add_size(value);
    if (place_ != Place::offsets) return reject("a number");
    if (offsets_ == 2) return stop(tensor() + "data_offsets must hold two numbers");
    (offsets_++ == 0 ? entry().begin : entry().end) = value;
    return true;
  }

  bool end_array() override {
    if (place_ == Place::offsets && offsets_ != 2) {
      return stop(tensor() + "data_offsets must hold two numbers");
    }
    return enter(Place::fields);
  }

  bool end_object() override {
    if (place_ == Place::names) return enter(Place::outside);
    if (place_ == Place::fields && !(fields_.dtype && fields_.shape && fields_.offsets)) {
      return stop(tensor() + "must have dtype, shape and data_offsets");
    }
    return enter(Place::names);
  }

  bool null() override {
    const bool no_metadata = place_ == Place::names && key_ == kMetadata;
    return no_metadata || reject("null");
  }
  bool boolean(bool) override { return reject("true or false"); }
  bool number_integer(std::int64_t value) override {
    return reject("the negative number " + std::to_string(value));
  }
  bool number_float(double, const std::string& text) override {
    return reject("the number " + shown(with_point(text)) +
                  ", which is no whole number of 64 bits");
  }
  bool binary(nlohmann::json::binary_t&) override { return reject("binary data"); }

  bool parse_error(std::size_t position, const std::string&,
                   const nlohmann::json::exception&) override {
    return stop("header is not valid JSON in UTF-8 at byte " + std::to_string(position) +
                " of the header");
  }

 private:
  enum class Place { outside, names, metadata, fields, shape, offsets };
  struct Fields {
    bool dtype = false, shape = false, offsets = false;
  };

  SafetensorsEntry& entry() { return header_->entries.back(); }
  std::string tensor() { return "tensor " + shown(entry().name) + ": "; }

  bool enter(Place place) {
    place_ = place;
    return true;
  }

  bool stop(const std::string& problem) {
    problem_ = problem;
    return false;
  }

  /// `what` stands where the format wants something else.
  bool reject(const std::string& what) {
    switch (place_) {
      case Place::outside:
        return stop("header is " + what + ": it must be an object");
      case Place::names:
        return stop(shown(key_) + " is " + what + ": it must be an object");
      case Place::metadata:
        return stop("__metadata__ has " + what + " at the key " + shown(key_) +
                    ": it must map text to text");
      default:
        return stop(
            tensor() + key_ + " has " + what +
            ": dtype is text, shape and data_offsets are lists of whole numbers, 0 or more");
    }
  }

  bool begin_entry() {
    if (!names_.insert(key_).second) return stop("the name " + shown(key_) + " stands twice");
    if (key_ == kMetadata) return true;
    header_->entries.emplace_back();
    entry().name = key_;
    return true;
  }

  bool begin_field() {
    bool* const seen = key_ == "dtype"          ? &fields_.dtype
                       : key_ == "shape"        ? &fields_.shape
                       : key_ == "data_offsets" ? &fields_.offsets
                                                : nullptr;
    if (seen == nullptr) return stop(tensor() + "unknown key " + shown(key_));
    if (*seen) return stop(tensor() + "the key " + key_ + " stands twice");
    *seen = true;
    return true;
  }

  bool add_size(std::uint64_t value) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      return stop(tensor() + "shape holds " + std::to_string(value) + ", over 63 bits");
    }
    if (entry().shape.size() == kMostAxesOfTensor) {
      return stop(tensor() + "shape has more than " + std::to_string(kMostAxesOfTensor) + " axes");
    }
    entry().shape.push_back(static_cast<std::int64_t>(value));
    return true;
  }

  SafetensorsHeader* header_;
  std::string problem_;
  Place place_ = Place::outside;
  std::string key_;
  Fields fields_;
  int offsets_ = 0;
  std::unordered_set<std::string> names_;
};

}  // namespace

std::string read_safetensors_json(const std::string& text, SafetensorsHeader* header) {
  if (text.empty() || text[0] != '{') return "header does not begin with '{'";
  // The JSON reader takes a zero byte for the end and would not look at what follows.
  if (text.find('\0') != std::string::npos) return "header holds a zero byte";
  HeaderReader reader(header);
  nlohmann::json::sax_parse(text, &reader);
  return reader.problem();
}

}  // namespace foveal
