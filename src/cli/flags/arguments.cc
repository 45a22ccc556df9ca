#include "cli/flags/arguments.h"

#include <algorithm>
#include <charconv>
#include <memory>

#include "base/str.h"

namespace dunnock::cli {

namespace {

// CLI11 takes "[a,b]" apart and, from version 2.4 on, reads "{}" as an empty list.
bool NeedsGuard(std::string_view text) {
  return text.starts_with('[') || text.starts_with("++") || text == "{}";
}

// Empty, or what is wrong with the text as a value of an option of this type.
template <typename T>
std::string NumberFault(std::string_view text) {
  T value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, value);
  // Fractions nearer to 0 than a double are 0.
  const bool fits = error == std::errc() ||
                    (std::is_floating_point_v<T> && error == std::errc::result_out_of_range);
  return fits && stop == end ? "" : Str("expected a number, found \"", text, "\"");
}

std::string ValueFault(const std::string& type, std::string_view text) {
  if (type.starts_with("FLOAT")) return NumberFault<double>(text);
  if (type.starts_with("INT")) return NumberFault<int64_t>(text);
  if (type.starts_with("UINT")) return NumberFault<uint64_t>(text);
  return "";
}

void Unguard(CLI::App& app) {
  for (CLI::App* verb : app.get_subcommands({})) Unguard(*verb);
  for (CLI::Option* option : app.get_options()) {
    if (option->get_expected_max() == 0) continue;
    const std::string type = option->get_type_name();
    // -1, as llama.cpp has it, is any seed: the largest number. Versions of CLI11 differ in whether
    // they make it of -1.
    const bool any = option->check_lname("seed");
    option->transform(CLI::Validator(
        [type, any](std::string& text) {
          if (text.ends_with(kTextGuard) && NeedsGuard({text.data(), text.size() - 1}))
            text.pop_back();
          if (any && text == "-1") text = std::to_string(UINT64_MAX);
          return ValueFault(type, text);
        },
        ""));
  }
}

}  // namespace

CLI::Option* AddTexts(CLI::App& verb, const std::string& name, std::vector<std::string>* texts,
                      const std::string& help) {
  // What the callback is given is not what was typed: for "{}" alone there is a second text.
  const auto option = std::make_shared<CLI::Option*>();
  const CLI::callback_t take = [texts, option](const CLI::results_t&) {
    *texts = (*option)->results();
    return true;
  };
  return *option = verb.add_option(name, take, help)
                       ->type_name("TEXT")
                       ->type_size(1)
                       ->expected(CLI::detail::expected_max_vector_size);
}

std::vector<std::string> GuardTexts(CLI::App& program, int argc, char** argv) {
  Unguard(program);
  std::vector<std::string> out(argv + std::min(argc, 1), argv + argc);
  for (std::string& text : out) {
    if (NeedsGuard(text)) text += kTextGuard;
  }
  std::reverse(out.begin(), out.end());  // as CLI11 wants a list
  return out;
}

CLI::Validator InRange(int64_t least, int64_t most, const std::string& what) {
  CLI::Validator out = CLI::Range(least, most, what);
  out.operation([least, most](std::string& text) -> std::string {
    int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && stop == end && least <= value && value <= most) return "";
    return Str("Value ", text, " not in range ", least, " to ", most);
  });
  return out;
}

const char* TextTakenForFlags(const CLI::App& program, int argc, char** argv) {
  const CLI::App* verb = nullptr;
  for (const CLI::App* one : program.get_subcommands({})) {
    if (argc > 1 && one->check_name(argv[1])) verb = one;
  }
  if (verb == nullptr) return nullptr;
  const auto takes_value = [&](const std::string& name) {
    const CLI::Option* option = verb->get_option_no_throw(name);
    return name.starts_with('-') && option != nullptr && option->get_expected_max() > 0;
  };
  for (int i = 2; i < argc && std::string_view(argv[i]) != "--"; ++i) {
    const std::string_view text(argv[i]);
    const size_t blank = text.find_first_of(" \t\r\n");
    // What follows an option is its value, whatever it looks like.
    if (text.size() < 3 || text[0] != '-' || blank == text.npos || takes_value(argv[i - 1]))
      continue;
    const bool number = text[1] >= '0' && text[1] <= '9';
    // A value may also stand in the same word: --prompt="a b", -p"a b".
    const bool joined = text[1] == '-' ? text.find('=') < blank
                                       : blank > 2 && takes_value(std::string(text.substr(0, 2)));
    if (!number && !joined) return argv[i];
  }
  return nullptr;
}

}  // namespace dunnock::cli
