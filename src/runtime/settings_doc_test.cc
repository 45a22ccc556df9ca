// docs/settings.md has the tables of the code: what is done with each key of a side file.
// DUNNOCK_WRITE_SETTINGS=1 writes them anew.

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/str.h"
#include "checkpoint/gguf/gguf.h"
#include "io/file.h"
#include "models/config.h"
#include "runtime/encoders/sentence_folder.h"
#include "runtime/sampling/generation_config.h"
#include "tokenizer/files/tokenizer_config.h"

namespace dunnock {
namespace {

constexpr char kDoc[] = DUNNOCK_SOURCE_DIR "/docs/settings.md";
constexpr std::string_view kMark = "<!-- What follows is written by runtime_test. -->\n";

std::string Table(const std::string& title, std::span<const Setting> settings) {
  std::string rows, harmless;
  for (const Setting& s : settings) {
    if (s.treatment == Treatment::kHarmless) {
      harmless += Str(harmless.empty() ? "" : ", ", "`", s.key, "`");
      continue;
    }
    const std::string neutral =
        s.neutral == "[]" ? "" : Str(" (asks for nothing: ", s.neutral, ")");
    rows +=
        Str("| `", s.key, "` | ",
            s.treatment == Treatment::kDone    ? "done"
            : s.treatment == Treatment::kNoted ? Str("noted", neutral, ": ", s.instead)
                                               : Str("refused", neutral, ": expected ", s.instead),
            " |\n");
  }
  return Str("\n## ", title, "\n\n| key | what is done |\n|--|--|\n", rows,
             harmless.empty() ? "" : Str("\nOf no consequence here: ", harmless, ".\n"));
}

TEST(SettingsDoc, HasTheTablesOfTheCode) {
  const std::string tables =
      Table("config.json", ConfigSettings("")) +
      Table("config.json of a Llama", ConfigSettings("llama")) +
      Table("config.json of an OpenELM", ConfigSettings("openelm")) +
      Table("config.json of a BERT", ConfigSettings("bert")) +
      Table("Metadata of a GGUF file", GgufSettings()) +
      Table("Metadata of a GGUF file, by architecture", GgufArchitectureSettings()) +
      Table("generation_config.json", GenerationSettings()) +
      Table("tokenizer_config.json", TokenizerSettings()) +
      Table("sentence_bert_config.json", SentenceBertSettings()) +
      Table("config_sentence_transformers.json, of an embedder", EmbedderSettings()) +
      Table("config_sentence_transformers.json, of a reranker", RerankerSettings()) +
      Table("The folder of Pooling: config.json", PoolingSettings()) +
      Table("The folder of Normalize: config.json", NormalizeSettings());
  const std::string doc = ReadTextFile(kDoc).value();
  const size_t mark = doc.find(kMark);
  ASSERT_NE(mark, std::string::npos);
  const std::string expected = doc.substr(0, mark + kMark.size()) + tables;
  if (std::getenv("DUNNOCK_WRITE_SETTINGS") != nullptr) {
    ASSERT_TRUE(WriteFileAtomically(
                    kDoc, {reinterpret_cast<const uint8_t*>(expected.data()), expected.size()})
                    .has_value());
    return;
  }
  EXPECT_EQ(doc, expected);
}

}  // namespace
}  // namespace dunnock
