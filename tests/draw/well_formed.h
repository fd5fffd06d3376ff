#pragma once
// A small reader of XML that our own documents must pass: tags nest, every & starts an entity.

#include <string>
#include <vector>

namespace foveal::draw {

/// Empty where `xml` is well formed as far as looked at, else what is wrong and where.
inline std::string xml_fault(const std::string& xml) {
  std::vector<std::string> open;
  for (std::size_t at = 0; at < xml.size(); ++at) {
    const auto letter = static_cast<unsigned char>(xml[at]);
    if (letter < 0x20 && letter != '\n') return "control character at " + std::to_string(at);
    if (letter == '>') return "bare > at " + std::to_string(at);
    if (letter == '&') {
      const std::size_t end = xml.find(';', at);
      if (end == std::string::npos || end - at > 6) return "bare & at " + std::to_string(at);
    }
    if (letter != '<') continue;
    const std::size_t end = xml.find('>', at);
    if (end == std::string::npos) return "open tag at " + std::to_string(at);
    const std::string tag = xml.substr(at + 1, end - at - 1);
    if (tag.find('<') != std::string::npos) return "bare < in " + tag;
    const std::string name = tag.substr(0, tag.find_first_of(" /", 1));
    if (tag[0] == '/') {
      if (open.empty() || open.back() != tag.substr(1)) return "closes " + tag;
      open.pop_back();
    } else if (tag.back() != '/') {
      open.push_back(name);
    }
    at = end;
  }
  return open.empty() ? "" : "never closes " + open.back();
}

}  // namespace foveal::draw
