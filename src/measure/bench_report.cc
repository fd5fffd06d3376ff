// A benchmark as JSON and as a table.

#include <fmt/format.h>

#include <cmath>

#include "draw/terminal.h"
#include "io/json.h"
#include "measure/bench.h"
#include "measure/report.h"

namespace foveal::measure {
namespace {

namespace terminal = draw::terminal;

std::string number_or_null(const std::optional<double>& number) {
  return number ? json_number(*number) : "null";
}

std::string mask_text(const Request& request) {
  return request.op == Op::gemm ? "" : foveal::to_string(request.mask);
}

std::string row_json(const BenchRow& row) {
  const Request& request = row.request;
  return fmt::format(
      "{{\"op\": \"{}\", \"dtype\": \"{}\", \"shape\": {}, \"mask\": {}, \"repeats\": {}, "
      "\"median_ms\": {}, \"spread_ms\": {}, \"gflops\": {}, \"gbs\": {}, \"share_of_peak\": {}, "
      "\"max_error\": {}, \"target\": \"{}\", \"threads\": {}, \"peak\": {}}}",
      to_string(request.op), foveal::to_string(request.dtype),
      shape_json(request.op, request.sizes), json_string(mask_text(request)), row.seconds.repeats,
      json_number(row.seconds.median * 1e3), json_number(row.seconds.spread * 1e3),
      number_or_null(row.gflops), number_or_null(row.gbs), number_or_null(row.share_of_peak),
      number_or_null(row.max_error), row.target, row.threads, number_or_null(row.peak));
}

/// The mask, and before it what differs from the run's target and threads.
std::string mask_column(const BenchRow& row, const Machine& machine) {
  std::string text;
  if (row.target != machine.target) text += row.target + " ";
  if (row.threads != machine.threads) text += fmt::format("{}t ", row.threads);
  return row.request.op == Op::gemm ? text : text + shown_mask(row.request.mask);
}

std::string line(const std::string& op, const std::string& dtype, const std::string& shape,
                 const std::string& mask, const std::string& time, const std::string& spread) {
  constexpr int kShape = 18, kMask = 12;
  return terminal::pad_right(op, 8) + " " + terminal::pad_right(dtype, 8) + " " +
         terminal::pad_right(terminal::cut(shape, kShape), kShape) + " " +
         terminal::pad_right(terminal::cut(mask, kMask), kMask) + " " +
         terminal::pad_left(time, 7) + " " + terminal::pad_left(spread, 6);
}

std::string row_text(const BenchRow& row, const Machine& machine, bool colour) {
  constexpr int kBar = 10;
  const Request& request = row.request;
  std::string text =
      line(to_string(request.op), foveal::to_string(request.dtype),
           short_text(request.op, request.sizes), mask_column(row, machine),
           short_number(row.seconds.median * 1e3), short_number(row.seconds.spread * 1e3));
  if (row.share_of_peak) {
    const std::string mark = bar(*row.share_of_peak, kBar);
    text += " " + (colour ? "\x1b[34m" + mark + "\x1b[0m" : mark) +
            fmt::format(" {:.0f}%", *row.share_of_peak * 100);
  }
  return text + "\n";
}

}  // namespace

std::string shape_json(Op op, const Sizes& sizes) {
  std::string text;
  for (const auto& [name, size] : named_sizes(op, sizes)) {
    text += fmt::format("{}\"{}\": {}", text.empty() ? "" : ", ", name, size);
  }
  return "{" + text + "}";
}

std::string shown_mask(const Mask& mask) {
  std::string text = foveal::to_string(mask);
  for (std::size_t at; (at = text.find("()")) != std::string::npos;) text.erase(at, 2);
  return text;
}

std::string bench_json(const Bench& bench) {
  const Machine& machine = bench.machine;
  std::string rows;
  for (const BenchRow& row : bench.rows) rows += (rows.empty() ? "" : ",\n  ") + row_json(row);
  return fmt::format(
      "{{\"schema\": \"foveal.bench/1\", \"machine\": {{\"cpu\": {}, \"target\": \"{}\", "
      "\"threads\": {}, \"peak_float32_gflops\": {}, \"peak_bfloat16_gflops\": {}, "
      "\"read_gbs\": {}}},\n \"rows\": [\n  {}]}}\n",
      json_string(machine.cpu), machine.target, machine.threads,
      json_number(machine.peak_float32_gflops), json_number(machine.peak_bfloat16_gflops),
      json_number(machine.read_gbs), rows);
}

std::string bench_text(const Bench& bench, bool colour) {
  const Machine& machine = bench.machine;
  std::string text = fmt::format(
      "{}, target {}, {} thread{}\npeak {:.1f} GFLOP/s float32, {:.1f} bfloat16; reads {:.1f} "
      "GB/s\n\n",
      machine.cpu, machine.target, machine.threads, machine.threads == 1 ? "" : "s",
      machine.peak_float32_gflops, machine.peak_bfloat16_gflops, machine.read_gbs);
  text += line("op", "dtype", "shape", "mask", "ms", "±") + " of peak\n";
  for (const BenchRow& row : bench.rows) text += row_text(row, machine, colour);
  return text;
}

}  // namespace foveal::measure
