#include "cli/remedies.h"

namespace dunnock::cli {
namespace {

std::string_view Words(Remedy remedy) {
  switch (remedy) {
    case Remedy::kNone:
      return "";
    case Remedy::kPlainPrompt:
      return "use --raw to complete plain text";
    case Remedy::kTokenIds:
      return "token ids work: use --ids";
    case Remedy::kFewerTokens:
      return "shorten the prompt, or ask for fewer tokens with -n";
    case Remedy::kEmbed:
      return "use `dunnock embed`";
    case Remedy::kGenerate:
      return "use `dunnock run`, or an encoder";
    case Remedy::kCutTexts:
      return "shorten it, or let it be cut (embed: with --truncate; search, rerank: without "
             "--no-truncate)";
    case Remedy::kOtherCache:
      return "make room, or choose another folder with --cache-dir";
    case Remedy::kGoOnline:
      return "`dunnock pull` without --offline fetches it";
    case Remedy::kKnownModels:
      return "`dunnock list` shows the models that are known";
    case Remedy::kCachedModels:
      return "`dunnock list --cached` shows what is";
    case Remedy::kReplace:
      return "--force replaces it";
    case Remedy::kOtherFolder:
      return "free some space, or name another folder";
  }
  return "";
}

}  // namespace

std::string WithRemedy(const Error& error) {
  std::string_view words = Words(error.remedy);
  if (error.code == ErrorCode::kMemory && words.empty()) {
    words =
        "try a shorter prompt or context, fewer texts at once, a smaller model or one of fewer "
        "bits (`dunnock quantize`)";
  }
  return words.empty() ? error.message : error.message + ": " + std::string(words);
}

}  // namespace dunnock::cli
