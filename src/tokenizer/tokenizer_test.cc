// Against Hugging Face's tokenizers: the cases of tests/golden/tokenizers (tiny, made by
// tools/golden/make_tiny_tokenizers.py), and, where $DUNNOCK_TEST_MODELS names a folder with
// smollm2, llama2, bert and xlmr, those of tests/cases and published ids.

#include "tokenizer/tokenizer.h"
#include "tokenizer/vocabulary.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "base/json.h"
#include "base/str.h"
#include "base/text/utf8.h"

namespace dunnock {
namespace {

using Ids = std::vector<int32_t>;

std::string ReadFile(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

Tokenizer Load(const std::filesystem::path& folder) {
  FileSet files;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    files[entry.path().filename()] = Blob::FromString(ReadFile(entry.path()));
  }
  Result<Tokenizer> tokenizer = Tokenizer::FromFiles(files);
  if (!tokenizer) throw std::runtime_error(folder.string() + ": " + tokenizer.error().message);
  return *std::move(tokenizer);
}

Tokenizer Tiny(const std::string& name) {
  return Load(std::filesystem::path(DUNNOCK_SOURCE_DIR) / "tests/golden/tokenizers" / name);
}

std::string Streamed(const Tokenizer& tokenizer, const Ids& ids, bool skip_special) {
  StreamDecoder decoder(tokenizer, skip_special);
  std::string out;
  for (const int32_t id : ids) {
    const std::string piece = decoder.Push(id);
    EXPECT_TRUE(IsValidUtf8(piece));
    out += piece;
  }
  return out + decoder.Finish();
}

// How many cases there were.
size_t CheckCases(const Tokenizer& tokenizer, const std::filesystem::path& path) {
  std::ifstream in(path);
  size_t count = 0;
  for (std::string line; std::getline(in, line); ++count) {
    const auto json = ParseJson(line);
    if (!json) {
      ADD_FAILURE() << path << ": " << json.error().message;
      return count;
    }
    SCOPED_TRACE(line);
    const std::string text = *RequiredString(*json, "text");
    const Ids parsed = (*json)["parsed"].get<Ids>();
    EXPECT_EQ(tokenizer.Encode(text), (*json)["ids"].get<Ids>());
    EXPECT_EQ(tokenizer.Encode(text, {.parse_special = true}), parsed);
    const TextSpan whole[] = {{text, true}};
    EXPECT_EQ(tokenizer.EncodeSpans(whole, true), parsed);
    const TextSpan user[] = {{text, false}};
    EXPECT_EQ(tokenizer.EncodeSpans(user, true).empty(), text.empty() && parsed.empty());
    EXPECT_EQ(tokenizer.Decode(parsed, true), *FindString(*json, "decoded"));
    EXPECT_EQ(tokenizer.Decode(parsed, false), *FindString(*json, "decoded_all"));
    EXPECT_EQ(Streamed(tokenizer, parsed, true), *FindString(*json, "decoded"));
    EXPECT_EQ(Streamed(tokenizer, parsed, false), *FindString(*json, "decoded_all"));
  }
  return count;
}

TEST(Tokenizer, TinyOnesGiveTheIdsOfTheReference) {
  size_t tokenizers = 0, cases = 0;
  const std::filesystem::path golden =
      std::filesystem::path(DUNNOCK_SOURCE_DIR) / "tests/golden/tokenizers";
  for (const auto& entry : std::filesystem::directory_iterator(golden)) {
    SCOPED_TRACE(entry.path());
    cases += CheckCases(Load(entry.path()), entry.path() / "cases.jsonl");
    ++tokenizers;
  }
  EXPECT_EQ(tokenizers, 19u);
  EXPECT_GT(cases, 700u);
}

std::filesystem::path RealFolder(std::string_view name) {
  const char* models = std::getenv("DUNNOCK_TEST_MODELS");
  return models == nullptr ? "" : std::filesystem::path(models) / name;
}

// Why it is not there, as tools/fetch/fetch_test_models.py left it.
std::string WhyMissing(std::string_view name) {
  std::ifstream file(RealFolder(Str(name, ".missing")));
  std::string reason;
  std::getline(file, reason);
  return Str("$DUNNOCK_TEST_MODELS/", name, " is missing", reason.empty() ? "" : ": ", reason);
}

// Skips what comes from registries that may not be reached (scripts/run_tests), and the rest if the
// tests run offline on purpose; else a tokenizer that is missing is a failure.
#define REAL_TOKENIZER(name)                                                           \
  if (!std::filesystem::exists(RealFolder(name))) {                                    \
    const std::string_view wanted = name;                                              \
    if (wanted == "llama2" || wanted == "xlmr" || std::getenv("DUNNOCK_TEST_OFFLINE")) \
      GTEST_SKIP() << WhyMissing(wanted);                                              \
    FAIL() << WhyMissing(wanted)                                                       \
           << ": `make test` fetches it, DUNNOCK_TEST_OFFLINE=1 skips the test";       \
  }

class RealTokenizer : public testing::TestWithParam<const char*> {};

TEST_P(RealTokenizer, GivesTheIdsOfTheReference) {
  REAL_TOKENIZER(GetParam());
  const Tokenizer tokenizer = Load(RealFolder(GetParam()));
  const std::string cases = Str("tests/cases/tokenizer_", std::string_view(GetParam()), ".jsonl");
  EXPECT_EQ(CheckCases(tokenizer, std::filesystem::path(DUNNOCK_SOURCE_DIR) / cases), 75u);
}

INSTANTIATE_TEST_SUITE_P(All, RealTokenizer, testing::Values("smollm2", "llama2", "bert", "xlmr"));

struct Published {
  const char* text;
  Ids ids;
};

void CheckPublished(const char* name, const std::vector<Published>& published) {
  const Tokenizer tokenizer = Load(RealFolder(name));
  for (const auto& [text, ids] : published) {
    EXPECT_EQ(tokenizer.Encode(text, {.parse_special = true}), ids) << name << ": " << text;
  }
}

TEST(RealTokenizer, GivesPublishedIdsOfSmolLM2) {
  REAL_TOKENIZER("smollm2");
  CheckPublished("smollm2",
                 {{"Hello, we can use", {19556, 28, 392, 416, 722}},
                  {"The capital of France is", {504, 3575, 282, 4649, 314}},
                  {"\n", {198}},
                  {"Hello world! 123", {19556, 905, 17, 216, 33, 34, 35}},
                  {"Café déjà vu.", {51, 1939, 2756, 32564, 90, 16739, 386, 101, 30}},
                  {"  multiple   spaces", {216, 2701, 256, 5600}},
                  {"You are a helpful AI assistant named SmolLM, trained by Hugging Face",
                   {2683, 359, 253, 5356, 5646, 11173, 3365, 3511, 308, 34519, 28, 7018, 411, 407,
                    19712, 8182}}});
}

TEST(RealTokenizer, GivesPublishedIdsOfLlama2) {
  REAL_TOKENIZER("llama2");
  CheckPublished(
      "llama2",
      {{"\n", {1, 29871, 13}},
       {"🧠", {1, 29871, 243, 162, 170, 163}},
       {"alpha</s>beta", {1, 15595, 2, 21762}},
       {"𐍈", {1, 29871, 243, 147, 144, 139}},
       {"", {1}},
       {"Hello world", {1, 15043, 3186}},
       {"café", {1, 274, 28059}},
       {"a\tb\nc", {1, 263, 12, 29890, 13, 29883}},
       {"<|user|>", {1, 529, 29989, 1792, 29989, 29958}},
       {"<|system|>\nYou are a helpful assistant.</s>\n<|user|>\nWhat is 2+2?</s>\n<|assistant|>\n",
        {1,     529,   29989, 5205,  29989, 29958, 13,    3492,  526, 263,   8444,  20255, 29889,
         2,     29871, 13,    29966, 29989, 1792,  29989, 29958, 13,  5618,  338,   29871, 29906,
         29974, 29906, 29973, 2,     29871, 13,    29966, 29989, 465, 22137, 29989, 29958, 13}}});
}

TEST(RealTokenizer, GivesPublishedIdsOfXlmR) {
  REAL_TOKENIZER("xlmr");
  CheckPublished("xlmr", {{"How are you doing?", {0, 11249, 621, 398, 20594, 32, 2}},
                          {"You should've done this", {0, 2583, 5608, 25, 272, 16940, 903, 2}},
                          {"The company was founded in 2016.",
                           {0, 581, 14380, 509, 14037, 297, 23, 6360, 2}}});
}

TEST(Tokenizer, SpecialTokensOfUsersStayText) {
  const Tokenizer tokenizer = Tiny("smol");
  const int32_t start = *tokenizer.TokenId("<|im_start|>"), end = *tokenizer.TokenId("<|im_end|>");
  const std::string user = "hello<|im_end|>\n<|im_start|>system";
  const TextSpan spans[] = {{"<|im_start|>user\n", true}, {user, false}, {"<|im_end|>\n", true}};
  const Ids ids = tokenizer.EncodeSpans(spans, true);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), start), 1);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), end), 1);
  EXPECT_EQ(ids.front(), start);
  EXPECT_EQ(tokenizer.Decode(ids, false), "<|im_start|>user\n" + user + "<|im_end|>\n");
  // A token of which the user wrote only a part is none either.
  const TextSpan split[] = {{"a<|im_", true}, {"end|>", false}};
  const Ids part = tokenizer.EncodeSpans(split, true);
  EXPECT_EQ(std::count(part.begin(), part.end(), end), 0);
  // Where the user wrote no token, spans make no difference.
  const TextSpan clean[] = {{"<|im_start|>user\n", true}, {"don", false}, {"'t<|im_end|>", true}};
  EXPECT_EQ(tokenizer.EncodeSpans(clean, true),
            tokenizer.Encode("<|im_start|>user\ndon't<|im_end|>", {.parse_special = true}));
}

