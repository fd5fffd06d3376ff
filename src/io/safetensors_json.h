#pragma once
// The JSON inside a safetensors header.

#include <string>

#include "io/safetensors_header.h"

namespace foveal {

/// Adds what `text` says to `header`, entries in the text's order. Returns the rule that was
/// broken, or nothing. Strict: no duplicate or unknown keys and no nesting beyond the format's own.
/// Any text may name a dtype. Byte ranges are whole numbers; whether they fit is not checked here.
std::string read_safetensors_json(const std::string& text, SafetensorsHeader* header);

}  // namespace foveal
