// Generating text.

#include "runtime/session.h"

#include <cmath>

#include "api/handles.h"
#include "api/options.h"
#include "base/str.h"

struct dunnock_session {
  std::shared_ptr<const dunnock::Engine> engine;
  dunnock::Session session;
  dunnock::api::Busy busy = {};
};

struct dunnock_reply {
  dunnock::Reply reply;
  std::vector<int32_t> prompt;
};

namespace dunnock {
namespace {

// Sampling options as the C struct has them.
dunnock_generate_options Defaults(const SamplingOptions& s) {
  dunnock_generate_options o = {};
  o.struct_size = sizeof o;
  o.temperature = s.temperature;
  o.top_k = s.top_k;
  o.top_p = s.top_p;
  o.min_p = s.min_p;
  o.typical_p = s.typical_p;
  o.epsilon_cutoff = s.epsilon_cutoff;
  o.eta_cutoff = s.eta_cutoff;
  o.repetition_penalty = s.repetition_penalty;
  o.frequency_penalty = s.frequency_penalty;
  o.presence_penalty = s.presence_penalty;
  o.seed = s.seed;
  return o;
}

Status ReadSampling(const dunnock_generate_options& o, SamplingOptions* out) {
  out->temperature = o.temperature;
  out->top_k = o.top_k;
  out->top_p = o.top_p;
  out->min_p = o.min_p;
  out->typical_p = o.typical_p;
  out->epsilon_cutoff = o.epsilon_cutoff;
  out->eta_cutoff = o.eta_cutoff;
  out->repetition_penalty = o.repetition_penalty;
  out->frequency_penalty = o.frequency_penalty;
  out->presence_penalty = o.presence_penalty;
  out->seed = o.seed;
  DUNNOCK_TRY(const auto biases,
              api::Array(o.logit_bias, o.logit_bias_count, "options: logit_bias"));
  for (const dunnock_logit_bias& b : biases) {
    if (std::isnan(b.bias) || b.bias == INFINITY) {
      return Invalid(Str("options: logit_bias of token ", b.id, " is ", b.bias,
                         ": expected a number or -INFINITY"));
    }
    out->logit_bias[b.id] = b.bias;
  }
  return CheckSampling(*out);
}

// The largest number of tokens of the reply as Session wants it: 0 is as many as there is room for.
size_t MostTokens(size_t asked, const Engine& engine, size_t prompt_tokens, size_t context) {
  if (asked == DUNNOCK_UNTIL_FULL) return 0;
  if (asked > 0) return asked;
  const size_t room = context > prompt_tokens ? context - prompt_tokens : 1;
  return std::min(engine.DefaultReplyTokens(prompt_tokens, 0), room);
}

Result<GenerateOptions> ReadGenerateOptions(const dunnock_generate_options* given,
                                            const Engine& engine, size_t prompt_tokens,
                                            size_t context, bool conversation) {
  DUNNOCK_TRY(const dunnock_generate_options o,
              api::ReadOptions(given, Defaults(engine.recommended_sampling()), "options"));
  GenerateOptions out;
  out.sampling = engine.recommended_sampling();
  DUNNOCK_TRY_STATUS(ReadSampling(o, &out.sampling));
  out.max_tokens = MostTokens(o.max_tokens, engine, prompt_tokens, context);
  DUNNOCK_TRY(out.stop, api::Texts(o.stop, o.stop_count, "options: stop"));
  for (const std::string& stop : out.stop) {
    if (stop.empty()) return Invalid("options: a stop text is empty");
  }
  const bool wants_text = !out.stop.empty() || o.on_text != nullptr;
  if (wants_text && o.ids_only != 0)
    return Invalid("options: ids_only is set, and so is stop or on_text, which need text");
  if (wants_text) {
    DUNNOCK_TRY_STATUS(engine.tokenizer());
  }
  if (conversation || o.conversation != 0)
    out.stop.insert(out.stop.end(), engine.stop_texts().begin(), engine.stop_texts().end());
  out.prompt_lookup = o.prompt_lookup;
  out.ignore_stop_ids = o.ignore_stop_ids != 0;
  out.decode_text = o.ids_only == 0 && engine.has_tokenizer();
  if (o.cancel != nullptr) out.cancel = &o.cancel->flag;
  if (o.on_text != nullptr) {
    out.on_text = [call = o.on_text, user = o.user](std::string_view text) {
      return call(user, text.data(), text.size()) == 0;
    };
  }
  if (o.on_progress != nullptr) {
    out.on_prefill = [call = o.on_progress, user = o.user](const Progress& p) {
      call(user, p.stage.c_str(), p.done, p.total);
    };
  }
  return out;
}

// prompt() gives the ids.
template <typename Prompt>
Status Generate(dunnock_session* session, const dunnock_generate_options* options,
                bool conversation, dunnock_reply** reply, const Prompt& prompt) {
  DUNNOCK_TRY_STATUS(api::Given(session, "session"));
  DUNNOCK_TRY_STATUS(api::Given(reply, "reply"));
  DUNNOCK_TRY(const auto hold, session->busy.Take("session"));
  const Engine& engine = *session->engine;
  auto out = std::make_unique<dunnock_reply>();
  DUNNOCK_TRY(out->prompt, prompt(engine));
  DUNNOCK_TRY(const GenerateOptions generate,
              ReadGenerateOptions(options, engine, out->prompt.size(),
                                  session->session.context_length(), conversation));
  DUNNOCK_TRY(out->reply, session->session.Generate(out->prompt, generate));
  *reply = out.release();
  return {};
}

}  // namespace
}  // namespace dunnock

