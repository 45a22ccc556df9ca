#include "hub/choose_files.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

using Names = std::vector<std::string>;

const Names kRepository = {"README.md",
                           "config.json",
                           "imatrix.gguf",
                           "mmproj-model-Q4_K_M.gguf",
                           "model-IQ4_XS.gguf",
                           "model-Q4_K_M.gguf",
                           "model-UD-Q4_K_M.gguf",
                           "model.Q4_K_S.gguf",
                           "big/model-Q8_0-00002-of-00002.gguf",
                           "big/model-Q8_0-00001-of-00002.gguf",
                           "model-F16-00001-of-00002.gguf"};

Names Choose(const std::string& part) {
  const auto chosen = ChooseGguf(kRepository, part);
  return chosen ? chosen->parts : Names{chosen.error().message};
}

TEST(ChooseGguf, ByQuantization) {
  EXPECT_EQ(Choose("Q4_K_M"), Names{"model-Q4_K_M.gguf"});
  EXPECT_EQ(Choose("q4_k_m"), Names{"model-Q4_K_M.gguf"});
  EXPECT_EQ(Choose("UD-Q4_K_M"), Names{"model-UD-Q4_K_M.gguf"});
  EXPECT_EQ(Choose("Q4_K_S"), Names{"model.Q4_K_S.gguf"});
  EXPECT_EQ(Choose("IQ4_XS"), Names{"model-IQ4_XS.gguf"});
}

TEST(ChooseGguf, ByFileName) {
  EXPECT_EQ(Choose("model-UD-Q4_K_M.gguf"), Names{"model-UD-Q4_K_M.gguf"});
  EXPECT_EQ(Choose("model-UD-Q4_K_M"), Names{"model-UD-Q4_K_M.gguf"});
}

TEST(ChooseGguf, PartsComeTogether) {
  const Names both = {"big/model-Q8_0-00001-of-00002.gguf", "big/model-Q8_0-00002-of-00002.gguf"};
  EXPECT_EQ(Choose("Q8_0"), both);
  EXPECT_EQ(Choose("big/model-Q8_0-00002-of-00002.gguf"), both);
  EXPECT_EQ(Choose("F16").front(),
            "model-F16-00001-of-00002.gguf is one of 2 parts: model-F16-00002-of-00002.gguf is "
            "missing");
}

TEST(ChooseGguf, UnknownOnesListWhatThereIs) {
  // A fragment of a quantization's name does not match, and a projector is not a model.
  for (const char* part :
       {"Q4_K", "Q4_XS", "4_K_M", "Q5_0", "mmproj", "mmproj-model-Q4_K_M.gguf"}) {
    const std::string message = Choose(part).front();
    EXPECT_NE(message.find(part), std::string::npos) << message;
    EXPECT_NE(message.find("model-Q4_K_M.gguf, model-UD-Q4_K_M.gguf"), std::string::npos);
    EXPECT_EQ(message.find("mmproj-model-Q4_K_M.gguf, "), std::string::npos);
  }
}

TEST(ChooseGguf, WithoutAWordTheUsualOne) {
  EXPECT_EQ(Choose(""), Names{"model-Q4_K_M.gguf"});
  const auto only = [](const Names& files) { return ChooseGguf(files, ""); };
  EXPECT_EQ(only({"mmproj-F16.gguf", "x-Q2_K.gguf"})->name, "x-Q2_K.gguf");
  EXPECT_FALSE(only({"mmproj-F16.gguf"}));
  EXPECT_FALSE(only({"x-Q4_K_M-00002-of-00002.gguf"}));
  EXPECT_EQ(only({"x-Q4_K_M-00002-of-00002.gguf", "x-Q8_0.gguf"})->name, "x-Q8_0.gguf");
}

TEST(ChooseFiles, EverySideFileThatIsRead) {
  const Names all = {"README.md",
                     "1_Pooling/config.json",
                     "2_Normalize/config.json",
                     "additional_chat_templates/rag.jinja",
                     "chat_template.json",
                     "config.json",
                     "config_sentence_transformers.json",
                     "model.safetensors",
                     "modules.json",
                     "pytorch_model.bin",
                     "sentence_roberta_config.json",
                     "tokenizer.json",
                     "x-Q4_K_M.gguf"};
  Names chosen = *ChooseFiles(all, ModelPart::kAll, "");
  EXPECT_EQ(chosen.size(), 10u);
  for (const char* left : {"README.md", "pytorch_model.bin", "x-Q4_K_M.gguf"})
    EXPECT_EQ(std::count(chosen.begin(), chosen.end(), left), 0) << left;
  chosen = *ChooseFiles(all, ModelPart::kSideFiles, "");
  EXPECT_EQ(chosen.size(), 9u);
  EXPECT_EQ(std::count(chosen.begin(), chosen.end(), "model.safetensors"), 0);
  chosen = *ChooseFiles(all, ModelPart::kAll, "q4_k_m");
  EXPECT_EQ(std::count(chosen.begin(), chosen.end(), "model.safetensors"), 0);
  EXPECT_EQ(std::count(chosen.begin(), chosen.end(), "x-Q4_K_M.gguf"), 1);
}

TEST(ChooseFiles, AGgufIsASideFileWhereItAloneHasTheTokenizer) {
  const Names bare = {"x-Q4_K_M.gguf", "x-Q8_0.gguf"};
  EXPECT_EQ(*ChooseFiles(bare, ModelPart::kSideFiles, ""), Names{"x-Q4_K_M.gguf"});
  const Names beside = {"tokenizer.json", "x-Q4_K_M.gguf"};
  EXPECT_EQ(*ChooseFiles(beside, ModelPart::kSideFiles, ""), Names{"tokenizer.json"});
  EXPECT_TRUE(ChooseFiles({"README.md"}, ModelPart::kAll, "")->empty());
}

}  // namespace
}  // namespace dunnock
