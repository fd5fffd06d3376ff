#include "call.h"

#include "foveal/error.h"
#include "foveal/npy.h"

namespace nb = nanobind;

namespace foveal::python {

Mask mask_of(const std::string& text, nb::handle given, Borrowed& borrowed) {
  std::vector<Tensor> arrays;
  for (nb::handle array : given) arrays.push_back(borrowed.read(array, "mask"));
  std::size_t next = 0;
  const Mask mask = parse_mask(text, [&](const std::string& path) {
    if (path != "#") return load_npy(path);
    if (next == arrays.size()) {
      throw Error("mask: '#' stands for an array, but there is none left", ErrorKind::usage);
    }
    return arrays[next++];
  });
  if (next != arrays.size()) {
    throw Error("mask: " + std::to_string(arrays.size()) + " arrays are given but " +
                    std::to_string(next) + " '#' stand for them",
                ErrorKind::usage);
  }
  return mask;
}

Settings::Settings(std::string mask, std::optional<double> scale, double softcap, double dropout,
                   std::uint64_t offset, bool return_lse, bool return_weights, int top_k,
                   bool entropy, bool maximum, bool column_mass, std::vector<std::int64_t> rows,
                   Numbers key_lengths, std::optional<std::int64_t> query_offset,
                   Numbers query_offsets, std::int64_t key_offset, Numbers query_starts,
                   Numbers key_starts, std::string target, bool strict)
    : mask_text_(std::move(mask)), mask_is_made_anew_(false) {
  struct NamesArray {};
  try {
    options_.mask =
        parse_mask(mask_text_, [](const std::string&) -> Tensor { throw NamesArray(); });
  } catch (const NamesArray&) {
    mask_is_made_anew_ = true;
  }
  options_.scale = scale;
  options_.softcap = softcap;
  options_.dropout = dropout;
  options_.offset = offset;
  options_.return_lse = return_lse;
  options_.return_weights = return_weights;
  options_.statistics = {top_k, entropy, maximum, column_mass, std::move(rows)};
  if (key_lengths) options_.key_lengths = *key_lengths;
  options_.query_offset = query_offset;
  if (query_offsets) options_.query_offsets = *query_offsets;
  options_.key_offset = key_offset;
  if (query_starts) options_.query_starts = *query_starts;
  if (key_starts) options_.key_starts = *key_starts;
  options_.target = std::move(target);
  options_.strict = strict;
  for (const auto& [name, starts] :
       {std::pair("query_starts", &query_starts), {"key_starts", &key_starts}}) {
    if (*starts && (*starts)->empty()) {
      throw Error(std::string("attention: ") + name +
                      " is empty: it holds n + 1 offsets from 0 to the total length",
                  ErrorKind::usage);
    }
  }
  if (key_lengths && key_lengths->empty()) empty_list_ = "key_lengths";
  if (query_offsets && query_offsets->empty()) empty_list_ = "query_offset";
}

void Settings::check_lists(std::int64_t batch) const {
  if (empty_list_ == nullptr || batch == 0) return;
  throw Error(std::string("attention: ") + empty_list_ + " has 0 numbers but the batch has " +
                  std::to_string(batch) + " entries: give one for each",
              ErrorKind::usage);
}

Call::Call(const Settings& settings, const Terms& terms, std::uint64_t seed, int threads)
    : options(settings.options()) {
  options.bias = arrays.read(terms.bias, "bias");
  options.alibi_slopes = arrays.read(terms.alibi_slopes, "alibi_slopes");
  options.sinks = arrays.read(terms.sinks, "sinks");
  if (settings.mask_is_made_anew()) {
    options.mask = mask_of(settings.mask_text(), terms.mask_arrays, arrays);
  }
  options.seed = seed;
  options.threads = threads;
  Interrupt::put_into(options);
  Interrupt::begin_call();
}

Inputs::Inputs(Borrowed& arrays, nb::handle q, nb::handle k, nb::handle v)
    : query(arrays.read(q, "query")), key(arrays.read(k, "key")), value(arrays.read(v, "value")) {
  for (const auto& [tensor, name] :
       {std::pair(&query, "query"), {&key, "key"}, {&value, "value"}}) {
    if (!tensor->defined()) continue;  // the library says so
    const std::string has =
        std::string("attention: ") + name + " has dtype " + to_string(tensor->dtype());
    if (!is_floating(tensor->dtype())) {
      throw nb::type_error((has + ": it must be float32, float64, bfloat16 or float16").c_str());
    }
    if (query.defined() && tensor->dtype() != query.dtype()) {
      throw nb::type_error(
          (has + " but query has " + to_string(query.dtype()) + ": they must match; convert one")
              .c_str());
    }
  }
}

}  // namespace foveal::python
