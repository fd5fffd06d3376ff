// Any bytes as text: an Error, or ids that decode to the same bytes, at most one a byte.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "foveal/error.h"
#include "foveal/text/tokenizer.h"

namespace {

const foveal::text::Tokenizer& tokenizer() {
  static const auto made = foveal::text::Tokenizer::from_merges(
      "#version: 0.2\nĠ t\nh e\nĠt he\na a\naa a\naa aa\nb a\na b\nab ab\nĠ a\nĊ Ċ\nĊĊ ĊĊ\nÃ ©\n"
      "æ Ĺ\næĹ ¥\nð Ł\nðŁ ĺ\n' s\n1 2\nĠ Ġ\nĠĠ ĠĠ\n! !\n",
      "small");
  return made;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    const auto ids = tokenizer().encode(text, {"<|endoftext|>"});
    if (ids.size() > text.size() || tokenizer().decode(ids) != text) std::abort();
  } catch (const foveal::Error& error) {
    // The text is at fault, never the splitting.
    if (error.kind() != foveal::ErrorKind::data) std::abort();
  }
  return 0;
}
