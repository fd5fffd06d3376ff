// How fast the tokenizer is on one thread: tokenizer_bench MERGES TEXT [REPEATS]

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "foveal/text/tokenizer.h"

namespace {

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

std::string read_text(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(std::string("can't open ") + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void measure(const char* merges, const char* path, int repeats) {
  auto start = std::chrono::steady_clock::now();
  const auto tokenizer = foveal::text::Tokenizer::from_merges_file(merges);
  std::printf("load   %8.1f ms\n", seconds_since(start) * 1e3);

  const std::string text = read_text(path);
  std::vector<double> speeds;
  std::vector<std::int64_t> ids;
  for (int repeat = 0; repeat < repeats; ++repeat) {
    start = std::chrono::steady_clock::now();
    ids = tokenizer.encode(text);
    speeds.push_back(static_cast<double>(text.size()) / 1e6 / seconds_since(start));
  }
  std::sort(speeds.begin(), speeds.end());
  const std::size_t n = speeds.size();
  std::printf("text   %8.2f MB, %zu tokens\n", static_cast<double>(text.size()) / 1e6, ids.size());
  std::printf("encode %8.1f MB/s median of %zu, interquartile range %.1f, one thread\n",
              speeds[n / 2], n, speeds[3 * n / 4] - speeds[n / 4]);
  start = std::chrono::steady_clock::now();
  const std::string back = tokenizer.decode(ids);
  std::printf("decode %8.1f MB/s, %s\n",
              static_cast<double>(text.size()) / 1e6 / seconds_since(start),
              back == text ? "equal to the text" : "DIFFERENT from the text");
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 3 && count != 4) {
    std::fprintf(stderr, "usage: tokenizer_bench MERGES TEXT [REPEATS]\n");
    return 2;
  }
  try {
    measure(arguments[1], arguments[2], count == 4 ? std::max(1, std::atoi(arguments[3])) : 9);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "tokenizer_bench: %s\n", error.what());
    return 1;
  }
  return 0;
}
