#pragma once
// A small causal language model by characters, and one step of its training.

#include <foveal/foveal.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

namespace train {

/// The characters of a text, in their order, as ids from 0.
class Characters {
 public:
  explicit Characters(const std::string& text) {
    const std::set<char> distinct(text.begin(), text.end());
    all_.assign(distinct.begin(), distinct.end());
  }

  std::int64_t count() const { return static_cast<std::int64_t>(all_.size()); }
  char at(std::int64_t id) const { return all_[static_cast<std::size_t>(id)]; }

  /// int64, a number for each character.
  foveal::Tensor ids(const std::string& text) const {
    std::vector<std::int64_t> result;
    for (const char character : text) {
      const std::size_t place = all_.find(character);
      if (place == std::string::npos) {
        throw foveal::Error(std::string("the text has no '") + character +
                            "': a prompt must be of characters that were trained");
      }
      result.push_back(static_cast<std::int64_t>(place));
    }
    return foveal::Tensor::from_vector(result, {static_cast<std::int64_t>(result.size())});
  }

 private:
  std::string all_;
};

struct ModelOptions {
  std::int64_t characters = 0;
  int context_length = 64, width = 64, num_heads = 4, blocks = 2;
};

/// x + attention(norm(x)), then the same with two linear layers.
class Block : public foveal::nn::Module {
 public:
  Block(const ModelOptions& options, foveal::Generator& generator)
      : norm1(options.width),
        attention({.d_in = options.width,
                   .d_out = options.width,
                   .context_length = options.context_length,
                   .num_heads = options.num_heads},
                  generator),
        norm2(options.width) {
    using namespace foveal::nn;
    attention.fused = true;
    feed_forward.append(
        std::make_unique<Linear>(options.width, 4 * options.width, true, generator));
    feed_forward.append(std::make_unique<GELU>());
    feed_forward.append(
        std::make_unique<Linear>(4 * options.width, options.width, true, generator));
    register_module("norm1", norm1);
    register_module("attention", attention);
    register_module("norm2", norm2);
    register_module("feed_forward", feed_forward);
  }

  foveal::Tensor forward(const foveal::Tensor& x) const override {
    const foveal::Tensor seen = x + attention.forward(norm1.forward(x));
    return seen + feed_forward.forward(norm2.forward(seen));
  }

  foveal::nn::LayerNorm norm1;
  foveal::nn::MultiHeadAttention attention;
  foveal::nn::LayerNorm norm2;
  foveal::nn::Sequential feed_forward;
};

/// Ids (B, L), L <= context_length -> a score for each character that may come next, (B, L, count).
class LanguageModel : public foveal::nn::Module {
 public:
  LanguageModel(const ModelOptions& options, foveal::Generator& generator)
      : token(options.characters, options.width, generator),
        place(options.context_length, options.width, generator),
        norm(options.width) {
    // The head is the table of characters. Drawn from N(0, 1) it would be sure of itself, and
    // wrong: a first loss of about 44, where a guess costs ln(count).
    const foveal::NoGrad writes_in_place;
    for (foveal::nn::Embedding* table : {&token, &place}) {
      table->weight.copy_(table->weight * 0.02);
    }
    for (int n = 0; n < options.blocks; ++n) {
      blocks.append(std::make_unique<Block>(options, generator));
    }
    register_module("token", token);
    register_module("place", place);
    register_module("blocks", blocks);
    register_module("norm", norm);
  }

  foveal::Tensor forward(const foveal::Tensor& ids) const override {
    const foveal::Tensor places = foveal::Tensor::arange(ids.size(1));
    const foveal::Tensor x = token.forward(ids) + place.forward(places);
    return foveal::linear(norm.forward(blocks.forward(x)), token.weight);
  }

  foveal::nn::Embedding token, place;
  foveal::nn::Sequential blocks;
  foveal::nn::LayerNorm norm;
};

struct Batch {
  foveal::Tensor inputs = {};   ///< (B, L), int64
  foveal::Tensor targets = {};  ///< the same, one character further
};

/// Windows of the text, from anywhere in it.
inline Batch draw_batch(const foveal::Tensor& ids, std::int64_t length, std::int64_t size,
                        foveal::Generator& generator) {
  std::vector<foveal::Tensor> inputs, targets;
  const foveal::Tensor starts = foveal::randint(0, ids.size(0) - length, {size}, generator);
  for (const double number : starts.to_vector()) {
    const auto start = static_cast<std::int64_t>(number);
    inputs.push_back(ids.slice(0, start, start + length));
    targets.push_back(ids.slice(0, start + 1, start + length + 1));
  }
  return {.inputs = foveal::stack(inputs, 0), .targets = foveal::stack(targets, 0)};
}

/// The mean surprise at each next character, in nats.
inline foveal::Tensor loss_of(const LanguageModel& model, const Batch& batch) {
  const foveal::Tensor logits = model.forward(batch.inputs);
  return foveal::cross_entropy(logits.view({-1, logits.size(-1)}), batch.targets.view({-1}));
}

/// The loss, and then a step down from it.
inline double train_step(const LanguageModel& model, foveal::optim::Optimizer& optimizer,
                         const Batch& batch) {
  const foveal::Tensor loss = loss_of(model, batch);
  optimizer.zero_grad();
  loss.backward();
  foveal::optim::clip_grad_norm_(model.parameters(), 1.0);
  optimizer.step();
  return loss.item();
}

/// `count` characters after the prompt, each drawn by the chances that the model gives it.
inline std::string generate(const LanguageModel& model, const Characters& characters,
                            const std::string& prompt, int count, std::int64_t context_length,
                            foveal::Generator& generator) {
  const foveal::NoGrad off;
  std::string text = prompt;
  while (count-- > 0) {
    const std::size_t seen = std::min(text.size(), static_cast<std::size_t>(context_length));
    const foveal::Tensor ids = characters.ids(text.substr(text.size() - seen));
    const foveal::Tensor logits = model.forward(ids.unsqueeze(0)).select(1, -1)[0];
    const std::vector<double> chances = foveal::softmax(logits, -1).to_vector();
    double left = generator.next_double();
    std::int64_t id = 0;
    while (id + 1 < characters.count() && left >= chances[id]) left -= chances[id++];
    text += characters.at(id);
  }
  return text;
}

}  // namespace train
