// The program foveal: reads the command line, runs one command, turns errors into exit statuses.

#include <cstdio>
#include <exception>
#include <new>
#include <sstream>
#include <string>

#include "cli/commands.h"
#include "cli/output.h"
#include "cli/signals.h"
#include "draw/text.h"
#include "foveal/error.h"
#include "foveal/version.h"
#include "measure/compare/peer.h"

namespace {

enum Status { kGood = 0, kUsage = 2, kData = 3, kFile = 4, kInternal = 5, kStopped = 130 };

int status_of(foveal::ErrorKind kind) {
  switch (kind) {
    case foveal::ErrorKind::usage:
      return kUsage;
    case foveal::ErrorKind::data:
      return kData;
    case foveal::ErrorKind::file:
      return kFile;
    case foveal::ErrorKind::stopped:
      return kStopped;
    case foveal::ErrorKind::internal:
      break;
  }
  return kInternal;
}

/// One line on standard error, whatever file names and tokens hold.
int fail(const std::string& message, int status) {
  std::fprintf(stderr, "foveal: %s\n", foveal::draw::visible(message).c_str());
  return status;
}

int parse_and_run(CLI::App& program, int argc, char** argv, const int& status) {
  try {
    program.parse(argc, argv);
    if (program.get_subcommands().empty()) {
      return fail(
          "a command is needed: foveal explain, check, attend, bench, audit or targets (foveal "
          "--help tells more)",
          kUsage);
    }
    return status;
  } catch (const CLI::Success& success) {
    // --help and --version: their text is the result.
    std::ostringstream text;
    program.exit(success, text, text);
    foveal::cli::write_result(text.str(), {});
    return kGood;
  } catch (const CLI::ParseError& error) {
    return fail(std::string(error.what()) + " (foveal --help tells more)", kUsage);
  }
}

}  // namespace

int main(int argc, char** argv) {
  foveal::cli::end_on_signals(foveal::measure::kill_peer);
  try {
    CLI::App program("Attention, from first principles to full speed.", "foveal");
    program.set_version_flag("--version", "foveal " FOVEAL_VERSION);
    int status = kGood;
    foveal::cli::add_explain(program, &status);
    foveal::cli::add_check(program, &status);
    foveal::cli::add_attend(program, &status);
    foveal::cli::add_bench(program, &status);
    foveal::cli::add_compare(program, &status);
    foveal::cli::add_audit(program, &status);
    foveal::cli::add_targets(program, &status);
    return parse_and_run(program, argc, argv, status);
  } catch (const foveal::Error& error) {
    return fail(error.what(), status_of(error.kind()));
  } catch (const std::bad_alloc&) {
    return fail("not enough memory for this input", kData);
  } catch (const std::exception& error) {
    return fail(std::string("internal error: ") + error.what(), kInternal);
  }
}
