#pragma once
// The query whose row is followed, as people name it.

#include <string>

#include "trace/input/input.h"

namespace foveal::trace {

/// "#2" (counted from 0) or a token's text -> 0 .. L-1. Throws Error (kind data) for a number out
/// of range, a token that isn't there (with those that are), and one that stands more than once
/// (with its places).
std::int64_t find_query(const Input& input, const std::string& text);

}  // namespace foveal::trace
