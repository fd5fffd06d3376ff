#pragma once
// What a C caller asks for by giving memory for it.

#include "c/options.h"
#include "foveal/attention.h"
#include "foveal/c.h"

namespace foveal::c {

/// What the engine's options say of it.
struct Asked {
  bool lse = false, weights = false, entropy = false, maximum = false, column_mass = false,
       rows = false;
  int top_k = 0;
  GradientOptions gradients = {};
};
bool operator==(const Asked& a, const Asked& b);

/// The engine's options for a call that is asked for this.
AttentionOptions options_for(const CallOptions& call, const Asked& asked);

/// A forward's results: what is asked for, and tensors over its memory. Throws Error where nothing
/// is.
struct WantedResult {
  Asked asked;
  AttentionResult result;

  WantedResult(const foveal_result* given, const CallOptions& call, const char* function);
};

/// A backward's.
struct WantedGradients {
  Asked asked;
  AttentionGradients gradients;
  bool add;

  WantedGradients(const foveal_gradients* given, const char* function);
};

/// What a forward gave: output, lse and fingerprint.
AttentionResult given_result(const foveal_result* given, const char* function);

/// What a finish writes; other results than output and lse are refused by the engine.
AttentionResult finished_result(const foveal_result* given, const char* function);

void give_fingerprint(const PlanFingerprint& plan, foveal_result& result);

}  // namespace foveal::c
