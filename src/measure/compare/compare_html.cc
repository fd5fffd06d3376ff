// The comparison as a page.

#include <fmt/format.h>

#include "draw/text.h"
#include "measure/compare/charts.h"

namespace foveal::measure {
namespace {

/// Names are of the whole page: each picture's hatching has one of its own.
std::string with_own_names(std::string picture, std::size_t place) {
  const std::string name = "hatch", own = name + std::to_string(place);
  for (std::size_t at = 0; (at = picture.find(name, at)) != std::string::npos; at += own.size()) {
    picture.replace(at, name.size(), own);
  }
  return picture;
}

/// The picture in both themes and both widths; the style shows one.
std::string pictures(const Comparison& comparison) {
  std::string text;
  std::size_t place = 0;
  for (const bool dark : {false, true}) {
    for (const double width : {900.0, 390.0}) {
      const std::string picture =
          compare_picture(comparison, dark ? draw::dark_palette() : draw::light_palette(), width);
      text += fmt::format("<div class=\"{} {}\">{}</div>\n", dark ? "dark" : "light",
                          width < 560 ? "narrow" : "wide", with_own_names(picture, place++));
    }
  }
  return text;
}

std::string style() {
  const draw::Palette &light = draw::light_palette(), &dark = draw::dark_palette();
  return fmt::format(
      "body{{margin:0;background:{0};color:{1};font:13px {4}}}\n"
      "main{{max-width:900px;margin:auto}}\n"
      "svg{{display:block;max-width:100%;height:auto}}\n"
      ".dark,.narrow{{display:none}}\n"
      "pre{{font:12px {5};padding:0 16px 40px;overflow-x:auto}}\n"
      "@media(max-width:640px){{.wide{{display:none}}.light.narrow{{display:block}}}}\n"
      "@media(prefers-color-scheme:dark){{body{{background:{2};color:{3}}}.light,.light.narrow{{"
      "display:none}}.dark.wide{{display:block}}}}\n"
      "@media(prefers-color-scheme:dark) and (max-width:640px){{.dark.wide{{display:none}}"
      ".dark.narrow{{display:block}}}}\n",
      light.paper, light.ink, dark.paper, dark.ink, draw::kSans, draw::kMono);
}

}  // namespace

std::string compare_html(const Comparison& comparison) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src "
      "'unsafe-inline'\">\n<title>foveal compare</title>\n<style>\n{}</style>\n</head>\n"
      "<body>\n<main>\n{}<pre>{}</pre>\n</main>\n</body>\n</html>\n",
      style(), pictures(comparison), draw::escape(compare_text(comparison, false)));
}

}  // namespace foveal::measure