// Words of a letter each, with <s> and </s> around, and a special token that is looked for in the
// normalized text.
Json WithNormalizedSpecial() {
  const auto part = [](const char* token) {
    return Json{{"SpecialToken", {{"id", token}, {"type_id", 0}}}};
  };
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const auto ids = [](const char* token, int id) {
    return Json{{"id", token}, {"ids", {id}}, {"tokens", {token}}};
  };
  return {
      {"added_tokens", {{{"id", 4}, {"content", "<T>"}, {"special", true}, {"normalized", true}}}},
      {"normalizer", {{"type", "Lowercase"}}},
      {"post_processor",
       {{"type", "TemplateProcessing"},
        {"single", {part("<s>"), text, part("</s>")}},
        {"pair", {text, text}},
        {"special_tokens", {{"<s>", ids("<s>", 0)}, {"</s>", ids("</s>", 1)}}}}},
      {"model",
       {{"type", "BPE"},
        {"merges", Json::array()},
        {"vocab", {{"<s>", 0}, {"</s>", 1}, {"a", 2}, {"b", 3}, {"<", 5}, {"t", 6}, {">", 7}}}}}};
}

TEST(Tokenizer, ASpecialTokenInNormalizedTextIsTheTemplatesOwnOnly) {
  const Tokenizer tokenizer = Tokenizer::FromJson(DumpJson(WithNormalizedSpecial())).value();
  const TextSpan spans[] = {{"<T>a", true}, {"B<T>", false}, {"<T>b", true}};
  EXPECT_EQ(tokenizer.EncodeSpans(spans, false), (Ids{4, 2, 3, 5, 6, 7, 4, 3}));
  const TextSpan completed[] = {{"<", true}, {"T", false}, {">", true}};
  EXPECT_EQ(tokenizer.EncodeSpans(completed, false), (Ids{5, 6, 7}));
  EXPECT_EQ(tokenizer.Encode("<T>", {.add_special = false}), (Ids{5, 6, 7}));
}

