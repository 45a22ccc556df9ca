#pragma once
// Chat templates: turn messages into a prompt, byte for byte as transformers renders them. The
// language is the subset of Jinja that public models' templates use
// (docs/formats/chat-template.md). The result tells text that the template wrote from text that
// came out of the messages, so that special tokens are parsed only in the former.

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
  bool trusted;  // true: written by the template, or bos_token and the like; false: any part of
                 // messages and other variables
};

struct RenderedPrompt {
  std::vector<PromptPiece> pieces;  // in order; neighbours differ in `trusted`
  std::string Text() const;         // all pieces together
};

struct RenderOptions {
  size_t max_steps = 5'000'000;        // of the interpreter, a bound on time
  size_t max_output_bytes = 16 << 20;  // of the prompt
  // The time that strftime_now shows, in seconds since 1970; default: the clock, in local time.
  std::optional<int64_t> now_unix;
};

// A parsed template. Immutable: any number of threads may render it. Copies share the tree.
class ChatTemplate {
 public:
  // Bytes that are not UTF-8 are read as U+FFFD. kInvalid for a syntax error or a block that is not
  // implemented; the message says line and column, what was expected and what was found.
  static Result<ChatTemplate> Parse(const std::string& source);

  // `variables` is an object with messages, tools, add_generation_prompt, bos_token and whatever
  // else the template uses. Errors: kInvalid if the template fails on them (raise_exception, a
  // wrong type), kUnsupported for a filter or test that is not implemented, kLimit beyond the
  // limits in `options`.
  Result<RenderedPrompt> Render(const OrderedJson& variables,
                                const RenderOptions& options = {}) const;

 private:
  struct Tree;
  explicit ChatTemplate(std::shared_ptr<const Tree> tree) : tree_(std::move(tree)) {}
  std::shared_ptr<const Tree> tree_;
};

}  // namespace dunnock