using namespace dunnock;
using dunnock::api::Call;
using dunnock::api::Given;

dunnock_status dunnock_session_create(const dunnock_model* model, size_t context_length,
                                      dunnock_session** session, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(session, "session"));
    DUNNOCK_TRY(Session made, Session::Create(*model->engine, context_length));
    *session = new dunnock_session{model->engine, std::move(made)};
    return {};
  });
}

void dunnock_session_free(dunnock_session* session) { delete session; }

size_t dunnock_session_context_length(const dunnock_session* session) {
  return session == nullptr ? 0 : session->session.context_length();
}

size_t dunnock_session_used(const dunnock_session* session) {
  return session == nullptr ? 0 : session->session.used();
}

dunnock_status dunnock_session_clear(dunnock_session* session, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(session, "session"));
    DUNNOCK_TRY(const auto hold, session->busy.Take("session"));
    session->session.Clear();
    return {};
  });
}

dunnock_status dunnock_cancel_create(dunnock_cancel** cancel, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(cancel, "cancel"));
    *cancel = std::make_unique<dunnock_cancel>().release();
    return {};
  });
}

void dunnock_cancel_free(dunnock_cancel* cancel) { delete cancel; }

void dunnock_cancel_set(dunnock_cancel* cancel, int32_t cancelled) {
  if (cancel != nullptr) cancel->flag.store(cancelled != 0);
}

int32_t dunnock_cancel_is_set(const dunnock_cancel* cancel) {
  return cancel != nullptr && cancel->flag.load() ? 1 : 0;
}

void dunnock_generate_options_init(dunnock_generate_options* options, size_t struct_size) {
  api::WriteStruct(Defaults({}), options, struct_size);
}

dunnock_status dunnock_model_generate_options(const dunnock_model* model,
                                              dunnock_generate_options* options, size_t struct_size,
                                              dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(model, "model"));
    DUNNOCK_TRY_STATUS(Given(options, "options"));
    if (struct_size < api::kFirstSize<dunnock_generate_options>)
      return Invalid(Str("struct_size is ", struct_size, ": expected sizeof *options"));
    api::WriteStruct(Defaults(model->engine->recommended_sampling()), options, struct_size);
    return {};
  });
}

