// Section 3.6.2: multi-head attention with weight splits.
//
// One projection serves all heads. Its result is split into heads (program 14), all scores come
// from one batched product (program 13), and out_proj mixes what the heads found.

#include "chapter.h"

using namespace foveal;

int main() {
  // Here d_out is the width of all heads together: each has D = d_out / num_heads = 1. In the
  // wrapper (program 11) it was the width of one.
  Generator generator(123);
  const nn::MultiHeadAttention mha(
      {.d_in = 3, .d_out = 2, .context_length = 6, .dropout = 0.0, .num_heads = 2}, generator);
  const Tensor context_vecs = mha.forward(chapter_batch());
  print("context vectors", context_vecs);
  print("their shape (B, L, d_out)", context_vecs.shape());

  // The scores are divided by √D, the width of one head; not √d_out, not √d_in.
  std::cout << "head size D: " << mha.head_dim << "\n\n";

  std::cout << "what it holds:\n";
  for (const auto& [name, tensor] : mha.state_dict()) {
    std::cout << "  " << name << " " << to_string(tensor.shape()) << "\n";
  }
}
