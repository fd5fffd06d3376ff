#pragma once
// Every operation, once: what tests, gradient checks and the benchmark go through.

#include <functional>
#include <string>
#include <vector>

#include "foveal/foveal.h"

namespace foveal::operation_cases {

using Tensors = std::vector<Tensor>;

/// What an input holds.
enum class Holds {
  numbers,    ///< from -2 to 2, none near 0 or another, so that differences see no corner
  positive,   ///< from 0.5 to 2.5
  flags,      ///< bool
  small_ids,  ///< int64 from 0 to 2
};

struct Input {
  Shape shape;
  Holds holds = Holds::numbers;
};

struct OperationCase {
  std::string name;
  /// From sizes (b, m, n, k), each 0 or more, the shapes of the inputs.
  std::function<std::vector<Input>(std::int64_t b, std::int64_t m, std::int64_t n, std::int64_t k)>
      inputs;
  std::function<Tensor(const Tensors&)> run;
  bool takes_empty = true;  ///< an axis may be 0
  bool has_gradient = true;
};

using Sizes = std::int64_t;

inline std::vector<Input> one(Sizes b, Sizes m, Sizes n, Sizes) { return {{{b, m, n}}}; }
inline std::vector<Input> positive(Sizes b, Sizes m, Sizes n, Sizes) {
  return {{{b, m, n}, Holds::positive}};
}
inline std::vector<Input> same(Sizes b, Sizes m, Sizes n, Sizes) {
  return {{{b, m, n}}, {{b, m, n}}};
}

/// Each unary, binary and other operation of operations.h and each view of tensor.h.
inline std::vector<OperationCase> all() {
  const auto row_and_all = [](Sizes b, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
    return {{{b, m, n}}, {{n}}};
  };
  const auto columns = [](Sizes b, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
    return {{{b, 1, n}}, {{m, 1}, Holds::positive}};
  };
  const auto with_flags = [](Sizes b, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
    return {{{b, m, n}}, {{m, n}, Holds::flags}};
  };
  std::vector<OperationCase> cases = {
      {"a + b", same, [](const Tensors& t) { return t[0] + t[1]; }},
      {"a + row", row_and_all, [](const Tensors& t) { return t[0] + t[1]; }},
      {"a - b", same, [](const Tensors& t) { return t[0] - t[1]; }},
      {"row - a", row_and_all, [](const Tensors& t) { return t[1] - t[0]; }},
      {"a * b", same, [](const Tensors& t) { return t[0] * t[1]; }},
      {"a * column", columns, [](const Tensors& t) { return t[0] * t[1]; }},
      {"a * a", one, [](const Tensors& t) { return t[0] * t[0]; }},
      {"a / column", columns, [](const Tensors& t) { return t[0] / t[1]; }},
      {"a + 2", one, [](const Tensors& t) { return t[0] + 2.0; }},
      {"a - 2", one, [](const Tensors& t) { return t[0] - 2.0; }},
      {"2 + a", one, [](const Tensors& t) { return 2.0 + t[0]; }},
      {"2 - a", one, [](const Tensors& t) { return 2.0 - t[0]; }},
      {"a * 3", one, [](const Tensors& t) { return t[0] * 3.0; }},
      {"3 * a", one, [](const Tensors& t) { return 3.0 * t[0]; }},
      {"a / 3", one, [](const Tensors& t) { return t[0] / 3.0; }},
      {"2 / a", positive, [](const Tensors& t) { return 2.0 / t[0]; }},
      {"-a", one, [](const Tensors& t) { return -t[0]; }},
      {"abs", one, [](const Tensors& t) { return abs(t[0]); }},
      {"exp", one, [](const Tensors& t) { return exp(t[0]); }},
      {"log", positive, [](const Tensors& t) { return log(t[0]); }},
      {"sqrt", positive, [](const Tensors& t) { return sqrt(t[0]); }},
      {"pow 2", one, [](const Tensors& t) { return pow(t[0], 2); }},
      {"pow 0", one, [](const Tensors& t) { return pow(t[0], 0) + t[0]; }},
      {"pow -1.5", positive, [](const Tensors& t) { return pow(t[0], -1.5); }},
      {"tanh", one, [](const Tensors& t) { return tanh(t[0]); }},
      {"relu", one, [](const Tensors& t) { return relu(t[0]); }},
      {"gelu", one, [](const Tensors& t) { return gelu(t[0]); }},
      {"gelu tanh", one, [](const Tensors& t) { return gelu(t[0], GeluForm::tanh); }},
      {"where", with_flags, [](const Tensors& t) { return where(t[1], t[0], t[0] * 2.0); }},
      {"masked_fill", with_flags, [](const Tensors& t) { return masked_fill(t[0], t[1], -3); }},
      {"triu", one, [](const Tensors& t) { return triu(t[0], 1); }},
      {"tril", one, [](const Tensors& t) { return tril(t[0], -1); }},
      {"gt", same, [](const Tensors& t) { return gt(t[0], t[1]); }, true, false},
      {"logical_not", with_flags, [](const Tensors& t) { return logical_not(t[1]); }, true, false},
      {"sum", one, [](const Tensors& t) { return sum(t[0]); }},
      {"sum(0)", one, [](const Tensors& t) { return sum(t[0], 0); }},
      {"sum(-1, keepdim)", one, [](const Tensors& t) { return sum(t[0], -1, true); }},
      {"mean", one, [](const Tensors& t) { return mean(t[0]); }, false},
      {"mean(1)", one, [](const Tensors& t) { return mean(t[0], 1); }, false},
      {"max(-1)", one, [](const Tensors& t) { return max(t[0], -1); }, false},
      {"max(0, keepdim)", one, [](const Tensors& t) { return max(t[0], 0, true); }, false},
      {"softmax(-1)", one, [](const Tensors& t) { return softmax(t[0], -1); }},
      {"softmax(1)", one, [](const Tensors& t) { return softmax(t[0], 1); }},
      {"log_softmax(-1)", one, [](const Tensors& t) { return log_softmax(t[0], -1); }},
      {"log_softmax(0)", one, [](const Tensors& t) { return log_softmax(t[0], 0); }},
  };
  const std::vector<OperationCase> products = {
      {"matmul",
       [](Sizes b, Sizes m, Sizes n, Sizes k) -> std::vector<Input> {
         return {{{b, m, k}}, {{b, k, n}}};
       },
       [](const Tensors& t) { return matmul(t[0], t[1]); }},
      {"matmul of one matrix",
       [](Sizes b, Sizes m, Sizes n, Sizes k) -> std::vector<Input> {
         return {{{b, m, k}}, {{k, n}}};
       },
       [](const Tensors& t) { return matmul(t[0], t[1]); }},
      {"matmul broadcast",
       [](Sizes b, Sizes m, Sizes n, Sizes k) -> std::vector<Input> {
         return {{{m, k}}, {{b, k, n}}};
       },
       [](const Tensors& t) { return matmul(t[0], t[1]); }},
      {"matmul of a vector",
       [](Sizes b, Sizes m, Sizes, Sizes k) -> std::vector<Input> { return {{{b, m, k}}, {{k}}}; },
       [](const Tensors& t) { return matmul(t[0], t[1]); }},
      {"matmul by a vector",
       [](Sizes b, Sizes, Sizes n, Sizes k) -> std::vector<Input> { return {{{k}}, {{b, k, n}}}; },
       [](const Tensors& t) { return matmul(t[0], t[1]); }},
      {"dot", [](Sizes, Sizes, Sizes, Sizes k) -> std::vector<Input> { return {{{k}}, {{k}}}; },
       [](const Tensors& t) { return dot(t[0], t[1]); }},
      {"linear",
       [](Sizes b, Sizes m, Sizes n, Sizes k) -> std::vector<Input> {
         return {{{b, m, k}}, {{n, k}}, {{n}}};
       },
       [](const Tensors& t) { return linear(t[0], t[1], t[2]); }},
      {"linear without bias",
       [](Sizes, Sizes m, Sizes n, Sizes k) -> std::vector<Input> { return {{{m, k}}, {{n, k}}}; },
       [](const Tensors& t) { return linear(t[0], t[1]); }},
      {"einsum",
       [](Sizes b, Sizes m, Sizes n, Sizes k) -> std::vector<Input> {
         return {{{b, m, k}}, {{n, b, k}}};
       },
       [](const Tensors& t) { return einsum("bmk,nbk->nbm", t[0], t[1]); }},
      {"einsum that sums",
       [](Sizes b, Sizes m, Sizes n, Sizes k) -> std::vector<Input> {
         return {{{b, m, k}}, {{k, n}}};
       },
       [](const Tensors& t) { return einsum("bmk,kn->m", t[0], t[1]); }},
      {"embedding",
       [](Sizes, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
         return {{{3, n}}, {{2, m}, Holds::small_ids}};
       },
       [](const Tensors& t) { return embedding(t[0], t[1]); }},
      {"index_select",
       [](Sizes b, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
         return {{{b, 3, n}}, {{m}, Holds::small_ids}};
       },
       [](const Tensors& t) { return index_select(t[0], 1, t[1]); }},
      {"cross_entropy",
       [](Sizes, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
         return {{{m, n + 3}}, {{m}, Holds::small_ids}};
       },
       [](const Tensors& t) { return cross_entropy(t[0], t[1]); }, false},
      {"cross_entropy, ignoring",
       [](Sizes, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
         return {{{m, n + 3}}, {{m}, Holds::small_ids}};
       },
       [](const Tensors& t) {
         return cross_entropy(cat({t[0], t[0]}, 0),
                              cat({t[1], Tensor::zeros({1}, DType::int64).expand(t[1].shape())}, 0),
                              1);
       },
       false},
      // eps keeps lines of near numbers from bending more than a difference can follow.
      {"layer_norm",
       [](Sizes b, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
         return {{{b, m, n + 2}}, {{n + 2}}, {{n + 2}}};
       },
       [](const Tensors& t) { return layer_norm(t[0], t[1], t[2], 0.01); }},
      {"layer_norm without weight",
       [](Sizes b, Sizes m, Sizes n, Sizes) -> std::vector<Input> { return {{{b, m, n + 2}}}; },
       [](const Tensors& t) { return layer_norm(t[0], {}, {}, 0.01); }},
      {"dropout", one,
       [](const Tensors& t) {
         Generator generator(7);
         return dropout(t[0], 0.4, generator);
       }},
      {"cat(1)", same, [](const Tensors& t) { return cat({t[0], t[1], t[0]}, 1); }},
      {"stack(-1)", same, [](const Tensors& t) { return stack({t[0], t[1]}, -1); }},
      {"unbind", one,
       [](const Tensors& t) {
         Tensor total = sum(t[0], 1) * 0.5;
         for (const Tensor& entry : unbind(t[0], 1)) total = total * 0.5 + entry * total;
         return total;
       }},
  };
  const std::vector<OperationCase> views = {
      {"view", one,
       [](const Tensors& t) {
         const Tensor dense = t[0].contiguous();
         return dense.view({dense.size(0), dense.size(1) * dense.size(2)});
       }},
      {"reshape", one,
       [](const Tensors& t) { return t[0].reshape({t[0].size(0) * t[0].size(1), t[0].size(2)}); }},
      {"transpose", one, [](const Tensors& t) { return t[0].transpose(0, -1); }},
      {"permute", one, [](const Tensors& t) { return t[0].permute({1, -1, 0}); }},
      {"slice", one, [](const Tensors& t) { return t[0].slice(1, 1, 4, 2); }},
      {"narrow", one,
       [](const Tensors& t) {
         return t[0].narrow(-1, t[0].size(-1) / 2, t[0].size(-1) - t[0].size(-1) / 2);
       }},
      {"select", one, [](const Tensors& t) { return t[0].select(-1, 0); }, false},
      {"slices that overlap", one,
       [](const Tensors& t) {
         return t[0].slice(1, 0, 2) * sum(t[0].slice(1, 1, 3)) + sum(t[0].select(1, -1));
       },
       false},
      {"expand",
       [](Sizes b, Sizes m, Sizes n, Sizes) -> std::vector<Input> {
         return {{{m, 1, n}}, {{b, m, 4, n}}};
       },
       [](const Tensors& t) { return t[0].expand(t[1].shape()) * t[1]; }},
      {"unsqueeze", one, [](const Tensors& t) { return t[0].unsqueeze(1); }},
      {"squeeze",
       [](Sizes b, Sizes, Sizes n, Sizes) -> std::vector<Input> { return {{{b, 1, n}}}; },
       [](const Tensors& t) { return t[0].squeeze(1); }},
      {"contiguous", one, [](const Tensors& t) { return t[0].transpose(0, 1).contiguous(); }},
      {"clone", one, [](const Tensors& t) { return t[0].clone(); }},
      {"to", one, [](const Tensors& t) { return t[0].to(DType::float64) * 0.5; }},
      {"fill_", one,
       [](const Tensors& t) {
         Tensor a = t[0] * 2.0;
         a.slice(1, 0, 1).fill_(3);
         return a * t[0];
       }},
      {"copy_ to a part", same,
       [](const Tensors& t) {
         Tensor a = t[0] * 1.5;
         Tensor part = a.slice(2, 0, 1);
         part.copy_(t[1].slice(2, 0, 1) * 2.0);
         return a * a + sum(part * t[0].slice(2, 0, 1));
       }},
      {"copy_ to zeros", same,
       [](const Tensors& t) {
         Tensor all = Tensor::zeros({2, t[0].size(0), t[0].size(1), t[0].size(2)}, t[0].dtype());
         all.select(0, 0).copy_(t[0]);
         all.select(0, 1).copy_(t[1]);
         return all.select(0, 0) * all.select(0, 1);
       }},
      {"masked_fill_", with_flags,
       [](const Tensors& t) {
         Tensor a = t[0] * 2.0;
         const Tensor earlier = exp(a);
         const Tensor turned = a.transpose(1, 2);
         return Tensor(a.masked_fill_(t[1], 5)) + earlier + turned.transpose(1, 2);
       },
       true, true},
  };
  cases.insert(cases.end(), products.begin(), products.end());
  cases.insert(cases.end(), views.begin(), views.end());
  return cases;
}

}  // namespace foveal::operation_cases
