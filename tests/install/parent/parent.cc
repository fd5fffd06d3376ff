// Uses both libraries, so that who links it needs them.
#include <foveal/foveal.h>
#include <foveal/text/tokenizer.h>

std::int64_t parent_tokens() {
  const auto tokenizer = foveal::text::Tokenizer::from_merges("#version: 0.2\na b\n", "one merge");
  const auto ids = static_cast<std::int64_t>(tokenizer.encode("abba").size());
  return foveal::Tensor::ones({ids, 2}).size(0);
}
