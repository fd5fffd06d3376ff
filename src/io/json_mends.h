#pragma once
// What to do about text that is no JSON.

#include <string>
#include <string_view>

namespace foveal {

/// The parser's words in plain ones, with a mend behind them where the usual slips leave one:
/// "unexpected number literal; expected a comma or ]: put a comma between two values". `position`
/// is the byte that was read last, counted from 1; `word` what stands around it.
std::string with_mend(std::string why, std::string_view text, std::size_t position,
                      const std::string& word);

}  // namespace foveal
