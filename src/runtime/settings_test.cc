// Settings of side files against the reference: each line of tests/cases/settings.jsonl is a folder
// with some files changed, each of gguf_settings.jsonl a GGUF file, and what sentence-transformers,
// transformers or llama.cpp makes of it, or what our error or note has to say.

#include <gtest/gtest.h>

#include <fstream>

#include "base/str.h"
#include "base/text/split_name.h"
#include "io/file.h"
#include "runtime/encoders/embedder.h"
#include "runtime/encoders/reranker.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

const std::string kTests = DUNNOCK_SOURCE_DIR "/tests/";

// A GGUF file (of a split one all parts from the first on), or a folder of them.
FileSet GgufOf(const std::string& name) {
  const std::string path = kTests + "golden/checkpoint/gguf-settings/" + name;
  if (IsFolder(path)) return MapFolder(path).value();
  const size_t slash = path.rfind('/');
  const std::string folder = path.substr(0, slash + 1), file = path.substr(slash + 1);
  FileSet files = {{file, MapFile(path).value()}};
  const auto split = ParseSplitName(file);
  for (size_t i = 2; split && split->part == 1 && i <= split->count; ++i)
    files[split->Part(i)] = MapFile(folder + split->Part(i)).value();
  return files;
}

FileSet FilesOf(const OrderedJson& row) {
  if (row.contains("file")) return GgufOf(row["file"].get<std::string>());
  const std::string base = row.at("base").get<std::string>();
  FileSet files;
  for (const char* parent : {"golden/settings/", "golden/models/"}) {
    if (!FileExists(kTests + parent + base)) continue;
    files = MapFolder(kTests + parent + base).value();
    break;
  }
  EXPECT_FALSE(files.empty()) << "no folder " << base;
  const OrderedJson changed = row.value("files", OrderedJson::object());
  for (const auto& [name, content] : changed.items()) {
    if (content.is_null()) {
      files.erase(name);
    } else {
      files[name] =
          Blob::FromString(content.is_string() ? content.get<std::string>() : DumpJson(content));
    }
  }
  return files;
}

struct Outcome {
  Json value;  // under the key of "expect"
  std::vector<std::string> notes;
};

// A vocabulary without weights makes no engine, but a tokenizer.
Result<Outcome> Tokenized(const OrderedJson& row) {
  DUNNOCK_TRY(const Checkpoint checkpoint, OpenCheckpoint(FilesOf(row)));
  Outcome out{Json::object(), checkpoint.notes};
  const std::string type = FindString(checkpoint.config, "model_type").value_or("");
  DUNNOCK_TRY(const Tokenizer tokenizer, Tokenizer::FromFiles(checkpoint.files, &out.notes, type));
  for (const auto& text : row.at("texts"))
    out.value["ids"].push_back(tokenizer.Encode(text.get<std::string>()));
  return out;
}

