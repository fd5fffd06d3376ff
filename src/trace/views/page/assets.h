#pragma once
// The page's script and style, as text. embed.cmake makes their source from page.js and page.css.

namespace foveal::trace {

extern const char* const kPageScript;
extern const char* const kPageStyle;
extern const char* const kPageScriptHash;  ///< SHA-256 in base64

}  // namespace foveal::trace
