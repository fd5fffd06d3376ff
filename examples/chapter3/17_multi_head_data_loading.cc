// Multi-head attention on real text: the loader notebook, variants A and B.
//
// Text -> tokens -> windows -> embeddings -> attention. Usage: 17_multi_head_data_loading [MERGES],
// where MERGES is GPT-2's merges file, "vocab.bpe". Without it: $FOVEAL_GPT2_MERGES, else the one
// that `tools/setup test` puts into build/.

#include <cstdlib>

#include "chapter.h"

using namespace foveal;

const std::string kText =
    "Attention is a way of looking. A reader who meets a hard sentence does not weigh its words "
    "alike: she returns to two or three of them, sets them side by side, and lets the rest fall "
    "quiet. What she keeps is a mixture, part of one word and more of another, and the next "
    "sentence starts from there.\n"
    "It's much the same with tokens: each asks a question, each offers a key, and what comes back "
    "is a weighted sum. Numbers like 3.14159 or 2,360,064 count too; so do naïve, Übung and "
    "日本.\n";

std::string merges_path(int argc, char** argv) {
  if (argc > 1) return argv[1];
  const char* from_environment = std::getenv("FOVEAL_GPT2_MERGES");
  return from_environment != nullptr ? from_environment : "build/data/gpt2/vocab.bpe";
}

/// The first eight numbers of the first token.
void print_start(const std::string& label, const Tensor& x) {
  print(label, x[0][0].slice(0, 0, 8));
}

void run(const std::string& merges) {
  const text::Tokenizer tokenizer = text::Tokenizer::from_merges_file(merges);
  const std::vector<std::int64_t> ids = tokenizer.encode(kText);
  std::cout << ids.size() << " tokens from a vocabulary of " << tokenizer.vocabulary_size()
            << "\n\n";

  // Each token has a row in one table, each place in the window a row in another.
  Generator generator(123);
  const std::int64_t width = 256;
  const std::int64_t context_length = 1024;
  const nn::Embedding token_embedding(tokenizer.vocabulary_size(), width, generator);
  const nn::Embedding position_embedding(context_length, width, generator);

  // Windows of 4 tokens that don't overlap, in random order, 8 a batch.
  const std::int64_t length = 4;
  const text::DataLoader loader(
      ids, {.batch_size = 8, .length = length, .stride = 4, .shuffle = true, .drop_last = false});
  std::cout << loader.window_count() << " windows\n\n";
  const text::Batch batch = loader.batch(loader.epoch_order(generator)[0]);
  print("inputs of the first batch", batch.inputs);
  print("targets: one token further", batch.targets);

  // (8, 4, 256) + (4, 256): every window gets the same positions.
  const Tensor input_embeddings =
      token_embedding.forward(batch.inputs) + position_embedding.forward(Tensor::arange(length));
  print("shape of the input embeddings", input_embeddings.shape());
  print_start("first token's embedding begins", input_embeddings);

  // Variant A: two heads of width 128, one after the other, then a projection.
  generator.seed(123);
  const nn::MultiHeadAttentionWrapperWithProjection variant_a(
      {.d_in = width, .d_out = width / 2, .context_length = length}, 2, generator);
  const Tensor context_a = variant_a.forward(input_embeddings);
  print("shape of variant A", context_a.shape());
  print_start("its first token begins", context_a);

  // Variant B: one projection of width 256, split into two heads. It draws its weights in another
  // order, so its numbers are others; what it can learn is the same.
  generator.seed(123);
  const nn::MultiHeadAttention variant_b(
      {.d_in = 256, .d_out = 256, .context_length = 4, .dropout = 0.0, .num_heads = 2}, generator);
  const Tensor context_b = variant_b.forward(input_embeddings);
  print("shape of variant B", context_b.shape());
  print_start("its first token begins", context_b);
}

int main(int argc, char** argv) {
  try {
    run(merges_path(argc, argv));
  } catch (const Error& error) {
    std::cerr << error.what() << " (give the path of GPT-2's vocab.bpe, or run tools/setup test)\n";
    return 1;
  }
}
