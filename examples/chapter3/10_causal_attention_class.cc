// Section 3.5.3: a class with causal mask and dropout, for batches.
//
// PyTorch's line stands beside each line, or above it where it is long. Program 05 says why what
// PyTorch does in one line of a constructor takes two.

#include <cmath>

#include "chapter.h"

using namespace foveal;

class CausalAttention : public nn::Module {  // class CausalAttention(nn.Module):
 public:
  // def __init__(self, d_in, d_out, context_length, dropout, qkv_bias=False):
  CausalAttention(const nn::CausalAttentionOptions& options, Generator& generator)
      : d_out(options.d_out),  // self.d_out = d_out
        W_query(options.d_in, options.d_out, options.qkv_bias, generator),
        W_key(options.d_in, options.d_out, options.qkv_bias, generator),
        W_value(options.d_in, options.d_out, options.qkv_bias, generator),
        dropout(options.dropout, generator),
        mask(triu(Tensor::ones({options.context_length, options.context_length}), 1)) {
    register_module("W_query", W_query);  // self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
    register_module("W_key", W_key);      // self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
    register_module("W_value", W_value);  // self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
    register_module("dropout", dropout);  // self.dropout = nn.Dropout(dropout)
    // self.register_buffer('mask',
    //     torch.triu(torch.ones(context_length, context_length), diagonal=1))
    register_buffer("mask", mask);
  }

  Tensor forward(const Tensor& x) const override {  // def forward(self, x):
    const std::int64_t num_tokens = x.size(1);      // b, num_tokens, d_in = x.shape
    Tensor keys = W_key.forward(x);                 // keys = self.W_key(x)
    Tensor queries = W_query.forward(x);            // queries = self.W_query(x)
    Tensor values = W_value.forward(x);             // values = self.W_value(x)

    // attn_scores = queries @ keys.transpose(1, 2)
    Tensor attn_scores = matmul(queries, keys.transpose(1, 2));
    // attn_scores.masked_fill_(self.mask.bool()[:num_tokens, :num_tokens], -torch.inf)
    attn_scores.masked_fill_(
        mask.to(DType::boolean).slice(0, 0, num_tokens).slice(1, 0, num_tokens), -INFINITY);
    // attn_weights = torch.softmax(attn_scores / keys.shape[-1]**0.5, dim=-1)
    Tensor attn_weights = softmax(attn_scores / std::sqrt(keys.size(-1)), -1);
    attn_weights = dropout.forward(attn_weights);  // attn_weights = self.dropout(attn_weights)

    Tensor context_vec = matmul(attn_weights, values);  // context_vec = attn_weights @ values
    return context_vec;                                 // return context_vec
  }

  std::int64_t d_out;
  nn::Linear W_query, W_key, W_value;
  nn::Dropout dropout;
  Tensor mask;  // 1 above the diagonal: there the key comes after the query, and is dropped
};

int main() {
  const Tensor batch = chapter_batch();
  print("shape of the batch (B, L, d_in)", batch.shape());

  Generator generator(123);  // torch.manual_seed(123)
  // ca = CausalAttention(d_in, d_out, context_length, 0.0)
  const CausalAttention ca({.d_in = 3, .d_out = 2, .context_length = 6, .dropout = 0.0}, generator);
  const Tensor context_vecs = ca.forward(batch);  // context_vecs = ca(batch)
  print("context vectors", context_vecs);
  print("their shape (B, L, d_out)", context_vecs.shape());

  // The mask is made once, for the longest sequence; a shorter one uses its upper left corner. A
  // causal row never looks ahead, so the first three rows are what they were.
  print("of the first three tokens alone", ca.forward(batch.slice(1, 0, 3)));

  // The library has the class too. From the same seed it draws the same weights, and with dropout
  // the same mask: dropout goes on in the stream that the weights were drawn from.
  const nn::CausalAttentionOptions half{.d_in = 3, .d_out = 2, .context_length = 6, .dropout = 0.5};
  generator.seed(123);
  const Tensor ours = CausalAttention(half, generator).forward(batch);
  generator.seed(123);
  const Tensor of_library = nn::CausalAttention(half, generator).forward(batch);
  print("with dropout 0.5 it agrees with nn::CausalAttention", allclose(ours, of_library));
}
