#include "measure/compare/compare.h"

#include <algorithm>
#include <memory>

#include "foveal/error.h"
#include "foveal/safetensors.h"
#include "foveal/threads.h"
#include "kernels/targets/registry.h"
#include "measure/compare/candidate.h"
#include "measure/compare/peak_memory.h"
#include "measure/compare/peer.h"
#include "measure/inputs.h"
#include "measure/machine.h"
#include "tensor/operation_times.h"

namespace foveal::measure {
namespace {

void require_positive(const char* option, int value) {
  if (value >= 1) return;
  throw Error(
      std::string("compare: ") + option + " is " + std::to_string(value) + ": it must be 1 or more",
      ErrorKind::usage);
}

void check(const CompareSettings& settings) {
  require_positive("--batch", settings.batch);
  require_positive("--tokens", settings.tokens);
  require_positive("--width", settings.width);
  require_positive("--heads", settings.heads);
  require_positive("--repeats", settings.repeats);
  if (settings.width % settings.heads != 0) {
    throw Error("compare: --width is " + std::to_string(settings.width) + " and --heads " +
                    std::to_string(settings.heads) + ": the width must be divisible by the heads",
                ErrorKind::usage);
  }
  const std::vector<std::string>& all = nn::variants::names();
  for (const std::string& name : settings.variants) {
    if (std::count(settings.variants.begin(), settings.variants.end(), name) > 1) {
      throw Error("compare: --variants names '" + name + "' twice", ErrorKind::usage);
    }
    if (std::find(all.begin(), all.end(), name) != all.end()) continue;
    std::string list;
    for (const std::string& known : all) list += (list.empty() ? "" : ", ") + known;
    throw Error("compare: there is no variant '" + name + "': the nine are " + list,
                ErrorKind::usage);
  }
}

/// The scores of all heads, which the chapter's variant makes, and all are compared with it.
void require_scores(const CompareSettings& settings) {
  const Shape scores = {settings.batch, settings.heads, settings.tokens, settings.tokens};
  require_memory("compare: scores " + foveal::to_string(scores) + " of the chapter's variant",
                 bytes_of(scores, settings.dtype));
}

/// One of ours, or of PyTorch's, on its way through the comparison.
struct Runner {
  CompareRow row;
  std::unique_ptr<Candidate> ours;  ///< null: PyTorch's
  std::vector<double> forward, forward_backward;

  bool is_compiled() const { return row.library == "torch_compiled"; }
};

class Compare {
 public:
  Compare(const CompareSettings& settings, const CompareProgress& progress)
      : settings_(settings), progress_(progress) {
    const std::size_t libraries =
        1U + (settings.with_torch ? 1U : 0U) + (settings.compile ? 1U : 0U);
    const std::size_t rows = settings.variants.size() * libraries;
    // Peak memory, agreement, the first round, and each repeat of each row count as one step.
    steps_ = static_cast<double>(rows) * (3.0 + settings.repeats);
  }

  Comparison run();

 private:
  void step(const std::string& what) { progress_(what, done_++ / steps_); }
  void require_torch();
  void measure_peaks();
  void make_runners();
  void compare_answers(const Answers& chapter);
  void ask_torch(Runner& runner, const Answers& chapter);
  double seconds_asked(const char* question, Runner& runner);
  void time_once(Runner& runner);
  void look_where(Runner& runner);
  Peer::Reply ask(const std::string& question, Runner& runner) {
    return peer_->ask(question, runner.row.variant, runner.is_compiled());
  }