Result<Outcome> Found(const OrderedJson& row) {
  if (row.contains("file") && row.at("task") == "tokenize") return Tokenized(row);
  DUNNOCK_TRY(const auto engine, Engine::Load(FilesOf(row), {.compute = Compute::kF32}));
  Outcome out{Json::object(), engine->notes()};
  const auto add_notes = [&](const std::vector<std::string>& notes) {
    out.notes.insert(out.notes.end(), notes.begin(), notes.end());
  };
  const std::string task = row.at("task").get<std::string>();
  std::vector<std::string> texts;
  if (row.contains("texts")) texts = row["texts"].get<std::vector<std::string>>();
  if (task == "embed") {
    DUNNOCK_TRY(Embedder embedder, Embedder::Create(*engine));
    add_notes(embedder.notes());
    DUNNOCK_TRY(const auto embeddings,
                embedder.Embed(texts, {row.value("prompt_name", ""), true, true}));
    for (const Embedding& e : embeddings) out.value["embeddings"].push_back(e.values);
  } else if (task == "rerank") {
    DUNNOCK_TRY(Reranker reranker, Reranker::Create(*engine));
    add_notes(reranker.notes());
    std::vector<TextPair> pairs;
    for (const auto& pair : row.at("pairs"))
      pairs.push_back({pair[0].get<std::string>(), pair[1].get<std::string>()});
    DUNNOCK_TRY(const auto scores, reranker.Score(pairs));
    for (const RerankScore& s : scores) out.value["scores"].push_back(s.score);
  } else if (task == "tokenize") {
    DUNNOCK_TRY(const Tokenizer* tokenizer, engine->tokenizer());
    const bool special = row.value("parse_special", false);
    for (const std::string& text : texts)
      out.value["ids"].push_back(tokenizer->Encode(text, {.parse_special = special}));
  } else {
    DUNNOCK_TRY(Session session, Session::Create(*engine));
    std::vector<int32_t> ids;
    for (const std::string& text : texts) {  // of a chat each is a message by itself
      const ChatMessage user{"user", text};
      if (task == "chat") {
        DUNNOCK_TRY(ids, engine->EncodeChat({&user, 1}));
      } else {
        DUNNOCK_TRY(ids, engine->EncodeText(text));
      }
      out.value["ids"].push_back(ids);
    }
    if (task == "chat") return out;
    GenerateOptions options;
    options.sampling = engine->sampling();
    options.max_tokens = row.contains("max_tokens") ? row["max_tokens"].get<size_t>()
                                                    : engine->DefaultReplyTokens(ids.size(), 32);
    DUNNOCK_TRY(const Reply reply, session.Generate(ids, options));
    out.value["reply_ids"] = reply.ids;
    out.value["text"] = reply.text;
    const SamplingOptions& sampling = options.sampling;
    out.value["sampling"] = {{"temperature", sampling.temperature},
                             {"top_k", sampling.top_k},
                             {"top_p", sampling.top_p},
                             {"min_p", sampling.min_p},
                             {"repeat_penalty", sampling.repetition_penalty}};
  }
  return out;
}

void ExpectNear(const Json& found, const Json& expected, double tolerance,
                const std::string& where) {
  if (expected.is_array()) {
    ASSERT_EQ(found.size(), expected.size()) << where;
    for (size_t i = 0; i < expected.size(); ++i)
      ExpectNear(found[i], expected[i], tolerance, Str(where, "[", i, "]"));
  } else if (expected.is_number_float()) {
    EXPECT_NEAR(found.get<double>(), expected.get<double>(), tolerance) << where;
  } else {
    EXPECT_EQ(found, expected) << where;
  }
}

void CheckCases(const std::string& file) {
  std::ifstream lines(kTests + "cases/" + file);
  ASSERT_TRUE(lines.is_open());
  for (std::string line; std::getline(lines, line);) {
    const OrderedJson row = ParseOrderedJson(line).value();
    SCOPED_TRACE(row.at("name").get<std::string>());
    const auto found = Found(row);
    const OrderedJson& expect = row.at("expect");
    if (expect.contains("error")) {
      if (found) {
        ADD_FAILURE() << "expected an error";
        continue;
      }
      for (const auto& piece : expect["error"])
        EXPECT_NE(found.error().message.find(piece.get<std::string>()), std::string::npos)
            << piece << " in: " << found.error().message;
      continue;
    }
    if (!found) {
      ADD_FAILURE() << found.error().message;
      continue;
    }
    // llama.cpp keeps keys and values in float16.
    const double tolerance = row.value("from", "") == "llama.cpp" ? 1e-3 : 1e-4;
    for (const auto& [key, value] : expect.items())
      ExpectNear(found->value.value(key, Json()), Json::parse(value.dump()), tolerance, key);
    std::string notes;
    for (const std::string& note : found->notes) notes += note + "\n";
    EXPECT_EQ(notes.empty(), !row.contains("note")) << notes;
    for (const auto& piece : row.value("note", OrderedJson::array()))
      EXPECT_NE(notes.find(piece.get<std::string>()), std::string::npos)
          << piece << " in: " << notes;
  }
}

TEST(Settings, EveryFolderIsAsTheReferenceHasIt) { CheckCases("settings.jsonl"); }
TEST(Settings, EveryGgufIsAsTheReferenceHasIt) { CheckCases("gguf_settings.jsonl"); }

}  // namespace
}  // namespace dunnock