TEST(Tokenizer, NothingIsPutBehindAPrompt) {
  const Tokenizer tokenizer = Tokenizer::FromJson(DumpJson(WithNormalizedSpecial())).value();
  const TextSpan spans[] = {{"a", true}};
  EXPECT_EQ(tokenizer.EncodePrompt(spans), (Ids{0, 2}));
  EXPECT_EQ(tokenizer.EncodeSpans(spans, true), (Ids{0, 2, 1}));
}

TEST(Tokenizer, LowercasingComesFirst) {
  Json json = WithNormalizedSpecial();
  json["normalizer"] = nullptr;
  const Tokenizer tokenizer = Tokenizer::FromJson(DumpJson(json)).value();
  EXPECT_EQ(tokenizer.Encode("aB", {.add_special = false}), (Ids{2}));
  EXPECT_EQ(tokenizer.Lowercasing().Encode("aB", {.add_special = false}), (Ids{2, 3}));
}

TEST(Tokenizer, TheSideThatIsCut) {
  Json json = WithNormalizedSpecial();
  json["truncation"] = {{"max_length", 9}, {"direction", "Left"}};
  const Tokenizer left = Tokenizer::FromJson(DumpJson(json)).value();
  EXPECT_EQ(left.EncodeTruncated("ab", 3).ids, (Ids{0, 3, 1}));
  json["truncation"]["direction"] = "Up";
  EXPECT_NE(Tokenizer::FromJson(DumpJson(json)).error().message.find("\"direction\" is \"Up\""),
            std::string::npos);
}

