#include "catalogue/catalogue.h"

#include <gtest/gtest.h>

#include <set>

namespace dunnock {
namespace {

TEST(Catalogue, NamesAreTheirOwnersAlone) {
  std::set<std::string> names;
  EXPECT_GE(Catalogue().size(), 34u);
  for (const CatalogueEntry& e : Catalogue()) {
    EXPECT_TRUE(names.insert(e.id).second) << e.id;
    EXPECT_EQ(FindInCatalogue(e.id), &e);
    EXPECT_EQ(FindInCatalogue(e.repo), &e);
    for (const std::string& alias : e.aliases) EXPECT_EQ(FindInCatalogue(alias), &e) << alias;
    EXPECT_GT(e.parameters, 0u) << e.id;
    EXPECT_GT(e.context, 0u) << e.id;
    EXPECT_GT(e.vocabulary, 0u) << e.id;
  }
}

TEST(Catalogue, LettersInAnyCase) {
  ASSERT_NE(FindInCatalogue("SmolLM2-135M-Instruct"), nullptr);
  EXPECT_EQ(FindInCatalogue("SmolLM2-135M-Instruct")->id, "smollm2-135m-instruct");
  EXPECT_EQ(FindInCatalogue("tinyllama-chat")->id, "tinyllama-1.1b-chat-v1.0");
  EXPECT_EQ(FindInCatalogue("no-such-model"), nullptr);
  EXPECT_EQ(ClosestInCatalogue("smollm2-135m-instrukt"), "smollm2-135m-instruct");
}

TEST(Catalogue, EveryChatModelHasATemplateToFallBackOn) {
  for (const CatalogueEntry& e : Catalogue())
    EXPECT_EQ(e.template_fallback.empty(), e.task != "chat") << e.id;
  for (const char* name : {"chatml", "zephyr", "llama2", "human-assistant", "raw"})
    EXPECT_TRUE(NamedTemplate(name)) << name;
  EXPECT_FALSE(NamedTemplate("nonsense"));
}

TEST(Catalogue, OpenElmTakesItsTokenizerFromAnother) {
  size_t count = 0;
  for (const CatalogueEntry& e : Catalogue()) {
    if (e.family != "OpenELM") {
      EXPECT_TRUE(e.tokenizer_from.empty()) << e.id;
      EXPECT_EQ(LicenceNotice(e), "") << e.id;
      continue;
    }
    ++count;
    const CatalogueEntry* other = FindInCatalogue(e.tokenizer_from);
    ASSERT_NE(other, nullptr) << e.id;
    EXPECT_EQ(other->vocabulary, e.vocabulary) << e.id;
    EXPECT_NE(LicenceNotice(e).find("not open source"), std::string::npos) << e.id;
  }
  EXPECT_EQ(count, 8u);
}

TEST(Catalogue, PromptsAndStopTexts) {
  EXPECT_EQ(FindInCatalogue("multilingual-e5-small")->prompts.at("query"), "query: ");
  EXPECT_EQ(FindInCatalogue("tinyllama-1.1b-chat-v0.1")->stop_texts,
            std::vector<std::string>{"### Human:"});
}

TEST(Catalogue, SamplingThatCardsRecommend) {
  EXPECT_EQ(FindInCatalogue("smollm2-135m-instruct")->sampling,
            Json({{"do_sample", true}, {"temperature", 0.2}, {"top_p", 0.9}}));
  EXPECT_EQ(FindInCatalogue("tinyllama-1.1b-chat-v1.0")->sampling.at("top_k"), 50);
  EXPECT_EQ(FindInCatalogue("openelm-270m")->sampling, Json({{"repetition_penalty", 1.2}}));
  EXPECT_TRUE(FindInCatalogue("smollm2-135m")->sampling.is_null());
}

}  // namespace
}  // namespace dunnock
