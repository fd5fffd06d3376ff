#include "io/npy_header.h"

#include <algorithm>
#include <optional>
#include <string_view>

#include "foveal/error.h"
#include "io/npy_dtype.h"
#include "io/safetensors_header.h"

namespace foveal {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kMostAxes = 64;

/// The literal {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }, keys in any order, each
/// once. Before format 3.0, sizes may be Python 2's long ones: (3L, 4L).
class DictionaryReader {
 public:
  DictionaryReader(std::string_view text, bool long_sizes, const std::string& name)
      : text_(text), long_sizes_(long_sizes), name_(name) {}

  NpyHeader read() {
    expect('{');
    while (!take('}')) {
      read_entry();
      if (take(',')) continue;
      expect('}');
      break;
    }
    skip_spaces();
    if (place_ < text_.size()) refuse("has more than one dictionary");
    if (!has_descr_ || !has_order_ || !has_shape_) {
      refuse("must have the keys descr, fortran_order and shape");
    }
    return header_;
  }

 private:
  [[noreturn]] void refuse(const std::string& rule) const {
    throw Error("npy file '" + name_ + "': header, byte " + std::to_string(place_) + ": " + rule);
  }

  /// What Python takes for space between words.
  void skip_spaces() {
    constexpr std::string_view spaces = " \t\n\r\f";
    place_ = std::min(text_.find_first_not_of(spaces, place_), text_.size());
  }

  bool take(char wanted) {
    skip_spaces();
    if (place_ >= text_.size() || text_[place_] != wanted) return false;
    ++place_;
    return true;
  }

  void expect(char wanted) {
    if (!take(wanted)) refuse(std::string("expected '") + wanted + "'");
  }

  bool take_word(std::string_view word) {
    skip_spaces();
    if (text_.substr(place_, word.size()) != word) return false;
    place_ += word.size();
    return true;
  }

  std::string read_text(const std::string& what) {
    take('u');  // Python 2's mark of Unicode
    const char quote = place_ < text_.size() ? text_[place_] : ' ';
    if (quote != '\'' && quote != '"') refuse("expected " + what + " in quotes");
    const std::size_t end = text_.find(quote, place_ + 1);
    if (end == std::string_view::npos) refuse("the closing quote is missing");
    const std::string found(text_.substr(place_ + 1, end - place_ - 1));
    place_ = end + 1;
    return found;
  }

  void read_entry() {
    const std::string key = read_text("a key");
    bool* const seen = key == "descr"           ? &has_descr_
                       : key == "fortran_order" ? &has_order_
                       : key == "shape"         ? &has_shape_
                                                : nullptr;
    if (seen == nullptr) {
      refuse("the key " + shown(key) + " is none of descr, fortran_order and shape");
    }
    if (*seen) refuse("the key " + key + " stands twice");
    *seen = true;
    expect(':');
    if (key == "descr") return read_dtype();
    if (key == "fortran_order") return read_order();
    read_shape();
  }

  void read_dtype() {
    constexpr const char* rule =
        ": it must be float16, float32, float64, int64 or bool; convert with astype";
    skip_spaces();
    if (place_ < text_.size() && text_[place_] == '[') {
      refuse(std::string("the dtype has named fields") + rule);
    }
    const std::string descr = read_text("a dtype");
    const std::optional<NpyDtype> dtype = npy_dtype(descr);
    if (!dtype) refuse("dtype " + shown(descr) + rule);
    header_.dtype = dtype->dtype;
    header_.big_endian = dtype->big_endian;
  }

  void read_order() {
    if (take_word("True")) {
      header_.column_major = true;
    } else if (!take_word("False")) {
      refuse("expected True or False");
    }
  }

  void read_shape() {
    expect('(');
    while (!take(')')) {
      if (header_.shape.size() == kMostAxes) {
        refuse("more than " + std::to_string(kMostAxes) + " axes");
      }
      header_.shape.push_back(read_size());
      if (take(',')) continue;
      expect(')');
      if (header_.shape.size() == 1) refuse("a shape of one axis ends with a comma: (3,)");
      break;
    }
  }

  std::int64_t read_size() {
    skip_spaces();
    const std::size_t begin = place_;
    std::int64_t size = 0;
    for (; place_ < text_.size() && text_[place_] >= '0' && text_[place_] <= '9'; ++place_) {
      if (__builtin_mul_overflow(size, 10, &size) ||
          __builtin_add_overflow(size, text_[place_] - '0', &size)) {
        refuse("a size is larger than 63 bits can count");
      }
    }
    if (place_ == begin) refuse("expected a size, 0 or more");
    if (text_[begin] == '0' && size > 0) refuse("a size begins with 0");
    if (long_sizes_) take('L');
    return size;
  }

  std::string_view text_;
  bool long_sizes_;
  const std::string& name_;
  std::size_t place_ = 0;
  NpyHeader header_;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
};

[[noreturn]] void refuse(const std::string& name, const std::string& what) {
  throw Error("npy file '" + name + "': " + what);
}

std::size_t little_endian(const std::string& bytes, std::size_t begin, std::size_t count) {
  std::size_t value = 0;
  for (std::size_t n = count; n-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes[begin + n]);
  }
  return value;
}

void check_data_size(const NpyHeader& header, std::size_t size, const std::string& name) {
  std::uint64_t expected = size_of(header.dtype);
  bool is_empty = false;
  for (std::int64_t axis : header.shape) {
    is_empty = is_empty || axis == 0;
    const auto factor = static_cast<std::uint64_t>(std::max<std::int64_t>(axis, 1));
    if (__builtin_mul_overflow(expected, factor, &expected) || expected > INT64_MAX) {
      refuse(name, "shape " + to_string(header.shape) + " is larger than memory can be");
    }
  }
  if (is_empty) expected = 0;
  if (size >= expected) return;  // NumPy doesn't look at what follows either
  refuse(name, "shape " + to_string(header.shape) + " of " + to_string(header.dtype) + " takes " +
                   std::to_string(expected) + " bytes but " + std::to_string(size) +
                   " follow the header: the file is truncated");
}

}  // namespace

NpyHeader parse_npy_header(const std::string& bytes, const std::string& name) {
  if (bytes.compare(0, kMagic.size(), kMagic) != 0) {
    refuse(name, "doesn't begin with the bytes \\x93NUMPY: it is no npy file");
  }
  constexpr std::size_t kVersion = kMagic.size(), kLength = kVersion + 2;
  if (bytes.size() < kLength) refuse(name, "is truncated before its version");
  const int major = static_cast<unsigned char>(bytes[kVersion]);
  const int minor = static_cast<unsigned char>(bytes[kVersion + 1]);
  if (major < 1 || major > 3 || minor != 0) {
    refuse(name, "has format " + std::to_string(major) + "." + std::to_string(minor) +
                     ": it must be 1.0, 2.0 or 3.0");
  }
  const std::size_t length_bytes = major == 1 ? 2 : 4, begin = kLength + length_bytes;
  if (bytes.size() < begin) refuse(name, "is truncated before its header");
  const std::size_t length = little_endian(bytes, kLength, length_bytes);
  if (length > bytes.size() - begin) {
    refuse(name, "header of " + std::to_string(length) + " bytes in a file of " +
                     std::to_string(bytes.size()) + ": the file is truncated");
  }
  const std::string_view text = std::string_view(bytes).substr(begin, length);
  NpyHeader header = DictionaryReader(text, major < 3, name).read();
  header.data_start = begin + length;
  check_data_size(header, bytes.size() - header.data_start, name);
  return header;
}

}  // namespace foveal
