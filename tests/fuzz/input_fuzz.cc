// foveal.input/1: whatever the bytes, an Input or an Error; and what is read can be run and shown.

#include <cstddef>
#include <cstdint>
#include <string>

#include "foveal/error.h"
#include "trace/check/check.h"
#include "trace/input/sizes.h"
#include "trace/run/record.h"
#include "trace/views/views.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace foveal;
  try {
    const trace::Input input =
        trace::parse_input(std::string(reinterpret_cast<const char*>(data), size), "fuzz");
    const trace::Sizes sizes = trace::sizes_of(input);
    if (sizes.L > 16 || sizes.d > 64) return 0;
    trace::Record record = trace::run(input, sizes.L - 1);
    if (trace::has_printed_numbers(input)) record.checks = trace::check(record);
    trace::text_view(record);
    trace::json_view(record);
  } catch (const Error& error) {
    if (error.kind() == ErrorKind::internal) throw;
    if (std::string(error.what()).find('\n') != std::string::npos) __builtin_trap();
  }
  return 0;
}
