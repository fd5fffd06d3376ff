#pragma once
// The Python beside us: PyTorch's nine, asked one thing at a time.

#include <memory>
#include <string>

#include "measure/compare/candidate.h"

namespace foveal::measure {

/// Ends the Python that runs, with all that it started (compilers, where it compiles): for signal
/// handlers, after which this process ends.
void kill_peer() noexcept;

/// One at a time.
class Peer {
 public:
  struct Reply {
    std::string failed;  ///< what PyTorch says it can't do, or empty
    std::string note;    ///< why there is no backward, or empty
    double number = 0;   ///< seconds, bytes, or how many parameters
    std::string data;    ///< safetensors
  };

  /// Starts `settings.python` and gives it inputs and weights. Throws Error (kind file) where it
  /// isn't there, has no PyTorch, or ends; so does ask().
  Peer(const CompareSettings& settings, const CompareInputs& inputs, int threads);
  ~Peer();
  Peer(const Peer&) = delete;
  Peer& operator=(const Peer&) = delete;

  const std::string& torch_version() const { return version_; }

  /// `question`: answers (data, and the number of parameters), forward or forward_backward (seconds
  /// of one run), or peak (bytes).
  Reply ask(const std::string& question, const std::string& variant, bool compiled = false);

 private:
  struct Process;

  CompareSettings settings_;
  std::string version_;
  std::unique_ptr<Process> process_;
};

}  // namespace foveal::measure
