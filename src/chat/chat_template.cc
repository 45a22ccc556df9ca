#include "chat/chat_template.h"

#include <utility>

#include "base/text/utf8.h"
#include "jinja/interpreter.h"
#include "jinja/parser.h"

namespace dunnock {

struct ChatTemplate::Tree {
  jinja::Block block;
};

std::string RenderedPrompt::Text() const {
  std::string out;
  for (const PromptPiece& piece : pieces) out += piece.text;
  return out;
}

Result<ChatTemplate> ChatTemplate::Parse(const std::string& source) {
  auto tree = std::make_shared<Tree>();
  DUNNOCK_TRY(tree->block, jinja::ParseTemplate(ReplaceInvalidUtf8(source)));
  return ChatTemplate(std::move(tree));
}

Result<RenderedPrompt> ChatTemplate::Render(const OrderedJson& variables,
                                            const RenderOptions& options) const {
  if (!variables.is_object()) return Invalid("chat template: the variables are not a JSON object");
  jinja::Limits limits{options.max_steps, options.max_output_bytes, options.now_unix};
  DUNNOCK_TRY(const jinja::Text text, jinja::Interpret(tree_->block, variables, limits));
  RenderedPrompt out;
  size_t begin = 0;
  for (const auto& run : text.runs()) {
    out.pieces.push_back({text.str().substr(begin, run.end - begin), run.trusted});
    begin = run.end;
  }
  return out;
}

}  // namespace dunnock
