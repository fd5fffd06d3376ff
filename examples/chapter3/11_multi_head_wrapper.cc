// Section 3.6.1: several heads, one after the other.
//
// A head is one attention with weights of its own. Heads stand side by side: all read the same
// input, and their outputs are joined. Layers stand on top of each other: one reads what the one
// below wrote. This is about heads.
//
// PyTorch's line stands beside each line, or above it where it is long. A head is the class that
// program 10 writes out; here it is the library's.

#include "chapter.h"

using namespace foveal;

// class MultiHeadAttentionWrapper(nn.Module):
class MultiHeadAttentionWrapper : public nn::Module {
 public:
  // def __init__(self, d_in, d_out, context_length, dropout, num_heads, qkv_bias=False):
  MultiHeadAttentionWrapper(const nn::CausalAttentionOptions& options, int num_heads,
                            Generator& generator) {
    // self.heads = nn.ModuleList(
    //     [CausalAttention(d_in, d_out, context_length, dropout, qkv_bias)
    //      for _ in range(num_heads)])
    for (int head = 0; head < num_heads; ++head) {
      heads.append(std::make_unique<nn::CausalAttention>(options, generator));
    }
    register_module("heads", heads);
  }

  Tensor forward(const Tensor& x) const override {  // def forward(self, x):
    // return torch.cat([head(x) for head in self.heads], dim=-1)
    std::vector<Tensor> outputs;
    for (const nn::Module* head : heads) outputs.push_back(head->forward(x));
    return cat(outputs, -1);
  }

  nn::ModuleList heads;
};

int main() {
  const Tensor batch = chapter_batch();
  const nn::CausalAttentionOptions options{
      .d_in = 3, .d_out = 2, .context_length = 6, .dropout = 0.0};
  Generator generator(123);  // torch.manual_seed(123)
  // mha = MultiHeadAttentionWrapper(d_in, d_out, context_length, 0.0, num_heads=2)
  const MultiHeadAttentionWrapper mha(options, 2, generator);
  const Tensor context_vecs = mha.forward(batch);  // context_vecs = mha(batch)

  // Here d_out is the width of one head. Two heads of width 2 make 4 columns.
  print("context vectors", context_vecs);
  print("their shape (B, L, num_heads · d_out)", context_vecs.shape());
  print("the first head alone", mha.heads[0].forward(batch));

  generator.seed(123);
  const nn::MultiHeadAttentionWrapper library(options, 2, generator);
  print("agrees with nn::MultiHeadAttentionWrapper",
        allclose(context_vecs, library.forward(batch)));
}
