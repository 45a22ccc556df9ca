// A conversation on the terminal. Ctrl-C stops the answer, not the program.

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <map>

#include "base/str.h"
#include "cli/flags/arguments.h"
#include "cli/flags/sampling_flags.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/remedies.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/line_reader.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "io/file.h"
#include "runtime/engine.h"
#include "runtime/session.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, system;
  std::optional<int64_t> max_tokens;
  size_t context = 0, prompt_lookup = 0;
  SamplingFlags sampling;
};

constexpr std::string_view kCommands =
    "/help            this list\n"
    "/system TEXT     set the system message and begin anew; without TEXT, show it\n"
    "/clear           forget the conversation\n"
    "/save FILE       write the conversation as JSON\n"
    "/load FILE       read one back\n"
    "/set             show the sampling settings\n"
    "/set NAME VALUE  temp, top-k, top-p, min-p, repeat-penalty, seed, max-tokens\n"
    "/exit            leave (Ctrl-D does as well)\n"
    "\"\"\" begins and ends a message of several lines. Ctrl-C stops an answer.\n";

class Chat {
 public:
  Chat(const Common& common, const Flags& flags, const Engine& engine, Session session)
      : common_(common), flags_(flags), engine_(engine), session_(std::move(session)) {
    sampling_ = flags_.sampling.Over(engine);
    if (flags_.max_tokens) max_tokens_ = MostTokens(*flags_.max_tokens);
    NoteSampling(common, engine, sampling_);
    SetSystem(flags_.system);
  }

  int Run() {
    const CancelScope interrupts(false);
    const Colours& c = StdoutColours();
    if (StdinIsTerminal()) {
      Print(Str(c.bold, flags_.model, c.reset, c.dim, "  context ", session_.context_length(),
                " tokens. /help lists the commands.\n", c.reset));
    }
    while (std::optional<std::string> line = reader_.Read("> ")) {
      if (line->starts_with("\"\"\"")) {
        line = ReadBlock(line->substr(3));
        if (!line) break;
      } else if (line->starts_with('/')) {
        if (!Command(*line)) break;
        continue;
      }
      if (line->find_first_not_of(" \t") == std::string::npos) continue;
      Answer(*line);
    }
    if (StdinIsTerminal()) Print("\n");
    return 0;
  }

 private:
  void SetSystem(const std::string& text) {
    messages_.clear();
    if (!text.empty()) messages_.push_back({"system", text});
    session_.Clear();
  }

  std::optional<std::string> ReadBlock(std::string text) {
    for (;;) {
      if (const size_t end = text.find("\"\"\""); end != std::string::npos)
        return text.substr(0, end);
      const std::optional<std::string> line = reader_.Read(". ");
      if (!line) return std::nullopt;
      text += (text.empty() ? "" : "\n") + *line;
    }
  }

  void Answer(const std::string& text) {
    messages_.push_back({"user", text});
    const Colours& c = StdoutColours();
    const auto failed = [&](const Error& error) {
      messages_.pop_back();
      Complain(WithRemedy(error));
    };
    const auto prompt = engine_.EncodeChat(messages_);
    if (!prompt) return failed(prompt.error());
    CancelScope::flag() = false;
    GenerateOptions options;
    options.sampling = sampling_;
    options.max_tokens = MaxTokens(prompt->size());
    options.stop = engine_.stop_texts();
    options.prompt_lookup = flags_.prompt_lookup;
    options.cancel = &CancelScope::flag();
    options.on_prefill = ProgressLine(common_);
    bool first = true;
    Print(c.cyan);
    options.on_text = [&](std::string_view piece) {
      if (first) ClearProgressLine(common_);
      first = false;
      PrintText(piece);
      return true;
    };
    const auto reply = session_.Generate(*prompt, options);
    Print(Str(c.reset, "\n"));
    if (!reply) return failed(reply.error());
    messages_.push_back({"assistant", reply->text});
    if (StdoutIsTerminal()) {
      const double speed = reply->decode_ms > 0
                               ? 1000.0 * static_cast<double>(reply->ids.size()) / reply->decode_ms
                               : 0.0;
      Print(Str(c.dim, reply->finish_reason == FinishReason::kCancelled ? "stopped, " : "",
                reply->ids.size(), " tokens, ", static_cast<int>(speed), " tok/s, context ",
                session_.used(), " of ", session_.context_length(), c.reset, "\n"));
    }
  }

  // False: leave.
  bool Command(const std::string& line) {
    const size_t space = line.find(' ');
    const std::string name = line.substr(0, space);
    const std::string rest =
        space == std::string::npos
            ? ""
            : line.substr(std::min(line.find_first_not_of(' ', space), line.size()));
    if (name == "/exit" || name == "/bye" || name == "/quit") return false;
    if (name == "/help" || name == "/?") {
      Print(kCommands);
    } else if (name == "/clear") {
      SetSystem(!messages_.empty() && messages_[0].role == "system" ? messages_[0].content : "");
    } else if (name == "/system") {
      if (rest.empty()) {
        Print(Str(!messages_.empty() && messages_[0].role == "system" ? messages_[0].content
                                                                      : "(the template's default)",
                  "\n"));
      } else {
        SetSystem(rest);
      }
    } else if (name == "/save") {
      Report(Save(rest));
    } else if (name == "/load") {
      Report(Load(rest));
    } else if (name == "/set") {
      Report(Set(rest));
    } else {
      Complain(name + " is not a command: /help lists them");
    }
    return true;
  }

