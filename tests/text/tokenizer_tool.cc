// tokenizer_tool MERGES encode|decode: standard input to standard output, ids as raw int64. For
// tests/python/tokenizer_compare.py.

#include <cstdio>
#include <cstring>
#include <exception>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "foveal/text/tokenizer.h"

int main(int count, char** arguments) {
  const std::string verb = count == 3 ? arguments[2] : "";
  if (verb != "encode" && verb != "decode") {
    std::fprintf(stderr, "usage: tokenizer_tool MERGES encode|decode < IN > OUT\n");
    return 2;
  }
  try {
    const auto tokenizer = foveal::text::Tokenizer::from_merges_file(arguments[1]);
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    if (verb == "encode") {
      const std::vector<std::int64_t> ids = tokenizer.encode(input);
      std::cout.write(reinterpret_cast<const char*>(ids.data()),
                      static_cast<std::streamsize>(ids.size() * sizeof(std::int64_t)));
    } else {
      std::vector<std::int64_t> ids(input.size() / sizeof(std::int64_t));
      std::memcpy(ids.data(), input.data(), ids.size() * sizeof(std::int64_t));
      std::cout << tokenizer.decode(ids);
    }
    std::cout.flush();
    return std::cout.good() ? 0 : 4;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tokenizer_tool: %s\n", error.what());
    return 3;
  }
}
