// A block of GPT-2 that generates: a prompt at once, then token by token over a cache (cache.h).
//
// The same tokens at once, without a cache, must give the same hidden states: where they don't, the
// program fails.

#include <algorithm>
#include <cstdio>

#include "cache.h"

namespace {

using namespace foveal;

constexpr HeadSizes kSizes{.batch = 2, .heads = 4, .head_size = 16};
constexpr std::int64_t kWidth = kSizes.heads * kSizes.head_size;
constexpr std::int64_t kVocabulary = 97, kPrompt = 300, kSteps = 50, kCapacity = kPrompt + kSteps;
constexpr double kTolerance = 1e-12;

/// x + attention(norm(x)), then the same with two linear layers.
class Block : public nn::Module {
 public:
  explicit Block(Generator& generator)
      : norm1_(kWidth),
        query_key_value_(kWidth, 3 * kWidth, true, generator),
        projection_(kWidth, kWidth, true, generator),
        norm2_(kWidth),
        wider_(kWidth, 4 * kWidth, true, generator),
        narrower_(4 * kWidth, kWidth, true, generator) {
    // Larger than a new model's, so that what was seen decides what comes.
    for (nn::Linear* layer : {&query_key_value_, &projection_, &wider_, &narrower_}) {
      layer->weight.copy_(layer->weight * 3.0);
    }
    register_module("norm1", norm1_);
    register_module("query_key_value", query_key_value_);
    register_module("projection", projection_);
    register_module("norm2", norm2_);
    register_module("wider", wider_);
    register_module("narrower", narrower_);
  }

  /// x (B, L, width) -> the same shape. With a cache x are the newest tokens, else all of them.
  Tensor run(const Tensor& x, Cache* cache) const {
    const Tensor seen = x + projection_.forward(attend(norm1_.forward(x), cache));
    const Tensor wide = gelu(wider_.forward(norm2_.forward(seen)), GeluForm::tanh);
    return seen + narrower_.forward(wide);
  }

 private:
  Tensor attend(const Tensor& x, Cache* cache) const {
    // (B, L, 3, H, D); queries, keys and values are views of it, (B, H, L, D).
    const Tensor all = query_key_value_.forward(x).view(
        {kSizes.batch, x.size(1), 3, kSizes.heads, kSizes.head_size});
    const auto part = [&all](std::int64_t n) { return all.select(2, n).transpose(1, 2); };
    const Tensor query = part(0), key = part(1), value = part(2);
    if (cache != nullptr) cache->append(key, value);
    const Tensor seen = cache != nullptr ? cache->attend(query)
                                         : attention(query, key, value, {.mask = causal()}).output;
    return seen.transpose(1, 2).reshape({kSizes.batch, x.size(1), kWidth});
  }

  nn::LayerNorm norm1_;
  nn::Linear query_key_value_, projection_;
  nn::LayerNorm norm2_;
  nn::Linear wider_, narrower_;
};

/// Tables of tokens and places, one block, a norm, and a head that is the table of tokens.
class Model : public nn::Module {
 public:
  explicit Model(Generator& generator)
      : token_(kVocabulary, kWidth, generator),
        place_(kCapacity, kWidth, generator),
        block_(generator),
        norm_(kWidth) {
    // As GPT-2 draws its tables: N(0, 0.02²).
    for (nn::Embedding* table : {&token_, &place_}) table->weight.copy_(table->weight * 0.02);
    register_module("token", token_);
    register_module("place", place_);
    register_module("block", block_);
    register_module("norm", norm_);
  }

  /// Ids (B, L) -> hidden states (B, L, width). With a cache the ids are the newest tokens'.
  Tensor hidden(const Tensor& ids, Cache* cache) const {
    const std::int64_t first = cache != nullptr ? cache->used() : 0;
    const Tensor places = place_.weight.narrow(0, first, ids.size(1));
    return norm_.forward(block_.run(token_.forward(ids) + places, cache));
  }

  /// The likeliest token after the last hidden state of each sequence, (B, 1).
  Tensor next(const Tensor& hidden) const {
    const std::vector<double> scores = linear(hidden.select(1, -1), token_.weight).to_vector();
    std::vector<std::int64_t> ids;
    for (auto row = scores.begin(); row != scores.end(); row += kVocabulary) {
      ids.push_back(std::max_element(row, row + kVocabulary) - row);
    }
    return Tensor::from_vector(ids, {kSizes.batch, 1});
  }

 private:
  nn::Embedding token_, place_;
  Block block_;
  nn::LayerNorm norm_;
};

struct Generated {
  Tensor ids = {};     ///< (B, L), the prompt's first
  Tensor hidden = {};  ///< (B, L, width)
};

Generated generate(const Model& model, const Tensor& prompt) {
  Cache cache(kSizes, kCapacity, DType::float64);
  std::vector<Tensor> ids{prompt}, hidden{model.hidden(prompt, &cache)};
  for (std::int64_t step = 0; step < kSteps; ++step) {
    ids.push_back(model.next(hidden.back()));
    hidden.push_back(model.hidden(ids.back(), &cache));
  }
  return {cat(ids, 1), cat(hidden, 1)};
}

void print_generated(const Tensor& ids) {
  constexpr std::int64_t kShown = 12;
  for (std::int64_t b = 0; b < kSizes.batch; ++b) {
    std::printf("sequence %lld goes on with", static_cast<long long>(b));
    for (const double id : ids[b].narrow(0, kPrompt, kShown).to_vector()) std::printf(" %g", id);
    std::puts(" ...");
  }
}

bool run() {
  const NoGrad only_forward;
  Generator generator(123);
  Model model(generator);
  model.to(DType::float64);
  const Tensor prompt = randint(0, kVocabulary, {kSizes.batch, kPrompt}, generator);
  std::printf("prompt %s, then %d tokens a sequence; H %d, D %d, a cache of %d rows\n",
              to_string(prompt.shape()).c_str(), int{kSteps}, int{kSizes.heads},
              int{kSizes.head_size}, int{kCapacity});

  const Generated generated = generate(model, prompt);
  print_generated(generated.ids);

  const Tensor at_once = model.hidden(generated.ids, nullptr);
  const double difference = max(abs(generated.hidden - at_once).reshape({-1}), 0).item();
  std::printf("hidden states %s with the cache and without: ", to_string(at_once.shape()).c_str());
  if (difference <= kTolerance) {
    std::puts("equal within 1e-12");
    return true;
  }
  std::printf("they differ by %g\n", difference);
  return false;
}

}  // namespace

int main() {
  try {
    return run() ? 0 : 1;
  } catch (const foveal::Error& error) {
    std::fprintf(stderr, "gpt2_block: %s\n", error.what());
    return 1;
  }
}