  static void Report(const Status& status) {
    if (!status) Complain(WithRemedy(status.error()));
  }

  Status Save(const std::string& path) const {
    if (path.empty()) return Invalid("/save: expected a file name");
    OrderedJson list = OrderedJson::array();
    for (const ChatMessage& m : messages_)
      list.push_back({{"role", m.role}, {"content", m.content}});
    const std::string text = DumpJsonPretty({{"model", flags_.model}, {"messages", list}}) + "\n";
    return WriteFileAtomically(path, AsBytes(text));
  }

  Status Load(const std::string& path) {
    if (path.empty()) return Invalid("/load: expected a file name");
    DUNNOCK_TRY(const std::string text, ReadText(path));
    auto json = ParseJson(text);
    if (!json) return In(path, std::move(json).error());
    const Json* list = FindMember(*json, "messages");
    if (list == nullptr || !list->is_array())
      return Invalid(Str(path, ": expected {\"messages\": [...]}"));
    std::vector<ChatMessage> messages;
    for (const Json& m : *list) {
      DUNNOCK_TRY(std::string role, RequiredString(m, "role"));
      DUNNOCK_TRY(std::string content, RequiredString(m, "content"));
      messages.push_back({std::move(role), std::move(content)});
    }
    messages_ = std::move(messages);
    Print(Str(messages_.size(), " messages\n"));
    return {};
  }

  // All of the text, as one number of this kind.
  template <typename T>
  static Result<T> Number(const std::string& name, const std::string& text) {
    T value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && stop == end && !text.empty()) return value;
    return Invalid(Str("/set ", name, " ", text, ": expected a number",
                       std::is_floating_point_v<T> ? ""
                       : std::is_unsigned_v<T>     ? " from 0 to 2^64 - 1, or -1 for any"
                                                   : " without a fraction"));
  }

  // 0: until the context is full.
  size_t MaxTokens(size_t prompt_tokens) const {
    if (max_tokens_) return *max_tokens_;
    const size_t most = engine_.DefaultReplyTokens(prompt_tokens, 0);
    return prompt_tokens + most > session_.context_length() ? 0 : most;
  }

  Status Set(const std::string& words) {
    if (words.empty()) {
      Print(Str("temp ", sampling_.temperature, "  top-k ", sampling_.top_k, "  top-p ",
                sampling_.top_p, "  min-p ", sampling_.min_p, "  repeat-penalty ",
                sampling_.repetition_penalty, "  seed ", sampling_.seed, "  max-tokens ",
                MaxTokens(0), "\n"));
      return {};
    }
    const size_t space = words.find(' ');
    const std::string name = words.substr(0, space);
    std::string text = space == std::string::npos ? "" : words.substr(space + 1);
    while (!text.empty() && text.back() == ' ') text.pop_back();
    text.erase(0, std::min(text.find_first_not_of(' '), text.size()));
    SamplingOptions changed = sampling_;
    std::optional<size_t> max_tokens = max_tokens_;
    const std::map<std::string, double*> fractions = {
        {"temp", &changed.temperature},
        {"top-p", &changed.top_p},
        {"min-p", &changed.min_p},
        {"repeat-penalty", &changed.repetition_penalty}};
    if (const auto it = fractions.find(name); it != fractions.end()) {
      DUNNOCK_TRY(*it->second, Number<double>(name, text));
    } else if (name == "top-k") {
      DUNNOCK_TRY(changed.top_k, Number<int32_t>(name, text));
    } else if (name == "seed") {
      const bool any = text == "-1";
      DUNNOCK_TRY(changed.seed, any ? Result<uint64_t>(AnySeed()) : Number<uint64_t>(name, text));
    } else if (name == "max-tokens") {
      DUNNOCK_TRY(const int64_t most, Number<int64_t>(name, text));
      if (most < -1) return Invalid(Str("/set max-tokens ", most, ": expected -1 or more"));
      max_tokens = MostTokens(most);
    } else {
      return Invalid(
          Str("/set ", name,
              ": expected temp, top-k, top-p, min-p, repeat-penalty, seed or max-tokens"));
    }
    DUNNOCK_TRY_STATUS(CheckSampling(changed));
    sampling_ = changed;
    max_tokens_ = max_tokens;
    return {};
  }

  const Common& common_;
  const Flags& flags_;
  const Engine& engine_;
  Session session_;
  SamplingOptions sampling_;
  std::optional<size_t> max_tokens_;  // none: what the model asks for
  std::vector<ChatMessage> messages_;
  LineReader reader_;
};

Result<int> Run(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  DUNNOCK_TRY(Session session, Session::Create(*engine, flags.context));
  DUNNOCK_TRY_STATUS(engine->tokenizer());
  DUNNOCK_TRY_STATUS(engine->chat_template());
  return Chat(common, flags, *engine, std::move(session)).Run();
}

}  // namespace

std::string_view ChatCommands() { return kCommands; }

void AddChat(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("chat", "Chat with a model");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  verb->add_option("--system,--sys", flags->system, "System message");
  verb->add_option(
          "-n,--n-predict,--max-tokens", flags->max_tokens,
          "Maximum number of tokens per answer; 0 or -1: until the context is full (default: "
          "what the model's generation config says, else until the context is full)")
      ->check(InRange(-1, INT64_MAX, "-1 or more"));
  verb->add_option("-c,--ctx-size", flags->context, "Context length (default: the model's)");
  AddPromptLookupFlag(*verb, &flags->prompt_lookup);
  flags->sampling.Add(*verb);
  AddChatTemplateFlag(*verb, common);
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
