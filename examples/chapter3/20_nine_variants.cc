// Bonus part: nine ways to write causal multi-head attention.
//
// From the same weights all nine give the same result but for rounding. They differ in how many
// products, copies and L x L matrices that takes: docs/variants.md says what each one saves.

#include <iomanip>

#include "chapter.h"

using namespace foveal;

int main() {
  Generator generator(123);
  const nn::MultiHeadAttentionOptions options{
      .d_in = 12, .d_out = 12, .context_length = 6, .dropout = 0.0, .num_heads = 3};
  const Tensor x = randn({2, 6, 12}, generator);

  // Weights of the chapter's class, and its result.
  const auto chapter = nn::variants::make("chapter", options, generator);
  const NoGrad off;
  const Tensor expected = chapter->forward(x);

  std::cout << "variant                       numbers  agrees\n";
  for (const std::string& name : nn::variants::names()) {
    const auto variant = nn::variants::make(name, options, generator);
    convert(*chapter, *variant);  // the same weights in this variant's form
    const bool agrees = allclose(variant->forward(x), expected, 0, 1e-5);
    std::cout << std::left << std::setw(30) << name << std::right << std::setw(7)
              << variant->parameter_count() << "  " << (agrees ? "yes" : "no") << "\n";
  }
  std::cout << "\nTwo of them project twice on the way out, so they hold 144 numbers more.\n";
}
