#include "draw/png.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "draw/process.h"
#include "foveal/error.h"

namespace foveal::draw {
namespace {

using std::chrono::milliseconds;

class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = std::getenv(name)) old_ = old;
    setenv(name, value.c_str(), 1);
  }
  ~Variable() { old_.empty() ? unsetenv(name_) : setenv(name_, old_.c_str(), 1); }

 private:
  const char* name_;
  std::string old_;
};

bool has_converter() {
  return run_program({"rsvg-convert", "--version"}, "", milliseconds(5000)).found;
}

constexpr const char* kPicture =
    "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"31\" height=\"17\"><rect width=\"9\" "
    "height=\"9\"/></svg>";

unsigned big_endian(const std::string& bytes, std::size_t at) {
  unsigned value = 0;
  for (std::size_t i = 0; i < 4; ++i)
    value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
  return value;
}

ErrorKind kind_of_failure(const std::string& svg) {
  try {
    png_from_svg(svg);
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos);
    return error.kind();
  }
  ADD_FAILURE() << "no error";
  return ErrorKind::usage;
}

TEST(Png, HasTwicethePixels) {
  if (!has_converter()) GTEST_SKIP() << "rsvg-convert is not installed";
  const std::string png = png_from_svg(kPicture).bytes;
  ASSERT_GT(png.size(), 24);
  EXPECT_EQ(png.substr(1, 3), "PNG");
  EXPECT_EQ(big_endian(png, 16), 62);
  EXPECT_EQ(big_endian(png, 20), 34);
  EXPECT_EQ(png, png_from_svg(kPicture).bytes);
}

TEST(Png, WithoutTheProgramSaysWhatToInstall) {
  const Variable path("PATH", "/nonexistent");
  EXPECT_EQ(kind_of_failure(kPicture), ErrorKind::file);
}

TEST(Png, WithoutAFontSaysWhatToInstall) {
  if (!has_converter()) GTEST_SKIP() << "rsvg-convert is not installed";
  const auto file = std::filesystem::temp_directory_path() / "foveal_no_fonts.conf";
  std::ofstream(file) << "<fontconfig></fontconfig>";
  const Variable fonts("FONTCONFIG_FILE", file.string());
  EXPECT_EQ(kind_of_failure(kPicture), ErrorKind::file);
  std::filesystem::remove(file);
}

// U+0378 is no character yet, so no font has it.
TEST(Png, CharactersThatNoFontHasAreBoxesAndNamed) {
  if (!has_converter()) GTEST_SKIP() << "rsvg-convert is not installed";
  const auto picture = [](const std::string& text) {
    return "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"60\" height=\"20\"><text y=\"15\">" +
           text + "</text></svg>";
  };
  const Png png = png_from_svg(picture("a\u0378b\u0379\u0378"));
  EXPECT_EQ(png.missing, (std::vector<std::string>{"\u0378", "\u0379"}));
  EXPECT_EQ(png.bytes, png_from_svg(picture("a□b□□")).bytes);
  EXPECT_EQ(missing_note(png).rfind("png: no font here has \u0378 (U+0378), \u0379 (U+0379): ", 0),
            0U)
      << missing_note(png);
  const Png known = png_from_svg(picture("−∞ · √ é a\u200D"));
  EXPECT_TRUE(known.missing.empty());
  EXPECT_EQ(missing_note(known), "");
}

TEST(Png, NamesSomeOfManyMissingCharacters) {
  Png png;
  for (int i = 0; i < 12; ++i) png.missing.emplace_back("\u0378");
  EXPECT_NE(missing_note(png).find(" and 4 more: drawn as □"), std::string::npos);
}

TEST(Png, BrokenPictureIsOurOwnFault) {
  if (!has_converter()) GTEST_SKIP() << "rsvg-convert is not installed";
  EXPECT_EQ(kind_of_failure("<svg"), ErrorKind::internal);
}

TEST(Process, PassesMuchBothWaysWithoutADeadlock) {
  const std::string much(3'000'000, 'x');
  const Finished finished = run_program({"cat"}, much, milliseconds(20000));
  EXPECT_EQ(finished.status, 0);
  EXPECT_EQ(finished.output, much);
}

TEST(Process, SurvivesAProgramThatDoesNotRead) {
  const std::string much(3'000'000, 'x');
  EXPECT_EQ(run_program({"true"}, much, milliseconds(20000)).status, 0);
  EXPECT_EQ(run_program({"false"}, much, milliseconds(20000)).status, 1);
}

TEST(Process, StopsWhatTakesTooLong) {
  EXPECT_THROW(run_program({"sleep", "30"}, "", milliseconds(200)), Error);
}

TEST(Process, CollectsErrorsToo) {
  const Finished finished = run_program({"ls", "/nonexistent"}, "", milliseconds(20000));
  EXPECT_NE(finished.status, 0);
  EXPECT_NE(finished.errors.find("nonexistent"), std::string::npos);
}

}  // namespace
}  // namespace foveal::draw
