// Any bytes as a merges file: an Error of one line, or a tokenizer whose texts come back.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "foveal/error.h"
#include "foveal/text/tokenizer.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  try {
    const auto tokenizer = foveal::text::Tokenizer::from_merges(bytes, "fuzz");
    const std::string text = "the aaaa abab\n  \xC3\xA9\xE6\x97\xA5 42!";
    const auto ids = tokenizer.encode(text);
    if (tokenizer.decode(ids) != text) std::abort();
    for (const std::int64_t id : ids) {
      if (id < 0 || id >= tokenizer.vocabulary_size()) std::abort();
    }
  } catch (const foveal::Error& error) {
    if (std::string_view(error.what()).find('\n') != std::string_view::npos) std::abort();
  }
  return 0;
}