  CompareSettings settings_;
  const CompareProgress& progress_;
  double steps_ = 1, done_ = 0;
  std::map<std::string, std::optional<std::int64_t>> peaks_, torch_peaks_;
  CompareInputs inputs_;
  std::unique_ptr<Peer> peer_;
  std::vector<Runner> runners_;
};

/// Says what is missing before anything takes long.
void Compare::require_torch() {
  step("starting " + settings_.python);
  CompareSettings least = settings_;
  least.batch = least.tokens = 1;
  least.width = least.heads;
  const Peer peer(least, compare_inputs(least), 1);
}

/// Ours, before this process holds anything itself; then PyTorch's, each in a Python of its own.
void Compare::measure_peaks() {
  for (const std::string& variant : settings_.variants) {
    step("peak memory of " + variant);
    peaks_[variant] = peak_bytes_of(variant, settings_);
  }
  inputs_ = compare_inputs(settings_);
  if (!settings_.with_torch) return;
  for (const std::string& variant : settings_.variants) {
    step("peak memory of PyTorch's " + variant);
    Peer alone(settings_, inputs_, num_threads());
    const Peer::Reply reply = alone.ask("peak", variant);
    if (reply.failed.empty()) torch_peaks_[variant] = static_cast<std::int64_t>(reply.number);
  }
}

void Compare::make_runners() {
  std::vector<std::string> libraries = {"foveal"};
  if (settings_.with_torch) libraries.emplace_back("torch");
  if (settings_.compile) libraries.emplace_back("torch_compiled");
  for (const std::string& variant : settings_.variants) {
    for (const std::string& library : libraries) {
      Runner runner;
      runner.row.variant = variant;
      runner.row.library = library;
      if (library == "foveal") {
        runner.ours = std::make_unique<Candidate>(variant, inputs_, settings_);
        runner.row.parameters = runner.ours->variant().parameter_count();
        runner.row.peak_bytes = peaks_[variant];
      } else if (library == "torch") {
        runner.row.peak_bytes = torch_peaks_[variant];
      }
      runners_.push_back(std::move(runner));
    }
  }
}

void Compare::ask_torch(Runner& runner, const Answers& chapter) {
  const Peer::Reply reply = ask("answers", runner);
  if (!reply.failed.empty()) {
    runner.row.runs = false;
    runner.row.note = reply.failed;
    return;
  }
  runner.row.parameters = static_cast<std::int64_t>(reply.number);
  runner.row.note = reply.note;
  runner.row.has_backward = reply.note.empty();
  Answers answers;
  for (const auto& [name, tensor] : parse_safetensors(reply.data, "PyTorch's answers").tensors) {
    answers.emplace(name, tensor);
  }
  std::tie(runner.row.max_difference, runner.row.max_gradient_difference) =
      differences(chapter, answers);
}

void Compare::compare_answers(const Answers& chapter) {
  for (Runner& runner : runners_) {
    step("agreement of " + runner.row.library + " " + runner.row.variant);
    if (runner.ours != nullptr) {
      std::tie(runner.row.max_difference, runner.row.max_gradient_difference) =
          differences(chapter, runner.ours->answers());
    } else {
      ask_torch(runner, chapter);
    }
  }
}

/// A row that fails is timed no more, and its note says why.
double Compare::seconds_asked(const char* question, Runner& runner) {
  const Peer::Reply reply = ask(question, runner);
  if (!reply.failed.empty()) {
    runner.row.runs = false;
    runner.row.note = reply.failed;
  }
  return reply.number;
}

template <class Work>
double seconds_of(const Work& work) {
  const double start = now();
  work();
  return now() - start;
}

void Compare::time_once(Runner& runner) {
  step(runner.row.library + " " + runner.row.variant);
  if (runner.ours != nullptr) {
    runner.forward.push_back(seconds_of([&] { runner.ours->forward(); }));
    runner.forward_backward.push_back(seconds_of([&] { runner.ours->forward_backward(); }));
  } else {
    runner.forward.push_back(seconds_asked("forward", runner));
    if (!runner.row.has_backward || !runner.row.runs) return;
    runner.forward_backward.push_back(seconds_asked("forward_backward", runner));
  }
}

/// Shares of forward and backward by operation, in as many runs as are timed; "other" is what
/// passed no door.
void Compare::look_where(Runner& runner) {
  const OperationTimes times;
  double whole = 0;
  for (int repeat = 0; repeat < settings_.repeats; ++repeat) {
    whole += seconds_of([&] { runner.ours->forward_backward(); });
  }
  double known = 0;
  for (const auto& [name, seconds] : times.seconds()) known += seconds;
  const double all = std::max(whole, known);
  for (const auto& [name, seconds] : times.seconds()) runner.row.where[name] = seconds / all;
  runner.row.where["other"] = (all - known) / all;
}

Comparison Compare::run() {
  check(settings_);
  require_scores(settings_);
  if (settings_.with_torch) require_torch();
  measure_peaks();
  Comparison result;
  result.settings = settings_;
  result.cpu = cpu_name();
  result.target = find_target("").name;
  result.threads = num_threads();
  result.most_difference = size_of(settings_.dtype) == 2 ? 2e-2 : 1e-5;
  if (settings_.with_torch) {
    step("starting " + settings_.python);
    peer_ = std::make_unique<Peer>(settings_, inputs_, result.threads);
    result.torch_version = peer_->torch_version();
  }
  make_runners();
  compare_answers(Candidate("chapter", inputs_, settings_).answers());
  result.agrees = std::all_of(runners_.begin(), runners_.end(),
                              [&](const Runner& runner) { return agrees(runner.row, result); });
  // The first round warms up: what compiles does so there, and it doesn't count.
  for (int repeat = 0; result.agrees && repeat <= settings_.repeats; ++repeat) {
    for (Runner& runner : runners_) {
      if (repeat == 1) {
        runner.forward.clear();
        runner.forward_backward.clear();
      }
      if (runner.row.runs) time_once(runner);
    }
  }
  for (Runner& runner : runners_) {
    if (runner.row.runs && !runner.forward.empty()) {
      runner.row.forward = summarize(runner.forward);
      if (runner.row.has_backward) {
        runner.row.forward_backward = summarize(runner.forward_backward);
      }
      if (settings_.where && runner.ours != nullptr) look_where(runner);
    }
    result.rows.push_back(runner.row);
  }
  return result;
}

}  // namespace

Comparison run_compare(const CompareSettings& settings, const CompareProgress& progress) {
  return Compare(settings, progress).run();
}

}  // namespace foveal::measure