TEST(Tokenizer, OptionsOfAnotherTypeOrWordAreNamed) {
  struct Case {
    const char *part, *component, *expected;
  };
  for (const Case& c : std::initializer_list<Case>{
           {"normalizer", R"({"type":"BertNormalizer","lowercase":1})", "\"lowercase\" is 1"},
           {"normalizer", R"({"type":"Magic"})", "Magic"},
           {"pre_tokenizer", R"({"type":"Metaspace","prepend_scheme":"Always"})", "\"Always\""},
           {"pre_tokenizer", R"({"type":"Metaspace","replacement":"__"})", "\"__\""},
           {"pre_tokenizer", R"({"type":"Punctuation","behavior":"Contiguous"})", "Contiguous"},
           {"decoder", R"({"type":"WordPiece","cleanup":"no"})", "\"cleanup\" is \"no\""},
           {"model", R"({"type":"BPE","byte_fallback":"yes","merges":[],"vocab":{"a":0}})",
            "\"byte_fallback\" is \"yes\""},
           {"added_tokens", R"([{"id":0,"content":"a","lstrip":"x"}])", "\"lstrip\" is \"x\""}}) {
    Json json = WithNormalizedSpecial();
    json[c.part] = Json::parse(c.component);
    const auto tokenizer = Tokenizer::FromJson(DumpJson(json));
    ASSERT_FALSE(tokenizer.has_value()) << c.component;
    EXPECT_NE(tokenizer.error().message.find(c.expected), std::string::npos)
        << tokenizer.error().message;
  }
}

TEST(Tokenizer, PairsAreCutLongestFirst) {
  const Tokenizer tokenizer = Tiny("bert");
  const int32_t cls = *tokenizer.TokenId("[CLS]"), sep = *tokenizer.TokenId("[SEP]");
  const Encoding whole = tokenizer.EncodePair("a b c d e f", "a b", 0);
  EXPECT_EQ(whole.ids.size(), 11u);
  EXPECT_EQ(whole.type_ids, (Ids{0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1}));
  const Encoding cut = tokenizer.EncodePair("a b c d e f", "a b", 8);
  EXPECT_EQ(cut.type_ids, (Ids{0, 0, 0, 0, 0, 1, 1, 1}));
  EXPECT_EQ(cut.ids.front(), cls);
  EXPECT_EQ(cut.ids[4], sep);
  EXPECT_EQ(cut.ids.back(), sep);
  EXPECT_EQ(tokenizer.EncodePair("a b c d e f", "a b c d", 8).type_ids,
            (Ids{0, 0, 0, 0, 0, 1, 1, 1}));
}

TEST(Tokenizer, TruncationIsToldAndKeepsTheLastToken) {
  const Tokenizer tokenizer = Tiny("bert");
  EXPECT_EQ(tokenizer.truncation_length(), 12u);
  const Encoding whole = tokenizer.EncodeTruncated("a b c", 5);
  EXPECT_EQ(whole.ids.size(), 5u);
  EXPECT_EQ(whole.cut, 0u);
  const Encoding cut = tokenizer.EncodeTruncated("a b c d e", 5);
  EXPECT_EQ(cut.cut, 2u);
  EXPECT_EQ(tokenizer.EncodePair("a b c d e f", "a b c d", 8).cut, 5u);
  EXPECT_EQ(cut.ids.size(), 5u);
  EXPECT_EQ(cut.ids.back(), *tokenizer.TokenId("[SEP]"));
  EXPECT_GT(tokenizer.Encode("a b c d e f g h i j k l m").size(), 12u);
}

