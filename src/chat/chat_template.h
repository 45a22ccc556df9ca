#pragma once
// Chat templates: the Jinja subset that public models' templates use, rendered byte for byte as
// transformers does (docs/formats/chat-template.md). The result tells what the template wrote from
// what came out of the messages, so that special tokens are parsed only in the former.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

struct PromptPiece {
  std::string text;
  bool trusted;  // the template's own words, bos_token and the like; else from messages and
                 // variables
};

struct RenderedPrompt {
  std::vector<PromptPiece> pieces;  // neighbours differ in trust
  std::string Text() const;
};

struct RenderOptions {
  size_t max_steps = 5'000'000;
  size_t max_output_bytes = 16 << 20;
  std::optional<int64_t> now_unix;  // for strftime_now; default: the clock, local time
};

class ChatTemplate {
 public:
  // The error says line and column, what was expected and what was found.
  static Result<ChatTemplate> Parse(const std::string& source);

  // variables: an object of messages, tools, add_generation_prompt, bos_token, ...
  Result<RenderedPrompt> Render(const OrderedJson& variables,
                                const RenderOptions& options = {}) const;

 private:
  struct Tree;
  explicit ChatTemplate(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const Tree> tree_;
};

}  // namespace dunnock
