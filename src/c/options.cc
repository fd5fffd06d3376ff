#include "c/options.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <string_view>

#include "c/status.h"
#include "c/tensors.h"
#include "core/number_text.h"
#include "foveal/error.h"
#include "foveal/version.h"

namespace foveal::c {
namespace {

// What no version will have: a size that was never set.
constexpr std::size_t kMostSize = 4096;

/// Members that only a newer library knows must not be set.
void refuse_unknown(const foveal_options& given, const char* function) {
  const auto* const bytes = reinterpret_cast<const unsigned char*>(&given);
  const auto zero = [](unsigned char byte) { return byte == 0; };
  if (given.size <= sizeof(foveal_options) ||
      std::all_of(bytes + sizeof(foveal_options), bytes + given.size, zero)) {
    return;
  }
  refuse(function, "options->size is " + std::to_string(given.size) +
                       ", and members are set that foveal " FOVEAL_VERSION
                       " doesn't know: use the library that the header belongs to");
}

/// The caller's, with defaults for what its header didn't have.
foveal_options known_options(const foveal_options* given, const char* function) {
  foveal_options options = {};
  if (given == nullptr) return options;
  if (given->size < kFirstOptionsSize || given->size > kMostSize) {
    refuse(function, "options->size is " + std::to_string(given->size) +
                         ": call foveal_options_init(&options, sizeof options) first");
  }
  refuse_unknown(*given, function);
  std::memcpy(&options, given, std::min(given->size, sizeof options));
  return options;
}

/// A number that would be ignored without a word.
void check_flags(const foveal_options& options, const char* function) {
  if (options.has_scale == 0 && options.scale != 0) {
    refuse(function,
           "options->scale is " + number_text(options.scale) + " but has_scale is 0: set it to 1");
  }
  if (options.has_query_offset == 0 && options.query_offset != 0) {
    refuse(function, "options->query_offset is " + std::to_string(options.query_offset) +
                         " but has_query_offset is 0: set it to 1");
  }
  if (options.reserved != 0)
    refuse(function, "options->reserved isn't 0: call foveal_options_init first");
}

/// The tensor that a mask's text names by its number.
Tensor mask_tensor(const foveal_options& options, const std::string& name, const char* function) {
  std::int32_t index = -1;
  const char* const end = name.data() + name.size();
  const auto [stop, problem] = std::from_chars(name.data(), end, index);
  if (problem == std::errc() && stop == end && index >= 0 && index < options.mask_tensor_count) {
    const std::string place = "options->mask_tensors[" + name + "]";
    return read_tensor(options.mask_tensors + index, {function, place.c_str()});
  }
  const std::string count = std::to_string(options.mask_tensor_count);
  refuse(function, "options->mask names '" + name + "': it must be the number of one of the " +
                       count + " mask_tensors, from 0; no file is read here");
}

Mask mask_of(const foveal_options& options, const char* function, bool keep) {
  if (options.mask_tensor_count < 0) {
    refuse(function, "options->mask_tensor_count is " + std::to_string(options.mask_tensor_count) +
                         ": it must be 0 or more");
  }
  if (options.mask_tensor_count > 0 && options.mask_tensors == nullptr) {
    refuse(function, "options->mask_tensors is NULL but mask_tensor_count is " +
                         std::to_string(options.mask_tensor_count) + ": give the tensors");
  }
  if (options.mask == nullptr) {
    if (options.mask_tensor_count == 0) return none();
    refuse(function, "options->mask is NULL but mask_tensor_count is " +
                         std::to_string(options.mask_tensor_count) +
                         ": name them in the mask, as \"dense(0)\"");
  }
  return parse_mask(options.mask, [&](const std::string& name) {
    const Tensor tensor = mask_tensor(options, name, function);
    return keep ? tensor.clone() : tensor;
  });
}

}  // namespace

CallOptions::CallOptions(const foveal_options* given, const char* function, bool keep_masks) {
  const foveal_options options = known_options(given, function);
  check_flags(options, function);
  const auto tensor = [&](const foveal_tensor* from, const char* name) {
    return read_if_given(from, {function, name});
  };
  const auto numbers = [&](const foveal_tensor* from, const char* name) {
    return numbers_of(from, {function, name});
  };
  attention_.mask = mask_of(options, function, keep_masks);
  if (options.has_scale != 0) attention_.scale = options.scale;
  attention_.softcap = options.softcap;
  attention_.bias = tensor(options.bias, "options->bias");
  attention_.alibi_slopes = tensor(options.alibi_slopes, "options->alibi_slopes");
  attention_.sinks = tensor(options.sinks, "options->sinks");
  attention_.dropout = options.dropout;
  attention_.seed = options.seed;
  attention_.offset = options.offset;
  attention_.dropout_mask = tensor(options.dropout_mask, "options->dropout_mask");
  attention_.query_starts = numbers(options.query_starts, "options->query_starts");
  attention_.key_starts = numbers(options.key_starts, "options->key_starts");
  attention_.key_lengths = numbers(options.key_lengths, "options->key_lengths");
  attention_.query_offsets = numbers(options.query_offsets, "options->query_offsets");
  if (options.has_query_offset != 0) attention_.query_offset = options.query_offset;
  attention_.strict = options.strict != 0;
  attention_.key_offset = options.key_offset;
  rows_ = numbers(options.rows, "options->rows");
  if (options.target != nullptr) attention_.target = options.target;
  attention_.threads = options.threads;
  if (options.stop == nullptr) return;
  stop_ = options.stop;
  stop_user_ = options.stop_user;
  attention_.stop = &CallOptions::ask;
  attention_.stop_user = this;
}

bool CallOptions::ask(void* self) {
  const auto& options = *static_cast<const CallOptions*>(self);
  return options.stop_(options.stop_user_) != 0;
}

}  // namespace foveal::c
