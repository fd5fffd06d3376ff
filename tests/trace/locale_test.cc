// A host program may set any locale, in C and in C++: texts and files stay the same, and are read
// the same.

#include <gtest/gtest.h>
#include <stdlib.h>

#include <clocale>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <locale>

#include "errors.h"
#include "foveal/attention.h"
#include "foveal/operations.h"
#include "foveal/plan.h"
#include "foveal/safetensors.h"
#include "io/npy.h"
#include "io/safetensors_header.h"
#include "trace/check/check.h"
#include "trace/input/input.h"
#include "trace/records.h"
#include "trace/run/record.h"
#include "trace/views/views.h"

namespace foveal {
namespace {

/// "1.234,5": as much of Europe writes numbers, integers too.
class Grouped : public std::numpunct<char> {
 protected:
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

class CppLocale {
 public:
  CppLocale() : before_(std::locale::global(std::locale(std::locale::classic(), new Grouped))) {}
  ~CppLocale() { std::locale::global(before_); }

 private:
  std::locale before_;
};

/// One with a comma, made for this test where the machine has none.
class CLocale {
 public:
  CLocale() : folder_(std::filesystem::temp_directory_path() / "foveal-locales-XXXXXX") {
    if (!set()) make();
  }
  ~CLocale() {
    std::setlocale(LC_ALL, "C");
    ::unsetenv("LOCPATH");
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  bool is_set() const { return is_set_; }

 private:
  bool set() { return is_set_ = std::setlocale(LC_ALL, "de_DE.UTF-8") != nullptr; }

  void make() {
    std::string name = folder_.string();
    if (::mkdtemp(name.data()) == nullptr) return;
    folder_ = name;
    const std::string command =
        "localedef -i de_DE -f UTF-8 '" + name + "/de_DE.UTF-8' >/dev/null 2>&1";
    if (std::system(command.c_str()) != 0) return;
    ::setenv("LOCPATH", name.c_str(), 1);
    set();
  }

  std::filesystem::path folder_;
  bool is_set_ = false;
};

void add_library_texts(std::vector<std::string>* texts) {
  const Shape shape = {8, 12, 4096, 64};
  const Plan plan =
      plan_attention(shape, shape, shape, DType::float32,
                     {.mask = window(255, 0), .scale = 0.125, .softcap = 30.5, .dropout = 0.25});
  texts->push_back(plan.explain());
  texts->push_back(plan.to_json());
  texts->push_back(to_string(tensor({{0.43, 1.5}, {-2.25, 0.125}})));
  texts->push_back(to_string(tensor({{0.43, 1e7}, {-2.25, 1e-7}})));
  texts->push_back(to_string(tensor({12345678, -1})));
  texts->push_back(to_string(tensor({1234567.0, 2.0})));
  texts->push_back(to_string(Tensor::arange(123456)));
  texts->push_back(to_string(parse_mask("window(12345, 0) & prefix(2000)")));
  texts->push_back(to_string(Shape{12345, 678901}));
}

void add_error_texts(std::vector<std::string>* texts) {
  const Tensor one = Tensor::ones({1, 1, 1, 1});
  for (const AttentionOptions& options :
       {AttentionOptions{.dropout = 1.5}, AttentionOptions{.scale = NAN},
        AttentionOptions{.softcap = -1234.5}}) {
    texts->push_back(message_of([&] { attention(one, one, one, options); }));
  }
  texts->push_back(message_of([] { Tensor::full({2}, 1.5, DType::int64); }));
  texts->push_back(message_of([] { tensor({1e30}).to(DType::int64); }));
  texts->push_back(message_of([] { Tensor::ones({12345, 2}).view({54321}); }));
  texts->push_back(message_of([] { parse_mask("window(12345678901234567890, 0)"); }));
  texts->push_back(message_of([] { parse_mask("window(1,5, 0)"); }));
  const std::string header = R"({"w":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}})";
  const std::string length(1, static_cast<char>(header.size()));
  texts->push_back(
      message_of([&] { parse_safetensors(length + std::string(7, '\0') + header + "1234", "s"); }));
}

void add_files(std::vector<std::string>* texts) {
  const Tensor large = Tensor::ones({2621, 401});
  const std::string npy = npy_bytes(large), safetensors = safetensors_bytes({{"a", large}}, {});
  texts->push_back(npy.substr(0, 128));
  texts->push_back(safetensors.substr(0, 128));
  texts->push_back(to_string(parse_npy(npy, "m").shape()));
  texts->push_back(to_string(find(parse_safetensors(safetensors, "m").tensors, "a")->shape()));
}

void add_views(std::vector<std::string>* texts) {
  const trace::Input input = trace::parse_input(
      R"json({"inputs": [[0.5, 1234.25], [-1e-3, 2]], "scale": 0.125, "mask": "window(1, 0)",
              "dropout": {"p": 0.5, "seed": 123456},
              "expected": {"scores": [["-1523345.06", 0.20], ["1.5e3", null]]}})json",
      "f.json");
  trace::Record record = trace::run(input, 1);
  texts->push_back(trace::check_text_of(record));
  texts->push_back(trace::check_json_of(record));
  record.checks = trace::check(record);
  texts->push_back(trace::text_view(record));
  texts->push_back(trace::json_view(record));
  texts->push_back(trace::csv_view(record));
  texts->push_back(trace::svg_view(record, trace::Theme::light, false));
  texts->push_back(trace::html_view(record));
  texts->push_back(message_of([] { trace::parse_input(R"({"inputs": [[1,5], [1.5]]})", "f"); }));
}

std::vector<std::string> all_texts() {
  std::vector<std::string> texts;
  add_library_texts(&texts);
  add_error_texts(&texts);
  add_files(&texts);
  add_views(&texts);
  return texts;
}

TEST(Locale, CppsGlobalOneChangesNothing) {
  const std::vector<std::string> plain = all_texts();
  const CppLocale locale;
  const std::vector<std::string> german = all_texts();
  ASSERT_EQ(german.size(), plain.size());
  for (std::size_t n = 0; n < plain.size(); ++n) EXPECT_EQ(german[n], plain[n]) << n;
}

TEST(Locale, CsChangesNothing) {
  const std::vector<std::string> plain = all_texts();
  const CLocale locale;
  if (!locale.is_set()) {
    ASSERT_EQ(std::getenv("CI"), nullptr) << "no locale with a comma: tools/setup test";
    GTEST_SKIP() << "no locale with a comma here, and nothing to make one of: tools/setup test";
  }
  ASSERT_STREQ(std::localeconv()->decimal_point, ",");
  const std::vector<std::string> german = all_texts();
  ASSERT_EQ(german.size(), plain.size());
  for (std::size_t n = 0; n < plain.size(); ++n) EXPECT_EQ(german[n], plain[n]) << n;
}

}  // namespace
}  // namespace foveal