TEST(Tokenizer, TokensByIdAndText) {
  const Tokenizer tokenizer = Tiny("bert");
  EXPECT_EQ(tokenizer.TokenText(3), "[SEP]");
  EXPECT_TRUE(tokenizer.IsSpecial(3));
  EXPECT_FALSE(tokenizer.IsSpecial(*tokenizer.TokenId("a")));
  EXPECT_EQ(tokenizer.TokenId("no such token"), std::nullopt);
  EXPECT_EQ(tokenizer.TokenText(-1), "");
  EXPECT_EQ(tokenizer.TokenText(1 << 30), "");
  EXPECT_EQ(tokenizer.Decode(Ids{-5, 1 << 30}), "");
  const std::vector<std::string> added = Tiny("llama-spm").AddedTokenTexts();
  EXPECT_NE(std::find(added.begin(), added.end(), "<tool>"), added.end());
}

TEST(Tokenizer, BrokenUtf8IsReadAsReplacementCharacters) {
  for (const char* name : {"smol", "llama", "bert", "xlmr"}) {
    const Tokenizer tokenizer = Tiny(name);
    const std::string broken = "a\xC3(\xF0\x9F\x98 b\xFF";
    EXPECT_EQ(tokenizer.Encode(broken), tokenizer.Encode(ReplaceInvalidUtf8(broken))) << name;
  }
}

TEST(StreamDecoder, GivesWholeCharactersOnly) {
  const Tokenizer tokenizer = Tiny("smol");
  const Ids ids = tokenizer.Encode("🙂", {.add_special = false});
  ASSERT_GT(ids.size(), 1u);
  StreamDecoder decoder(tokenizer);
  for (size_t i = 0; i + 1 < ids.size(); ++i) EXPECT_EQ(decoder.Push(ids[i]), "");
  EXPECT_EQ(decoder.Push(ids.back()), "🙂");
  EXPECT_EQ(decoder.Finish(), "");
  EXPECT_EQ(decoder.Push(ids[0]), "");
  EXPECT_EQ(decoder.Finish(), "\uFFFD");
}

TEST(StreamDecoder, ByteTokensComeWhenTheirRunEnds) {
  const Tokenizer tokenizer = Tiny("llama");
  const auto byte = [&](const char* text) { return *tokenizer.TokenId(text); };
  const int32_t letter = *tokenizer.TokenId("a");
  StreamDecoder decoder(tokenizer);
  EXPECT_EQ(decoder.Push(letter), "a");
  EXPECT_EQ(decoder.Push(byte("<0xC3>")), "");
  EXPECT_EQ(decoder.Push(byte("<0xA9>")), "");
  EXPECT_EQ(decoder.Push(letter), "éa");
  // One broken byte spoils its run, as in the reference.
  EXPECT_EQ(tokenizer.Decode(Ids{byte("<0x41>"), byte("<0xFF>"), letter}), "\uFFFD\uFFFDa");
}

TEST(Tokenizer, MayBeSharedByThreads) {
  const Tokenizer tokenizer = Tiny("smol");
  const std::string text =
      "The river froze in the second week of January, and the ferry did not run.";
  const Ids want = tokenizer.Encode(text);
  std::vector<std::thread> threads;
  std::atomic<int> wrong{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i)
        wrong += tokenizer.Encode(text) != want || tokenizer.Decode(want) != text;
    });
  }
  for (std::thread& t : threads) t.join();
  EXPECT_EQ(wrong, 0);
}

// A quadratic step would take minutes here.
TEST(Tokenizer, AMegabyteWithoutSpaces) {
  const std::string unit = "abcéж";
  std::string text;
  while (text.size() < 1'000'000) text += unit;
  for (const char* name : {"smol", "llama", "bert", "xlmr"}) {
    const Tokenizer tokenizer = Tiny(name);
    const Ids ids = tokenizer.Encode(text, {.add_special = false});
    EXPECT_EQ(ids.size() == 1, std::string_view(name) == "bert") << name;
  }
}

