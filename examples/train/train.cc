// Trains a small language model on a chapter, shows what it writes, and keeps its weights.
//
// usage: train [--steps N] [--seed N] [--prompt TEXT] [--text FILE] [--weights FILE] [--out FILE]
//
// README.md in this folder says what each is. From the project's root, where the text is.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>

#include "model.h"

namespace {

using namespace foveal;

constexpr std::int64_t kBatch = 16;
constexpr double kLearningRate = 2e-3;
constexpr int kGenerated = 300;

struct Options {
  int steps = 1000;
  int seed = 1;
  std::string prompt = "Alice ";
  std::string text = "examples/train/text.txt";
  std::string weights = "";  ///< to begin from
  std::string out = "";      ///< where they go
};

int number(const std::string& name, const std::string& value) {
  char* end = nullptr;
  const long result = std::strtol(value.c_str(), &end, 10);
  if (!value.empty() && *end == '\0' && result >= 0 && result <= 1'000'000'000) {
    return static_cast<int>(result);
  }
  throw Error(name + " is '" + value + "': it must be a whole number, 0 or more", ErrorKind::usage);
}

Options options_of(int argc, char** argv) {
  Options options;
  const std::map<std::string, std::string*> texts = {{"--prompt", &options.prompt},
                                                     {"--text", &options.text},
                                                     {"--weights", &options.weights},
                                                     {"--out", &options.out}};
  const std::map<std::string, int*> numbers = {{"--steps", &options.steps},
                                               {"--seed", &options.seed}};
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const bool is_text = texts.count(name) > 0;
    if (!is_text && numbers.count(name) == 0) {
      throw Error("there is no option " + name +
                      ": there are --steps, --seed, --prompt, --text, --weights and --out",
                  ErrorKind::usage);
    }
    if (i + 1 == argc) throw Error(name + " has no value: give one after it", ErrorKind::usage);
    if (is_text) {
      *texts.at(name) = argv[i + 1];
    } else {
      *numbers.at(name) = number(name, argv[i + 1]);
    }
  }
  if (options.prompt.empty())
    throw Error("--prompt is empty: give a character or more", ErrorKind::usage);
  return options;
}

std::string read_text(const std::string& path, std::int64_t context_length) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    throw Error("the text '" + path +
                    "' can't be read: run this from the project's root, or name "
                    "another with --text",
                ErrorKind::file);
  }
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (static_cast<std::int64_t>(text.size()) >= context_length + 2) return text;
  throw Error("the text '" + path + "' has " + std::to_string(text.size()) +
              " characters: it must have " + std::to_string(context_length + 2) + " or more");
}

/// A folder that isn't there is told before the training.
void require_folder(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  std::error_code none;  // what can't be looked at isn't there
  if (folder.empty() || std::filesystem::is_directory(folder, none)) return;
  throw Error(path + ": there is no folder '" + folder.string() + "': make it first",
              ErrorKind::file);
}

/// How far it is, on a terminal alone; wiped when the next line is printed.
void show_progress(int step, int steps, double loss) {
  if (isatty(STDERR_FILENO) == 0) return;
  std::fprintf(stderr, "\r\x1b[Kstep %d of %d, loss %.3f", step, steps, loss);
}

/// Prints the mean loss of each tenth of the steps.
void train_for(int steps, const train::LanguageModel& model, const Tensor& ids, std::int64_t length,
               Generator& generator) {
  optim::AdamW optimizer(model.parameters(), {.learning_rate = kLearningRate});
  const int tenth = std::max(1, steps / 10);
  double sum = 0;
  for (int step = 1, since = 0; step <= steps; ++step) {
    const double loss =
        train::train_step(model, optimizer, train::draw_batch(ids, length, kBatch, generator));
    sum += loss;
    ++since;
    show_progress(step, steps, loss);
    if (step % tenth != 0 && step != steps) continue;
    if (isatty(STDERR_FILENO) != 0) std::fputs("\r\x1b[K", stderr);
    std::printf("step %5d: loss %.3f\n", step, sum / since);
    std::fflush(stdout);
    sum = since = 0;
  }
}

void run(const Options& options) {
  if (!options.out.empty()) require_folder(options.out);
  train::ModelOptions shape;
  const std::string text = read_text(options.text, shape.context_length);
  const train::Characters characters(text);
  const Tensor ids = characters.ids(text);
  characters.ids(options.prompt);  // what can't be continued is told before the training
  shape.characters = characters.count();

  Generator generator(static_cast<std::uint64_t>(options.seed));
  auto model = std::make_unique<train::LanguageModel>(shape, generator);
  if (!options.weights.empty()) model->load(options.weights);
  std::printf("%zu characters, %lld of them distinct; %lld parameters\n", text.size(),
              static_cast<long long>(characters.count()),
              static_cast<long long>(model->parameter_count()));

  train_for(options.steps, *model, ids, shape.context_length, generator);

  if (!options.out.empty()) {
    model->save(options.out);
    model = std::make_unique<train::LanguageModel>(shape, generator);
    model->load(options.out);
    std::puts("saved, and loaded into a new model, which writes:");
  }
  Generator draws(static_cast<std::uint64_t>(options.seed));
  std::printf("\n%s\n", train::generate(*model, characters, options.prompt, kGenerated,
                                        shape.context_length, draws)
                            .c_str());
}

}  // namespace

int main(int argc, char** argv) {
  try {
    run(options_of(argc, argv));
    return 0;
  } catch (const Error& error) {
    std::fprintf(stderr, "train: %s\n", error.what());
    return error.kind() == ErrorKind::usage ? 2 : 1;
  }
}
