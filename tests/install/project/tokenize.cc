// A tokenizer with a single merge.
#include <foveal/text/tokenizer.h>

#include <cstdio>

int main() {
  auto tokenizer = foveal::text::Tokenizer::from_merges("#version: 0.2\na b\n", "one merge");
  auto ids = tokenizer.encode("abba");
  std::printf("%zu tokens\n", ids.size());
  return ids.size() == 3 && tokenizer.decode(ids) == "abba" ? 0 : 1;
}