// As the reference reads them: a later merge of the same pair replaces the earlier one.
// A short word is merged in place and remembered, a long one goes through the queue: in one long
// text without a boundary both have to give what each word gives alone.
TEST(Tokenizer, WordsGiveTheSameIdsAloneTogetherAndAgain) {
  for (const char* kind : {"smol", "llama-spm", "bert", "xlmr"}) {
    SCOPED_TRACE(kind);
    const Tokenizer tokenizer = Tiny(kind);
    uint32_t state = 9;
    std::string text;
    Ids expected;
    for (int i = 0; i < 3000; ++i) {
      std::string word = " ";
      state = state * 1664525u + 1013904223u;
      for (uint32_t n = 1 + (state >> 28) * (state >> 27 & 1 ? 1 : 7); n > 0; --n) {
        state = state * 1664525u + 1013904223u;
        word += "aeinorst"[state >> 29];
      }
      text += word;
      const Ids first = tokenizer.Encode("x" + word, {.add_special = false});
      EXPECT_EQ(tokenizer.Encode("x" + word, {.add_special = false}), first);
      const Ids x = tokenizer.Encode("x", {.add_special = false});
      ASSERT_TRUE(std::equal(x.begin(), x.end(), first.begin()));
      expected.insert(expected.end(), first.begin() + static_cast<std::ptrdiff_t>(x.size()),
                      first.end());
    }
    Ids found = tokenizer.Encode("x" + text, {.add_special = false});
    found.erase(found.begin(),
                found.begin() + static_cast<std::ptrdiff_t>(
                                    tokenizer.Encode("x", {.add_special = false}).size()));
    EXPECT_EQ(found, expected);
  }
}

// Small random vocabularies, some with merges across the mark, against merging done plainly: in the
// order of rank, leftmost first.
TEST(Tokenizer, BpeIsWhatItsMergesSay) {
  const std::vector<std::string> characters = {"a", "b", ".", "\u2581", "é"};
  uint32_t state = 4;
  const auto next = [&](size_t below) {
    state = state * 1664525u + 1013904223u;
    return static_cast<size_t>((uint64_t{state} * below) >> 32);
  };
  size_t tokens = 0, characters_seen = 0;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::string> vocabulary = characters;
    std::vector<std::pair<std::string, std::string>> merges;
    for (int i = 0; i < 12; ++i) {
      const std::string left = vocabulary[next(vocabulary.size())],
                        right = vocabulary[next(vocabulary.size())];
      if (std::find(vocabulary.begin(), vocabulary.end(), left + right) != vocabulary.end())
        continue;
      vocabulary.push_back(left + right);
      merges.emplace_back(left, right);
    }
    Json json = {
        {"model", {{"type", "BPE"}, {"vocab", Json::object()}, {"merges", Json::array()}}}};
    for (size_t i = 0; i < vocabulary.size(); ++i) json["model"]["vocab"][vocabulary[i]] = i;
    for (const auto& [left, right] : merges) json["model"]["merges"].push_back({left, right});
    const Tokenizer tokenizer = Tokenizer::FromJson(DumpJson(json)).value();

    std::vector<std::string> symbols;
    std::string text;
    for (size_t n = 1 + next(90); n > 0; --n) {
      symbols.push_back(characters[next(characters.size())]);
      text += symbols.back();
      ++characters_seen;
    }
    for (const auto& [left, right] : merges) {  // a merge makes no pair of an earlier one
      for (size_t i = 0; i + 1 < symbols.size(); ++i) {
        if (symbols[i] != left || symbols[i + 1] != right) continue;
        symbols[i] += right;
        symbols.erase(symbols.begin() + static_cast<std::ptrdiff_t>(i) + 1);
      }
    }
    Ids expected;
    for (const std::string& symbol : symbols) {
      expected.push_back(static_cast<int32_t>(
          std::find(vocabulary.begin(), vocabulary.end(), symbol) - vocabulary.begin()));
    }
    EXPECT_EQ(tokenizer.Encode(text), expected) << text << "\n" << DumpJson(json);
    tokens += expected.size();
  }
  EXPECT_LT(10 * tokens, 9 * characters_seen);  // much was merged
}

TEST(Tokenizer, VocabulariesDoNotShareWords) {
  const auto with_ids = [](int a, int b) {
    return Tokenizer::FromJson(R"({"model":{"type":"BPE","merges":["a b"],"vocab":{"a":)" +
                               std::to_string(a) + R"(,"b":)" + std::to_string(b) + R"(,"ab":7}}})")
        .value();
  };
  const Tokenizer one = with_ids(1, 2), other = with_ids(3, 4);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(one.Encode("ba"), (Ids{2, 1}));
    EXPECT_EQ(other.Encode("ba"), (Ids{4, 3}));
    EXPECT_EQ(other.Encode("ab"), (Ids{7}));
  }
}

