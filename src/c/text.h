#pragma once
// Text in memory of the caller's.

#include <cstddef>
#include <string_view>

namespace foveal::c {

/// Writes `text` and a 0 into `to`, of `size` bytes, unless `size` is 0, and its length into
/// `length`, which may be null. Throws Error where there is too little room.
void give_text(std::string_view text, char* to, std::size_t size, std::size_t* length,
               const char* function);

}  // namespace foveal::c
