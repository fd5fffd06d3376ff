#include "measure/request.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "foveal/error.h"

namespace foveal::measure {
namespace {

using NumberMap = std::map<std::string, std::int64_t>;

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

[[noreturn]] void fail(const std::string& text, const std::string& rule) {
  throw Error("--shape '" + text + "': " + rule, ErrorKind::usage);
}

/// "B8,H12" -> B: 8, H: 12.
NumberMap read_parts(const std::string& text, const std::vector<std::string>& letters) {
  NumberMap sizes;
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t end = std::min(text.find(',', at), text.size());
    const std::string part = text.substr(at, end - at);
    at = end + 1;
    const std::size_t digits = std::min(part.find_first_of("0123456789"), part.size());
    const std::string name = part.substr(0, digits);
    if (std::find(letters.begin(), letters.end(), name) == letters.end()) {
      fail(text, "'" + part + "' must be one of " + joined(letters) + " and its size");
    }
    std::int64_t size = 0;
    const char* const last = part.data() + part.size();
    const auto [stop, problem] = std::from_chars(part.data() + digits, last, size);
    if (problem != std::errc() || stop != last || size < 1) {
      fail(text, "'" + part + "': a size is a whole number from 1 to 2^63 - 1");
    }
    if (!sizes.emplace(name, size).second) fail(text, "'" + name + "' stands twice");
  }
  return sizes;
}

std::int64_t size_or(const NumberMap& sizes, const std::string& name, std::int64_t otherwise) {
  const auto found = sizes.find(name);
  return found == sizes.end() ? otherwise : found->second;
}

void require(const NumberMap& sizes, const std::string& name, const std::string& text) {
  if (sizes.count(name) == 0) fail(text, name + " is missing");
}

Sizes product_sizes(const std::string& text) {
  const NumberMap given = read_parts(text, {"M", "N", "K"});
  for (const char* name : {"M", "N", "K"}) require(given, name, text);
  Sizes sizes;
  sizes.m = given.at("M");
  sizes.n = given.at("N");
  sizes.k = given.at("K");
  return sizes;
}

/// "1024", or "1/8192" where the two differ.
std::string pair_text(std::int64_t a, std::int64_t b) {
  return a == b ? std::to_string(a) : std::to_string(a) + "/" + std::to_string(b);
}

}  // namespace

const std::vector<std::string>& op_names() {
  static const std::vector<std::string> names = {"forward", "backward", "decode", "gemm", "plan",
                                                 "call",    "naive",    "online", "tiled"};
  return names;
}

std::string to_string(Op op) { return op_names()[static_cast<std::size_t>(op)]; }

Op parse_op(const std::string& name) {
  const auto& names = op_names();
  const auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) {
    throw Error("--op '" + name + "' is unknown: use one of " + joined(names), ErrorKind::usage);
  }
  return static_cast<Op>(found - names.begin());
}

std::vector<std::pair<std::string, std::int64_t>> named_sizes(Op op, const Sizes& s) {
  if (op == Op::gemm) return {{"M", s.m}, {"N", s.n}, {"K", s.k}};
  return {{"B", s.batch},  {"H", s.heads},     {"H_kv", s.kv_heads}, {"L_q", s.queries},
          {"L_k", s.keys}, {"D", s.head_size}, {"D_v", s.value_size}};
}

std::string short_text(Op op, const Sizes& s) {
  if (op == Op::gemm) {
    return std::to_string(s.m) + "x" + std::to_string(s.n) + "x" + std::to_string(s.k);
  }
  std::string text = s.batch == 1 ? "" : "B" + std::to_string(s.batch) + " ";
  text += "H" + pair_text(s.heads, s.kv_heads);
  text += " L" + pair_text(s.queries, s.keys);
  return text + " D" + pair_text(s.head_size, s.value_size);
}

Sizes default_sizes(Op op) {
  switch (op) {
    case Op::gemm:
      return parse_sizes(op, "M8192,N768,K768");
    case Op::decode:
      return parse_sizes(op, "H32,KV8,Lk8192,D128");
    case Op::plan:
      return parse_sizes(op, "Lq131072,D64");
    case Op::call:
      return parse_sizes(op, "Lq1,D1");
    case Op::naive:
    case Op::online:
    case Op::tiled:
      return parse_sizes(op, "H4,Lq1024,D64");
    case Op::forward:
    case Op::backward:
      break;
  }
  return parse_sizes(op, "B8,H12,Lq1024,D64");
}

Sizes parse_sizes(Op op, const std::string& text) {
  if (op == Op::gemm) return product_sizes(text);
  const NumberMap given = read_parts(text, {"B", "H", "KV", "Lq", "Lk", "D", "Dv"});
  require(given, "D", text);
  if (given.count("Lk") == 0) require(given, op == Op::decode ? "Lk" : "Lq", text);
  Sizes sizes;
  sizes.batch = size_or(given, "B", 1);
  sizes.heads = size_or(given, "H", 1);
  sizes.kv_heads = size_or(given, "KV", sizes.heads);
  const std::int64_t keys = size_or(given, "Lk", 1);
  sizes.queries = size_or(given, "Lq", op == Op::decode ? 1 : keys);
  sizes.keys = size_or(given, "Lk", sizes.queries);
  sizes.head_size = given.at("D");
  sizes.value_size = size_or(given, "Dv", sizes.head_size);
  return sizes;
}

std::string describe(const Request& request) {
  return to_string(request.op) + " " + foveal::to_string(request.dtype) + " " +
         short_text(request.op, request.sizes);
}

}  // namespace foveal::measure
