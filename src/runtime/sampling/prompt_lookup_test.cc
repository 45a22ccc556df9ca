#include "runtime/sampling/prompt_lookup.h"

#include <gtest/gtest.h>

#include "io/file.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

std::vector<int32_t> Guess(const PromptLookup& lookup, size_t room = 100) {
  const auto guess = lookup.Guess(room);
  return {guess.begin(), guess.end()};
}

TEST(PromptLookup, WhatFollowedTheNewestEarlierPlace) {
  PromptLookup lookup(3);
  EXPECT_TRUE(Guess(lookup).empty());
  lookup.Append(std::vector<int32_t>{1, 2, 3, 4, 5, 9, 1, 2, 7, 8, 1});
  EXPECT_TRUE(Guess(lookup).empty());  // 8, 1 is new
  lookup.Append(std::vector<int32_t>{2});
  EXPECT_EQ(Guess(lookup), (std::vector<int32_t>{7, 8, 1}));
  EXPECT_EQ(Guess(lookup, 1), (std::vector<int32_t>{7}));
  EXPECT_TRUE(Guess(lookup, 0).empty());
  lookup.Append(std::vector<int32_t>{3});  // 1, 2, 3 outweighs the shorter 2, 3
  EXPECT_EQ(Guess(lookup), (std::vector<int32_t>{4, 5, 9}));
}

TEST(PromptLookup, GuessesAsFarAsTheyHold) {
  PromptLookup lookup(8);
  lookup.Append(std::vector<int32_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 1, 2});
  EXPECT_EQ(Guess(lookup).size(), 8u);
  lookup.Learn(8, 2);
  EXPECT_EQ(Guess(lookup).size(), 2u);
  lookup.Learn(2, 0);
  EXPECT_EQ(Guess(lookup).size(), 1u);
  lookup.Learn(1, 1);
  lookup.Learn(2, 2);
  EXPECT_EQ(Guess(lookup).size(), 4u);
  PromptLookup off(0);
  off.Append(std::vector<int32_t>{1, 2, 1, 2, 1, 2});
  EXPECT_TRUE(Guess(off).empty());
}

// A small model repeats itself, so many guesses are right, and many are not where it is sampled.
TEST(PromptLookup, TheReplyIsTheSame) {
  const std::string folder =
      DUNNOCK_SOURCE_DIR "/tests/golden/models/smollm2-135m-instruct/safetensors";
  const auto engine = Engine::Load(MapFolder(folder).value(), {}).value();
  const auto vocab = static_cast<int32_t>(engine->model().info().vocab_size);
  std::vector<int32_t> prompt;
  for (int32_t i = 0; i < 24; ++i) prompt.push_back((i % 7) * 5 % vocab);
  for (const double temperature : {0.0, 0.02, 1.0}) {
    GenerateOptions options;
    options.sampling = {.temperature = temperature, .repetition_penalty = 1.05, .seed = 5};
    options.max_tokens = 40;
    options.ignore_stop_ids = true;
    options.decode_text = false;
    Session plain = Session::Create(*engine).value();
    const Reply expected = plain.Generate(prompt, options).value();
    EXPECT_EQ(expected.guessed_tokens, 0u);
    options.prompt_lookup = 6;
    Session session = Session::Create(*engine).value();
    const Reply found = session.Generate(prompt, options).value();
    EXPECT_EQ(found.ids, expected.ids) << temperature;
    EXPECT_EQ(found.checksum, expected.checksum) << temperature;
    EXPECT_GT(found.guessed_tokens, found.right_tokens) << temperature;
    if (temperature == 0) {
      EXPECT_GT(found.right_tokens, 10u);
    }
    // What is cached is prompt and reply, without the wrong guesses.
    EXPECT_EQ(session.used(), prompt.size() + found.ids.size() - 1);
    const Reply again = session.Generate(prompt, options).value();
    EXPECT_EQ(again.checksum, expected.checksum) << temperature;
  }
}

}  // namespace
}  // namespace dunnock
