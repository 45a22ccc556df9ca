// What a host of the WebAssembly module calls (dunnock.mjs does). Files go in as bytes, requests
// and replies are JSON texts; an error is {"error": {"code", "message"}}. One model a module. A
// reply lies in the module's memory until the next call.

#include <chrono>
#include <cstdlib>

#include "base/json.h"
#include "base/str.h"
#include "kernels/target.h"
#include "runtime/bits.h"
#include "runtime/checksum.h"
#include "runtime/encoders/embedder.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

FileSet files;
std::unique_ptr<Engine> engine;

Status NeedsEngine() {
  if (engine == nullptr) return Invalid("no model is open: call open first");
  return {};
}

size_t SizeOr(const Json& request, const char* key, size_t fallback) {
  const auto value = FindInt(request, key);
  return value && *value >= 0 ? static_cast<size_t>(*value) : fallback;
}

Result<std::vector<int32_t>> Ids(const Json& request) {
  std::vector<int32_t> ids;
  const Json* list = FindMember(request, "ids");
  if (list == nullptr || !list->is_array()) return Invalid("\"ids\": expected a list of token ids");
  for (const Json& id : *list) {
    if (!id.is_number_integer() || id > INT32_MAX || id < 0)
      return Invalid(Str("\"ids\": found ", DumpJson(id), ", expected a token id"));
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

// {threads, compute: "auto" | "f32", fallback_template}: takes the files that were added.
Result<OrderedJson> Open(const Json& request) {
  const auto start = std::chrono::steady_clock::now();
  engine.reset();
  EngineOptions options;
  options.threads = SizeOr(request, "threads", 1);
  if (FindString(request, "compute") == "f32") options.compute = Compute::kF32;
  options.fallback_template = FindString(request, "fallback_template").value_or("");
  DUNNOCK_TRY(engine, Engine::Load(std::exchange(files, {}), options));
  const ModelInfo& info = engine->model().info();
  return OrderedJson{{"model_type", info.model_type},
                     {"causal", info.causal},
                     {"target", CurrentTarget()},
                     {"threads", engine->pool().threads()},
                     {"load_ms", std::chrono::duration<double, std::milli>(
                                     std::chrono::steady_clock::now() - start)
                                     .count()}};
}

// {ids | prompt | message, max_tokens, ignore_stop}: greedy. A prompt is completed as it is, a
// message is answered under the chat template.
Result<OrderedJson> Generate(const Json& request) {
  DUNNOCK_TRY_STATUS(NeedsEngine());
  std::vector<int32_t> prompt;
  GenerateOptions options;
  if (const auto message = FindString(request, "message")) {
    const ChatMessage user{"user", *message};
    DUNNOCK_TRY(prompt, engine->EncodeChat({&user, 1}));
    options.stop = engine->stop_texts();
  } else if (const auto text = FindString(request, "prompt")) {
    DUNNOCK_TRY(prompt, engine->EncodeText(*text));
  } else {
    DUNNOCK_TRY(prompt, Ids(request));
  }
  options.sampling = engine->sampling();
  options.sampling.temperature = 0;
  options.max_tokens = SizeOr(request, "max_tokens", 16);
  options.ignore_stop_ids = FindBool(request, "ignore_stop").value_or(false);
  options.decode_text = engine->tokenizer().has_value();
  DUNNOCK_TRY(Session session, Session::Create(*engine));
  DUNNOCK_TRY(const Reply reply, session.Generate(prompt, options));
  return OrderedJson{{"text", reply.text},
                     {"ids", reply.ids},
                     {"prompt_ids", prompt},
                     {"finish_reason", NameOf(reply.finish_reason)},
                     {"timings",
                      {{"prompt_tokens", reply.prompt_tokens},
                       {"prompt_ms", reply.prompt_ms},
                       {"tokens", reply.ids.size()},
                       {"decode_ms", reply.decode_ms}}},
                     {"checksum", HexChecksum(reply.checksum)}};
}

// {text}
Result<OrderedJson> Embed(const Json& request) {
  DUNNOCK_TRY_STATUS(NeedsEngine());
  DUNNOCK_TRY(const std::string text, RequiredString(request, "text"));
  DUNNOCK_TRY(Embedder embedder, Embedder::Create(*engine));
  const auto start = std::chrono::steady_clock::now();
  DUNNOCK_TRY(const std::vector<Embedding> out, embedder.Embed({&text, 1}, {}));
  const double ms =
      std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
  return OrderedJson{{"embedding", out[0].values},
                     {"tokens", out[0].tokens},
                     {"ms", ms},
                     {"checksum", HexChecksum(FoldChecksum(0, out[0].values))}};
}

// {ids, split, batch}
Result<OrderedJson> Bits(const Json& request) {
  DUNNOCK_TRY_STATUS(NeedsEngine());
  DUNNOCK_TRY(const std::vector<int32_t> ids, Ids(request));
  DUNNOCK_TRY(
      const uint64_t checksum,
      ChecksumBits(*engine, ids, {SizeOr(request, "split", 0), SizeOr(request, "batch", 1)}));
  return OrderedJson{{"checksum", HexChecksum(checksum)}};
}

const char* Answer(const char* request, Result<OrderedJson> (*call)(const Json&)) {
  static std::string reply;
  auto json = ParseJson(request);
  const Result<OrderedJson> result = json ? call(*json) : std::unexpected(std::move(json).error());
  reply = DumpJson(result ? *result
                          : OrderedJson{{"error",
                                         {{"code", static_cast<int>(result.error().code)},
                                          {"message", result.error().message}}}});
  return reply.c_str();
}

}  // namespace
}  // namespace dunnock

extern "C" {

// Takes over `bytes`, which came from malloc.
void dunnock_add_file(const char* name, uint8_t* bytes, size_t size) {
  dunnock::files[name] = dunnock::Blob({bytes, size}, std::shared_ptr<void>(bytes, std::free));
}
const char* dunnock_open(const char* request) { return dunnock::Answer(request, dunnock::Open); }
const char* dunnock_generate(const char* request) {
  return dunnock::Answer(request, dunnock::Generate);
}
const char* dunnock_embed(const char* request) { return dunnock::Answer(request, dunnock::Embed); }
const char* dunnock_bits(const char* request) { return dunnock::Answer(request, dunnock::Bits); }
}
