# Makes a C++ source of the page's script and style, and of the script's SHA-256 in base64, by which the page
# allows that script alone. Run as: cmake -DSCRIPT=page.js -DSTYLE=page.css -DOUTPUT=assets.cc -P embed.cmake

set(alphabet ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)

function(base64_from_hex hex result)
  # One zero byte fills the 32 of the hash up to a multiple of 3; its letter becomes "=".
  set(padded "${hex}00")
  set(text "")
  foreach(start RANGE 0 60 6)
    string(SUBSTRING ${padded} ${start} 6 six)
    math(EXPR bits "0x${six}")
    foreach(shift 18 12 6 0)
      math(EXPR index "(${bits} >> ${shift}) & 63")
      string(SUBSTRING ${alphabet} ${index} 1 letter)
      string(APPEND text ${letter})
    endforeach()
  endforeach()
  string(SUBSTRING ${text} 0 43 text)
  set(${result} "${text}=" PARENT_SCOPE)
endfunction()

file(READ ${SCRIPT} script)
file(READ ${STYLE} style)
file(SHA256 ${SCRIPT} script_hash)
base64_from_hex(${script_hash} script_hash)
file(WRITE ${OUTPUT} "// Made by embed.cmake from page.js and page.css.
#include \"trace/views/page/assets.h\"

namespace foveal::trace {

const char* const kPageScript = R\"page(${script})page\";
const char* const kPageStyle = R\"page(${style})page\";
const char* const kPageScriptHash = \"${script_hash}\";

}  // namespace foveal::trace
")
