// Exercise 3.3: a multi-head attention of the size of the smallest GPT-2.

#include "chapter.h"

using namespace foveal;

/// 2360064 as "2,360,064".
std::string with_commas(std::int64_t count) {
  std::string text = std::to_string(count);
  for (std::size_t place = text.size(); place > 3;) text.insert(place -= 3, 1, ',');
  return text;
}

int main() {
  Generator generator(123);
  const nn::MultiHeadAttention mha(
      {.d_in = 768, .d_out = 768, .context_length = 1024, .dropout = 0.0, .num_heads = 12},
      generator);

  for (const auto& [name, tensor] : mha.named_parameters()) {
    std::cout << name << " " << to_string(tensor.shape()) << ": "
              << with_commas(tensor.element_count()) << "\n";
  }
  // Four matrices of 768 · 768, and one bias. How many heads share them makes no difference, and
  // the mask isn't counted: it is a buffer, nothing to be trained.
  std::cout << "together " << with_commas(mha.parameter_count()) << " parameters\n";
}
