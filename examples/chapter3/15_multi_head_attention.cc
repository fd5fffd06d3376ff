// Section 3.6.2: multi-head attention with weight splits.
//
// One projection serves all heads. Its result is split into heads (program 14), all scores come
// from one batched product (program 13), and out_proj mixes what the heads found.
//
// PyTorch's line stands beside each line, or above it where it is long. Program 05 says why what
// PyTorch does in one line of a constructor takes two.

#include <cmath>

#include "chapter.h"

using namespace foveal;

class MultiHeadAttention : public nn::Module {  // class MultiHeadAttention(nn.Module):
 public:
  // def __init__(self, d_in, d_out, context_length, dropout, num_heads, qkv_bias=False):
  MultiHeadAttention(const nn::MultiHeadAttentionOptions& options, Generator& generator)
      : d_out(options.d_out),                         // self.d_out = d_out
        num_heads(options.num_heads),                 // self.num_heads = num_heads
        head_dim(options.d_out / options.num_heads),  // self.head_dim = d_out // num_heads
        W_query(options.d_in, options.d_out, options.qkv_bias, generator),
        W_key(options.d_in, options.d_out, options.qkv_bias, generator),
        W_value(options.d_in, options.d_out, options.qkv_bias, generator),
        out_proj(options.d_out, options.d_out, true, generator),
        dropout(options.dropout, generator),
        mask(triu(Tensor::ones({options.context_length, options.context_length}), 1)) {
    // assert (d_out % num_heads == 0), "d_out must be divisible by num_heads"
    if (d_out % num_heads != 0) throw Error("d_out must be divisible by num_heads");
    register_module("W_query", W_query);    // self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
    register_module("W_key", W_key);        // self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
    register_module("W_value", W_value);    // self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
    register_module("out_proj", out_proj);  // self.out_proj = nn.Linear(d_out, d_out)
    register_module("dropout", dropout);    // self.dropout = nn.Dropout(dropout)
    // self.register_buffer("mask",
    //     torch.triu(torch.ones(context_length, context_length), diagonal=1))
    register_buffer("mask", mask);
  }

  Tensor forward(const Tensor& x) const override {             // def forward(self, x):
    const std::int64_t b = x.size(0), num_tokens = x.size(1);  // b, num_tokens, d_in = x.shape
    Tensor keys = W_key.forward(x);                            // keys = self.W_key(x)
    Tensor queries = W_query.forward(x);                       // queries = self.W_query(x)
    Tensor values = W_value.forward(x);                        // values = self.W_value(x)

    // Split: (B, L, d_out) -> (B, L, H, D).
    // keys = keys.view(b, num_tokens, self.num_heads, self.head_dim)
    keys = keys.view({b, num_tokens, num_heads, head_dim});
    // values = values.view(b, num_tokens, self.num_heads, self.head_dim)
    values = values.view({b, num_tokens, num_heads, head_dim});
    // queries = queries.view(b, num_tokens, self.num_heads, self.head_dim)
    queries = queries.view({b, num_tokens, num_heads, head_dim});

    // Heads in front of tokens: (B, L, H, D) -> (B, H, L, D).
    keys = keys.transpose(1, 2);        // keys = keys.transpose(1, 2)
    queries = queries.transpose(1, 2);  // queries = queries.transpose(1, 2)
    values = values.transpose(1, 2);    // values = values.transpose(1, 2)

    // All scores of all heads in one product: (B, H, L, L).
    // attn_scores = queries @ keys.transpose(2, 3)
    Tensor attn_scores = matmul(queries, keys.transpose(2, 3));
    // mask_bool = self.mask.bool()[:num_tokens, :num_tokens]
    Tensor mask_bool = mask.to(DType::boolean).slice(0, 0, num_tokens).slice(1, 0, num_tokens);
    // attn_scores.masked_fill_(mask_bool, -torch.inf)
    attn_scores.masked_fill_(mask_bool, -INFINITY);
    // attn_weights = torch.softmax(attn_scores / keys.shape[-1]**0.5, dim=-1)
    Tensor attn_weights = softmax(attn_scores / std::sqrt(keys.size(-1)), -1);
    attn_weights = dropout.forward(attn_weights);  // attn_weights = self.dropout(attn_weights)

    // Tokens in front of heads again, and heads side by side: (B, H, L, D) -> (B, L, d_out).
    // context_vec = (attn_weights @ values).transpose(1, 2)
    Tensor context_vec = matmul(attn_weights, values).transpose(1, 2);
    // context_vec = context_vec.contiguous().view(b, num_tokens, self.d_out)
    context_vec = context_vec.contiguous().view({b, num_tokens, d_out});
    context_vec = out_proj.forward(context_vec);  // context_vec = self.out_proj(context_vec)
    return context_vec;                           // return context_vec
  }

  std::int64_t d_out, num_heads, head_dim;
  nn::Linear W_query, W_key, W_value, out_proj;
  nn::Dropout dropout;
  Tensor mask;  // 1 above the diagonal: there the key comes after the query, and is dropped
};

int main() {
  // Here d_out is the width of all heads together: each has D = d_out / num_heads = 1. In the
  // wrapper (program 11) it was the width of one.
  const Tensor batch = chapter_batch();
  const nn::MultiHeadAttentionOptions options{
      .d_in = 3, .d_out = 2, .context_length = 6, .dropout = 0.0, .num_heads = 2};
  Generator generator(123);  // torch.manual_seed(123)
  // mha = MultiHeadAttention(d_in, d_out, context_length, 0.0, num_heads=2)
  const MultiHeadAttention mha(options, generator);
  const Tensor context_vecs = mha.forward(batch);  // context_vecs = mha(batch)
  print("context vectors", context_vecs);
  print("their shape (B, L, d_out)", context_vecs.shape());

  // The scores are divided by √D, the width of one head; not √d_out, not √d_in.
  std::cout << "head size D: " << mha.head_dim << "\n\n";

  std::cout << "what it holds:\n";
  for (const auto& [name, tensor] : mha.state_dict()) {
    std::cout << "  " << name << " " << to_string(tensor.shape()) << "\n";
  }

  // The library's class draws the same weights from the same seed.
  generator.seed(123);
  const nn::MultiHeadAttention library(options, generator);
  std::cout << "\n";
  print("agrees with nn::MultiHeadAttention", allclose(context_vecs, library.forward(batch)));
}
