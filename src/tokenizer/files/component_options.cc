// The options of the components of a tokenizer.json, and what each may be. An option of another
// type, or a word that is none of its words, would otherwise be taken for its default.

#include <algorithm>

#include "base/str.h"
#include "base/text/utf8.h"
#include "tokenizer/files/component_options.h"

namespace dunnock {
namespace {

enum class Kind { kFlag, kText, kCharacter, kCount, kWord };
struct Option {
  std::string_view type, key;
  Kind kind;
  std::string_view words = "[]";  // of kWord
};

constexpr std::string_view kSchemes = R"(["always", "first", "never"])";
constexpr Option kOptions[] = {
    {"BPE", "byte_fallback", Kind::kFlag},
    {"BPE", "fuse_unk", Kind::kFlag},
    {"BPE", "ignore_merges", Kind::kFlag},
    {"BPE", "unk_token", Kind::kText},
    {"BPE", "continuing_subword_prefix", Kind::kText},
    {"BPE", "end_of_word_suffix", Kind::kText},
    {"WordPiece", "unk_token", Kind::kText},
    {"WordPiece", "continuing_subword_prefix", Kind::kText},
    {"WordPiece", "max_input_chars_per_word", Kind::kCount},
    {"Unigram", "unk_id", Kind::kCount},
    {"Unigram", "byte_fallback", Kind::kFlag},
    {"BertNormalizer", "clean_text", Kind::kFlag},
    {"BertNormalizer", "handle_chinese_chars", Kind::kFlag},
    {"BertNormalizer", "strip_accents", Kind::kFlag},
    {"BertNormalizer", "lowercase", Kind::kFlag},
    {"Precompiled", "precompiled_charsmap", Kind::kText},
    {"Prepend", "prepend", Kind::kText},
    {"Replace", "content", Kind::kText},
    {"Strip", "strip_left", Kind::kFlag},
    {"Strip", "strip_right", Kind::kFlag},
    {"Strip", "content", Kind::kCharacter},
    {"Strip", "start", Kind::kCount},
    {"Strip", "stop", Kind::kCount},
    {"ByteLevel", "add_prefix_space", Kind::kFlag},
    {"ByteLevel", "trim_offsets", Kind::kFlag},
    {"ByteLevel", "use_regex", Kind::kFlag},
    {"Digits", "individual_digits", Kind::kFlag},
    {"Metaspace", "replacement", Kind::kCharacter},
    {"Metaspace", "prepend_scheme", Kind::kWord, kSchemes},
    {"Metaspace", "add_prefix_space", Kind::kFlag},
    {"Metaspace", "split", Kind::kFlag},
    {"Punctuation", "behavior", Kind::kWord, R"(["Isolated", "Removed"])"},
    {"RobertaProcessing", "trim_offsets", Kind::kFlag},
    {"RobertaProcessing", "add_prefix_space", Kind::kFlag},
    {"Sequence", "id", Kind::kWord, R"(["A", "B"])"},
    {"WordPiece", "prefix", Kind::kText},
    {"WordPiece", "cleanup", Kind::kFlag},
};

bool Fits(const Option& option, const Json& value) {
  switch (option.kind) {
    case Kind::kFlag:
      return value.is_boolean();
    case Kind::kText:
      return value.is_string();
    case Kind::kCharacter:
      return value.is_string() && ToUtf32(value.get_ref<const std::string&>()).size() == 1;
    case Kind::kCount:
      return value.is_number_integer() && value >= 0;
    case Kind::kWord: {
      const Json words = ParseJson(option.words).value_or(Json::array());
      return std::ranges::count(words, value) > 0;
    }
  }
  return false;
}

std::string Expected(const Option& option) {
  return option.kind == Kind::kFlag        ? "true or false"
         : option.kind == Kind::kText      ? "a text"
         : option.kind == Kind::kCharacter ? "one character"
         : option.kind == Kind::kCount     ? "a whole number"
                                           : "one of " + std::string(option.words);
}

}  // namespace

Status CheckOptions(const Json& component, std::string_view type) {
  for (const Option& option : kOptions) {
    const Json* value = option.type == type ? FindMember(component, option.key) : nullptr;
    if (value == nullptr || Fits(option, *value)) continue;
    return Unsupported(
        Str(type, ": \"", option.key, "\" is ", DumpJson(*value), ": expected ", Expected(option)));
  }
  return {};
}

}  // namespace dunnock
