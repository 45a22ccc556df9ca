// Ctrl-C while a long prompt is read: the session stops at the next piece of it and stays usable.

#include <gtest/gtest.h>

#include <atomic>

#include "io/file.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

TEST(Cancel, WhileThePromptIsRead) {
  const std::string folder =
      DUNNOCK_SOURCE_DIR "/tests/golden/models/smollm2-135m-instruct/safetensors";
  const auto engine = Engine::Load(MapFolder(folder).value(), {}).value();
  const auto vocab = static_cast<int32_t>(engine->model().info().vocab_size);
  Session session = Session::Create(*engine).value();
  std::vector<int32_t> prompt;
  for (int32_t i = 0; i < 2000; ++i) prompt.push_back(i % vocab);
  std::atomic<bool> cancel = false;
  GenerateOptions options;
  options.max_tokens = 2;
  options.ignore_stop_ids = true;
  options.decode_text = false;
  options.cancel = &cancel;
  size_t calls = 0, read = 0;
  options.on_prefill = [&](const Progress& p) {
    read = p.done;
    cancel = ++calls == 2;
  };
  const Reply stopped = session.Generate(prompt, options).value();
  EXPECT_EQ(stopped.finish_reason, FinishReason::kCancelled);
  EXPECT_TRUE(stopped.ids.empty());
  EXPECT_EQ(calls, 2u);
  EXPECT_GT(read, 0u);
  EXPECT_LT(read, prompt.size());

  cancel = false;
  options.on_prefill = {};
  const Reply after = session.Generate(prompt, options).value();
  EXPECT_EQ(after.finish_reason, FinishReason::kLength);
  EXPECT_EQ(after.cached_tokens, read);
  Session fresh = Session::Create(*engine).value();
  const Reply expected = fresh.Generate(prompt, options).value();
  EXPECT_EQ(after.ids, expected.ids);
  EXPECT_EQ(after.checksum, expected.checksum);
}

}  // namespace
}  // namespace dunnock
