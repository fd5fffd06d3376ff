#pragma once
// Text files are UTF-8; those that editors save otherwise are told apart, so that errors can name
// it.

#include <cstddef>
#include <string>
#include <string_view>

namespace foveal {

/// Where the text begins: behind the mark (byte order mark) that some editors put before UTF-8.
/// Throws Error (kind data) that names the encoding where `bytes` are UTF-16 or UTF-32, with a mark
/// or, since what foveal reads begins in ASCII, without. `name` stands for the file.
std::size_t utf8_begin(std::string_view bytes, const std::string& name);

}  // namespace foveal