dunnock_status dunnock_session_chat(dunnock_session* session, const dunnock_message* messages,
                                    size_t count, const dunnock_generate_options* options,
                                    dunnock_reply** reply, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    return Generate(session, options, true, reply,
                    [&](const Engine& engine) -> Result<std::vector<int32_t>> {
                      DUNNOCK_TRY(const auto list, api::Messages(messages, count));
                      return engine.EncodeChat(list);
                    });
  });
}

dunnock_status dunnock_session_complete(dunnock_session* session, const char* text, size_t size,
                                        const dunnock_generate_options* options,
                                        dunnock_reply** reply, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    return Generate(session, options, false, reply,
                    [&](const Engine& engine) -> Result<std::vector<int32_t>> {
                      DUNNOCK_TRY(const std::string_view given, api::Text(text, size, "text"));
                      return engine.EncodeText(given);
                    });
  });
}

dunnock_status dunnock_session_generate(dunnock_session* session, const int32_t* ids, size_t count,
                                        const dunnock_generate_options* options,
                                        dunnock_reply** reply, dunnock_error** error) {
  return Call(error, [&]() -> Status {
    return Generate(session, options, false, reply,
                    [&](const Engine&) -> Result<std::vector<int32_t>> {
                      DUNNOCK_TRY(const auto given, api::Array(ids, count, "ids"));
                      return std::vector<int32_t>(given.begin(), given.end());
                    });
  });
}

const char* dunnock_reply_text(const dunnock_reply* reply, size_t* size) {
  if (size != nullptr) *size = reply == nullptr ? 0 : reply->reply.text.size();
  return reply == nullptr ? "" : reply->reply.text.c_str();
}

const int32_t* dunnock_reply_ids(const dunnock_reply* reply, size_t* count) {
  if (count != nullptr) *count = reply == nullptr ? 0 : reply->reply.ids.size();
  return reply == nullptr ? nullptr : reply->reply.ids.data();
}

const int32_t* dunnock_reply_prompt_ids(const dunnock_reply* reply, size_t* count) {
  if (count != nullptr) *count = reply == nullptr ? 0 : reply->prompt.size();
  return reply == nullptr ? nullptr : reply->prompt.data();
}

dunnock_finish_reason dunnock_reply_finish_reason(const dunnock_reply* reply) {
  if (reply == nullptr) return DUNNOCK_FINISH_CANCELLED;
  switch (reply->reply.finish_reason) {
    case FinishReason::kStop:
      return DUNNOCK_FINISH_STOP;
    case FinishReason::kLength:
      return DUNNOCK_FINISH_LENGTH;
    case FinishReason::kCancelled:
      return DUNNOCK_FINISH_CANCELLED;
  }
  return DUNNOCK_FINISH_CANCELLED;
}

const char* dunnock_finish_reason_name(dunnock_finish_reason reason) {
  return reason == DUNNOCK_FINISH_STOP     ? "stop"
         : reason == DUNNOCK_FINISH_LENGTH ? "length"
                                           : "cancelled";
}

dunnock_status dunnock_reply_get_stats(const dunnock_reply* reply, dunnock_reply_stats* stats,
                                       dunnock_error** error) {
  return Call(error, [&]() -> Status {
    DUNNOCK_TRY_STATUS(Given(reply, "reply"));
    DUNNOCK_TRY_STATUS(Given(stats, "stats"));
    const Reply& r = reply->reply;
    const dunnock_reply_stats out = {sizeof(dunnock_reply_stats),
                                     r.prompt_tokens,
                                     r.cached_tokens,
                                     r.ids.size(),
                                     r.guessed_tokens,
                                     r.right_tokens,
                                     r.prompt_ms,
                                     r.first_token_ms,
                                     r.decode_ms,
                                     r.checksum};
    return api::FillStruct(out, stats, "stats");
  });
}

void dunnock_reply_free(dunnock_reply* reply) { delete reply; }
