// Section 3.4.1: trainable weights, step by step, for one query.
//
// Each token now plays three parts. As a query it asks, as a key it is matched, as a value it is
// handed over. A matrix for each part turns the input into it.

#include <cmath>

#include "chapter.h"

using namespace foveal;

int main() {
  const Tensor inputs = chapter_inputs();
  const Tensor x_2 = inputs[1];
  const std::int64_t d_in = 3;   // numbers in an input
  const std::int64_t d_out = 2;  // numbers in a query, key or value; often the same as d_in

  // Drawn in this order: another order gives other numbers from the same seed.
  Generator generator(123);
  const Tensor W_query = rand({d_in, d_out}, generator);
  const Tensor W_key = rand({d_in, d_out}, generator);
  const Tensor W_value = rand({d_in, d_out}, generator);
  print("W_query", W_query);
  print("W_key", W_key);
  print("W_value", W_value);

  // One query, but keys and values of all tokens: the query looks at each of them.
  const Tensor query_2 = matmul(x_2, W_query);
  const Tensor keys = matmul(inputs, W_key);
  const Tensor values = matmul(inputs, W_value);
  print("query 2", query_2);
  print("keys", keys);
  print("values", values);

  print("score of query 2 and key 2", dot(query_2, keys[1]));
  const Tensor attn_scores_2 = matmul(query_2, keys.transpose(0, 1));
  print("scores of query 2", attn_scores_2);

  // Long vectors have large dot products, and softmax of large scores picks one key alone. Dividing
  // by the square root of the length holds that in check. The length is that of a key (2 here), not
  // of an input (3).
  const std::int64_t d_k = keys.size(-1);
  const Tensor attn_weights_2 = softmax(attn_scores_2 / std::sqrt(static_cast<double>(d_k)), -1);
  print("weights of query 2, scores divided by the square root of 2", attn_weights_2);

  // The values are mixed, not the inputs.
  const Tensor context_vec_2 = matmul(attn_weights_2, values);
  print("context vector of query 2", context_vec_2);
}
