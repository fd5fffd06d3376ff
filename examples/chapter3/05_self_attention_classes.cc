// Section 3.4.2: the steps as a class, in two versions.
//
// Both compute softmax(Q K^T / √D) V. They differ in how they keep and draw their weights. Here
// they are written out; PyTorch's line stands beside each line, or above it where it is long.
//
// PyTorch sees what is assigned to self. C++ can't look into a class: a member is made in the list
// after the colon, and the body registers it by its name, so that state_dict and optimisers know of
// it. super().__init__() has no line here: C++ calls it by itself.

#include <cmath>

#include "chapter.h"

using namespace foveal;

/// Version 1 keeps plain matrices (d_in, d_out), drawn uniformly from 0 to 1.
class SelfAttention_v1 : public nn::Module {  // class SelfAttention_v1(nn.Module):
 public:
  SelfAttention_v1(int d_in, int d_out, Generator& generator)  // def __init__(self, d_in, d_out):
      : W_query(rand({d_in, d_out}, generator)),
        W_key(rand({d_in, d_out}, generator)),
        W_value(rand({d_in, d_out}, generator)) {
    register_parameter("W_query", W_query);  // self.W_query = nn.Parameter(torch.rand(d_in, d_out))
    register_parameter("W_key", W_key);      // self.W_key = nn.Parameter(torch.rand(d_in, d_out))
    register_parameter("W_value", W_value);  // self.W_value = nn.Parameter(torch.rand(d_in, d_out))
  }

  Tensor forward(const Tensor& x) const override {  // def forward(self, x):
    Tensor keys = matmul(x, W_key);                 // keys = x @ self.W_key
    Tensor queries = matmul(x, W_query);            // queries = x @ self.W_query
    Tensor values = matmul(x, W_value);             // values = x @ self.W_value

    // attn_scores = queries @ keys.T
    Tensor attn_scores = matmul(queries, keys.transpose(0, 1));
    // attn_weights = torch.softmax(attn_scores / keys.shape[-1]**0.5, dim=-1)
    Tensor attn_weights = softmax(attn_scores / std::sqrt(keys.size(-1)), -1);

    Tensor context_vec = matmul(attn_weights, values);  // context_vec = attn_weights @ values
    return context_vec;                                 // return context_vec
  }

  Tensor W_query, W_key, W_value;  // drawn in this order, whatever the list says
};

/// Version 2 keeps Linear layers. They draw from -1/√d_in to 1/√d_in, which trains better, and they
/// keep the matrix the other way round: (d_out, d_in). Their forward multiplies by its transpose.
class SelfAttention_v2 : public nn::Module {  // class SelfAttention_v2(nn.Module):
 public:
  // def __init__(self, d_in, d_out, qkv_bias=False):
  SelfAttention_v2(int d_in, int d_out, Generator& generator, bool qkv_bias = false)
      : W_query(d_in, d_out, qkv_bias, generator),
        W_key(d_in, d_out, qkv_bias, generator),
        W_value(d_in, d_out, qkv_bias, generator) {
    register_module("W_query", W_query);  // self.W_query = nn.Linear(d_in, d_out, bias=qkv_bias)
    register_module("W_key", W_key);      // self.W_key = nn.Linear(d_in, d_out, bias=qkv_bias)
    register_module("W_value", W_value);  // self.W_value = nn.Linear(d_in, d_out, bias=qkv_bias)
  }

  Tensor forward(const Tensor& x) const override {  // def forward(self, x):
    Tensor keys = W_key.forward(x);                 // keys = self.W_key(x)
    Tensor queries = W_query.forward(x);            // queries = self.W_query(x)
    Tensor values = W_value.forward(x);             // values = self.W_value(x)

    // attn_scores = queries @ keys.T
    Tensor attn_scores = matmul(queries, keys.transpose(0, 1));
    // attn_weights = torch.softmax(attn_scores / keys.shape[-1]**0.5, dim=-1)
    Tensor attn_weights = softmax(attn_scores / std::sqrt(keys.size(-1)), -1);

    Tensor context_vec = matmul(attn_weights, values);  // context_vec = attn_weights @ values
    return context_vec;                                 // return context_vec
  }

  nn::Linear W_query, W_key, W_value;
};

int main() {
  const Tensor inputs = chapter_inputs();

  Generator generator(123);                       // torch.manual_seed(123)
  const SelfAttention_v1 sa_v1(3, 2, generator);  // sa_v1 = SelfAttention_v1(d_in, d_out)
  print("version 1, W_query", sa_v1.W_query);
  print("version 1, context vectors", sa_v1.forward(inputs));  // print(sa_v1(inputs))

  Generator another(789);                       // torch.manual_seed(789)
  const SelfAttention_v2 sa_v2(3, 2, another);  // sa_v2 = SelfAttention_v2(d_in, d_out)
  print("version 2, W_query.weight", sa_v2.W_query.weight);
  print("version 2, context vectors", sa_v2.forward(inputs));  // print(sa_v2(inputs))

  // The numbers differ because the weights do. Exercise 3.1 carries them from one to the other.

  // The library has both classes. From the same seed they draw the same weights.
  generator.seed(123);
  const nn::SelfAttention_v1 library_v1(3, 2, generator);
  print("version 1 agrees with nn::SelfAttention_v1",
        allclose(sa_v1.forward(inputs), library_v1.forward(inputs)));
  generator.seed(789);
  const nn::SelfAttention_v2 library_v2(3, 2, generator);
  print("version 2 agrees with nn::SelfAttention_v2",
        allclose(sa_v2.forward(inputs), library_v2.forward(inputs)));
}
