#include <cstdint>
#include <cstdio>

std::int64_t parent_tokens();

int main() {
  std::printf("%d tokens\n", static_cast<int>(parent_tokens()));
  return parent_tokens() == 3 ? 0 : 1;
}
