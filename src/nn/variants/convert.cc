// The nine by name, and weights from one to another.

#include "foveal/error.h"
#include "nn/variants/parts.h"

namespace foveal::nn::variants {
namespace {

template <class Class>
std::unique_ptr<Variant> made(const MultiHeadAttentionOptions& options, Generator& generator) {
  return std::make_unique<Class>(options, generator);
}

struct Entry {
  const char* name;
  std::unique_ptr<Variant> (*make)(const MultiHeadAttentionOptions&, Generator&);
};

constexpr Entry kNine[] = {
    {"causal_wrapper", made<CausalWrapper>},
    {"chapter", made<Chapter>},
    {"combined_qkv", made<CombinedQKV>},
    {"einsum", made<Einsum>},
    {"fused", made<Fused>},
    {"fused_explicit_mask", made<FusedExplicitMask>},
    {"packed_projection", made<PackedProjection>},
    {"packed_projection_no_weights", made<PackedProjectionNoWeights>},
    {"mask_expression", made<MaskExpression>},
};

void require_same(const Variant& from, const Variant& to, const char* option, int of_from,
                  int of_to) {
  if (of_from == of_to) return;
  throw Error("convert: " + from.name() + " has " + option + " " + std::to_string(of_from) +
              " but " + to.name() + " has " + std::to_string(of_to) +
              ": they must be the same, or the weights mean something else");
}

}  // namespace

const std::vector<std::string>& names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> result;
    for (const Entry& entry : kNine) result.emplace_back(entry.name);
    return result;
  }();
  return all;
}

std::unique_ptr<Variant> make(const std::string& name, const MultiHeadAttentionOptions& options,
                              Generator& generator) {
  std::string list;
  for (const Entry& entry : kNine) {
    if (name == entry.name) return entry.make(options, generator);
    list += (list.empty() ? "" : ", ") + std::string(entry.name);
  }
  throw Error("there is no variant '" + name + "': the nine are " + list, ErrorKind::usage);
}

void convert(const Variant& from, Variant& to) {
  require_same(from, to, "d_in", from.options().d_in, to.options().d_in);
  require_same(from, to, "d_out", from.options().d_out, to.options().d_out);
  require_same(from, to, "num_heads", from.options().num_heads, to.options().num_heads);
  to.set_weights(from.weights());
}

}  // namespace foveal::nn::variants