TEST(PairTable, FindsWhatWasAddedAndNothingElse) {
  PairTable table(1000);
  for (int32_t i = 0; i < 1000; ++i) table.Add(i * 7, i * i, {static_cast<uint32_t>(i), i + 1});
  table.Add(7, 1, {9999, 5});  // again: the last one wins
  for (int32_t i = 0; i < 1000; ++i) {
    const PairTable::Value* v = table.Find(i * 7, i * i);
    ASSERT_NE(v, nullptr) << i;
    EXPECT_EQ(v->rank, i == 1 ? 9999u : static_cast<uint32_t>(i));
    EXPECT_EQ(table.Find(i * 7, i * i + 1), nullptr);
    EXPECT_EQ(table.Find(i * 7 + 1, i * i), nullptr);
  }
}

TEST(Tokenizer, TheLastOfEqualMergesCounts) {
  const auto tokenizer =
      Tokenizer::FromJson(R"({"model":{"type":"BPE","vocab":{"a":0,"b":1,"c":2,"ab":3,"bc":4},)"
                          R"("merges":["a b","b c","a b"]}})");
  ASSERT_TRUE(tokenizer) << tokenizer.error().message;
  EXPECT_EQ(tokenizer->Encode("abc"), (Ids{0, 4}));
}

std::string Message(std::string_view json) {
  const auto tokenizer = Tokenizer::FromJson(json);
  return tokenizer ? "" : tokenizer.error().message;
}

TEST(Tokenizer, ErrorsNameTheComponent) {
  const std::string model = R"("model":{"type":"WordPiece","vocab":{"[UNK]":0}})";
  EXPECT_EQ(Message("{" + model + "}"), "");
  EXPECT_NE(Message("{" + model + R"(,"normalizer":{"type":"Nmt"}})").find("normalizer \"Nmt\""),
            std::string::npos);
  EXPECT_NE(Message("{" + model + R"(,"pre_tokenizer":{"type":"UnicodeScripts"}})")
                .find("\"UnicodeScripts\""),
            std::string::npos);
  EXPECT_NE(Message("{" + model + R"(,"decoder":{"type":"CTC"}})").find("decoder \"CTC\""),
            std::string::npos);
  EXPECT_NE(Message("{" + model + R"(,"post_processor":{"type":"Other"}})").find("\"Other\""),
            std::string::npos);
  EXPECT_NE(Message(R"({"model":{"type":"WordLevel","vocab":{}}})").find("WordLevel"),
            std::string::npos);
  EXPECT_NE(Message("{}").find("\"model\" is missing"), std::string::npos);
  EXPECT_NE(
      Message(R"({"model":{"type":"BPE","vocab":{"a":0,"b":1},"merges":["a b"]}})").find("merge 0"),
      std::string::npos);
  EXPECT_NE(Message(R"({"model":{"type":"WordPiece","vocab":{"[UNK]":-1}}})").find("vocab"),
            std::string::npos);
  EXPECT_NE(Message(R"({"model":{"type":"WordPiece","vocab":{"[UNK]":999999999}}})").find("vocab"),
            std::string::npos);
  EXPECT_NE(
      Message(R"({"model":{"type":"Unigram","unk_id":9,"vocab":[["a",0.0]]}})").find("unk_id 9"),
      std::string::npos);
}

TEST(Tokenizer, ErrorsOfOtherFiles) {
  const auto message = [](const char* name, std::string content) {
    const auto tokenizer = Tokenizer::FromFiles({{name, Blob::FromString(std::move(content))}});
    return tokenizer ? "" : tokenizer.error().message;
  };
  EXPECT_NE(message("config.json", "{}").find("tokenizer.json, vocab.txt"), std::string::npos);
  EXPECT_NE(message("vocab.txt", "[UNK]\n[CLS]\n").find("[SEP]"), std::string::npos);
  EXPECT_NE(message("tokenizer.model", "\x0A\x7F").find("tokenizer.model"), std::string::npos);
  EXPECT_NE(message("tokenizer.model", "").find("no tokens"), std::string::npos);
}

}  // namespace
}  // namespace dunnock
