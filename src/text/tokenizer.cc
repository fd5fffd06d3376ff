#include "foveal/text/tokenizer.h"

#include <algorithm>
#include <unordered_map>

#include "core/door.h"
#include "foveal/error.h"
#include "io/file.h"
#include "text/merger.h"
#include "text/merges.h"
#include "text/splitter.h"

namespace foveal::text {
namespace {

constexpr std::string_view kEndOfText = "<|endoftext|>";

void check_allowed(const std::set<std::string>& allowed_special) {
  for (const std::string& name : allowed_special) {
    if (name != kEndOfText) {
      throw Error("encode: allowed_special holds '" + name + "', but the only special token is " +
                  std::string(kEndOfText));
    }
  }
}

}  // namespace

struct Tokenizer::Impl {
  explicit Impl(Merges read) : merges(std::move(read)) { find_whole_pieces(); }

  /// Most pieces are one token. Those tokens that their own merges lead to are looked up at once.
  void find_whole_pieces() {
    Merger merger(merges);
    std::vector<std::int64_t> ids;
    for (std::size_t id = 0; id < merges.tokens.size(); ++id) {
      const std::string& bytes = merges.tokens[id];
      ids.clear();
      merger.append_tokens(bytes, &ids);
      if (ids.size() != 1) continue;
      whole_pieces.emplace(bytes, static_cast<std::int64_t>(id));
      longest = std::max(longest, bytes.size());
    }
  }

  std::int64_t end_of_text() const { return static_cast<std::int64_t>(merges.tokens.size()); }

  Merges merges;
  Splitter splitter;
  std::unordered_map<std::string_view, std::int64_t> whole_pieces;
  std::size_t longest = 0;
};

Tokenizer::Tokenizer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Tokenizer::~Tokenizer() = default;
Tokenizer::Tokenizer(Tokenizer&&) noexcept = default;
Tokenizer& Tokenizer::operator=(Tokenizer&&) noexcept = default;

Tokenizer Tokenizer::from_merges_file(const std::string& path) try {
  return from_merges(read_file(path), path);
} catch (...) {
  rethrow_as_error("Tokenizer");
}

Tokenizer Tokenizer::from_merges(std::string_view merges, const std::string& name) try {
  return Tokenizer(std::make_unique<Impl>(parse_merges(merges, name)));
} catch (...) {
  rethrow_as_error("Tokenizer");
}

std::vector<std::int64_t> Tokenizer::encode(std::string_view text,
                                            const std::set<std::string>& allowed_special) const
    try {
  check_allowed(allowed_special);
  std::vector<std::int64_t> ids;
  ids.reserve(text.size() / 4 + 1);
  Merger merger(impl_->merges);
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t special = text.find(kEndOfText, begin);
    if (special != std::string_view::npos && allowed_special.empty()) {
      throw Error("encode: text holds the special token " + std::string(kEndOfText) + " at byte " +
                  std::to_string(special) + ": name it in allowed_special to encode it as id " +
                  std::to_string(impl_->end_of_text()) + ", or take it out");
    }
    Pieces pieces(impl_->splitter, text, begin, std::min(special, text.size()));
    while (const auto piece = pieces.next()) {
      const auto whole = piece->size() <= impl_->longest ? impl_->whole_pieces.find(*piece)
                                                         : impl_->whole_pieces.end();
      if (whole != impl_->whole_pieces.end()) {
        ids.push_back(whole->second);
      } else {
        merger.append_tokens(*piece, &ids);
      }
    }
    if (special == std::string_view::npos) break;
    ids.push_back(impl_->end_of_text());
    begin = special + kEndOfText.size();
  }
  return ids;
} catch (...) {
  rethrow_as_error("encode");
}

std::string Tokenizer::decode(const std::vector<std::int64_t>& ids) const try {
  std::string bytes;
  for (std::size_t at = 0; at < ids.size(); ++at) {
    const std::int64_t id = ids[at];
    if (id < 0 || id > impl_->end_of_text()) {
      throw Error("decode: ids[" + std::to_string(at) + "] is " + std::to_string(id) +
                  ", but ids lie in 0 .. " + std::to_string(impl_->end_of_text()));
    }
    bytes += id == impl_->end_of_text() ? kEndOfText
                                        : impl_->merges.tokens[static_cast<std::size_t>(id)];
  }
  return bytes;
} catch (...) {
  rethrow_as_error("decode");
}

std::int64_t Tokenizer::vocabulary_size() const { return impl_->end_of_text() + 1; }

}  // namespace foveal::text
