// The public C++ interface, and through it the C one, on tiny models: everything a program outside
// can do. Only public headers here.

#include <dunnock/dunnock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <fstream>
#include <iterator>
#include <random>
#include <thread>

// In c_test.c: 0, or the line of the first check that did not hold.
extern "C" int RunCTest(const char* decoder, const char* encoder);

namespace {

using dunnock::Error;
using dunnock::GenerateOptions;
using dunnock::Message;
using dunnock::Model;
using dunnock::ModelOptions;
using dunnock::Reply;
using dunnock::Session;

const std::string kGolden = DUNNOCK_SOURCE_DIR "/tests/golden/";
const std::string kModels = kGolden + "models/";
const std::string kLlama = kModels + "llama-gqa-tied/safetensors";

constexpr char kChatml[] =
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}";

std::vector<std::byte> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file.is_open()) << path;
  std::vector<std::byte> out;
  for (std::istreambuf_iterator<char> at(file), end; at != end; ++at)
    out.push_back(static_cast<std::byte>(*at));
  return out;
}

// A random llama of one layer with a tokenizer: it talks nonsense, without end. The checkpoint is
// made here, as a host would hand it over: as bytes.
dunnock::Files TalkingLlama() {
  constexpr size_t kVocab = 700, kHidden = 64, kInner = 128;
  std::mt19937 draw(7);
  std::string header;
  std::vector<float> data;
  const auto add = [&](const std::string& name, size_t rows, size_t cols) {
    const size_t begin = data.size() * sizeof(float);
    for (size_t i = 0; i < rows * cols; ++i) {
      const float even = static_cast<float>(draw()) / 4294967296.0f - 0.5f;
      data.push_back(rows == 1 ? 1.0f : even * 3.4f / std::sqrt(static_cast<float>(cols)));
    }
    const std::string shape =
        rows == 1 ? std::to_string(cols) : std::to_string(rows) + "," + std::to_string(cols);
    header += (header.empty() ? "{\"" : ",\"") + name + "\":{\"dtype\":\"F32\",\"shape\":[" +
              shape + "],\"data_offsets\":[" + std::to_string(begin) + "," +
              std::to_string(data.size() * sizeof(float)) + "]}";
  };
  add("model.embed_tokens.weight", kVocab, kHidden);
  add("model.norm.weight", 1, kHidden);
  const std::string layer = "model.layers.0.";
  add(layer + "input_layernorm.weight", 1, kHidden);
  add(layer + "post_attention_layernorm.weight", 1, kHidden);
  for (const char* name : {"q", "k", "v", "o"})
    add(layer + "self_attn." + name + "_proj.weight", kHidden, kHidden);
  add(layer + "mlp.gate_proj.weight", kInner, kHidden);
  add(layer + "mlp.up_proj.weight", kInner, kHidden);
  add(layer + "mlp.down_proj.weight", kHidden, kInner);
  header += "}";
  const uint64_t size = header.size();
  std::string file(reinterpret_cast<const char*>(&size), sizeof size);
  file += header;
  file.append(reinterpret_cast<const char*>(data.data()), data.size() * sizeof(float));
  const std::string config =
      R"({"model_type": "llama", "architectures": ["LlamaForCausalLM"], "vocab_size": 700,
          "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 1, "head_dim": 32,
          "num_attention_heads": 2, "num_key_value_heads": 2, "max_position_embeddings": 512,
          "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "tie_word_embeddings": true,
          "hidden_act": "silu"})";
  dunnock::Files files;
  files.AddCopy("config.json", std::as_bytes(std::span(config)));
  files.AddShared("model.safetensors", std::make_shared<std::string>(std::move(file)));
  files.AddCopy("tokenizer.json", Read(kGolden + "tokenizers/smol/tokenizer.json"));
  return files;
}

Model Talking(ModelOptions options = {}) {
  if (options.chat_template.empty()) options.chat_template = kChatml;
  return Model(TalkingLlama(), options);
}

template <typename Body>
Error Caught(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "nothing was thrown";
  return Error(DUNNOCK_OK, DUNNOCK_REMEDY_NONE, "");
}

void ExpectSays(const Error& e, dunnock_status status, const std::string& words) {
  EXPECT_EQ(e.status(), status) << e.what();
  EXPECT_NE(std::string(e.what()).find(words), std::string::npos) << e.what();
}

TEST(Api, VersionsAgree) {
  EXPECT_EQ(dunnock::Version(), std::to_string(DUNNOCK_VERSION_MAJOR) + "." +
                                    std::to_string(DUNNOCK_VERSION_MINOR) + "." +
                                    std::to_string(DUNNOCK_VERSION_PATCH));
  EXPECT_EQ(dunnock_abi_version(), uint32_t{DUNNOCK_ABI_VERSION});
  dunnock::CheckAbi();
  dunnock_error* error = nullptr;
  EXPECT_EQ(dunnock_check_abi(99, &error), DUNNOCK_ERROR_UNSUPPORTED);
  EXPECT_EQ(dunnock_error_remedy(error), DUNNOCK_REMEDY_NEWER_LIBRARY);
  dunnock_error_free(error);
}

TEST(Api, AProgramInC) {
  EXPECT_EQ(RunCTest(kLlama.c_str(), (kModels + "st-tiny").c_str()), 0) << "a line of c_test.c";
}

TEST(Api, ModelSaysWhatItIs) {
  const Model model(kLlama, {.threads = 2});
  const dunnock::ModelInfo info = model.info();
  EXPECT_EQ(info.model_type, "llama");
  EXPECT_TRUE(info.causal);
  EXPECT_FALSE(info.has_tokenizer);
  EXPECT_EQ(info.threads, 2u);
  EXPECT_EQ(info.kv_cache, int32_t{DUNNOCK_KV_CACHE_INT8});
  EXPECT_GT(info.vocab_size, 0u);
  EXPECT_FALSE(std::string(dunnock_target()).empty());
  const ModelOptions exact{.compute = DUNNOCK_COMPUTE_F32, .share_threads_of = &model};
  const Model other(kLlama, exact);
  EXPECT_EQ(other.info().kv_cache, int32_t{DUNNOCK_KV_CACHE_F32});
  EXPECT_EQ(other.info().threads, 2u);
}

TEST(Api, BytesInMemoryAreReleasedOnceAndGiveTheSameModel) {
  static std::atomic<int> released;
  released = 0;
  const std::vector<int32_t> ids = {5, 9, 2, 77, 31};
  const uint64_t expected = Model(kLlama).Checksum(ids);
  const auto config = Read(kLlama + "/config.json"), weights = Read(kLlama + "/model.safetensors");
  const dunnock_release_fn release = [](void* user) { ++*static_cast<std::atomic<int>*>(user); };
  {
    std::optional<dunnock::Files> files(std::in_place);
    files->Add("config.json", config.data(), config.size(), release, &released);
    files->Add("config.json", config.data(), config.size(), release, &released);
    EXPECT_EQ(released, 1);  // the first one was replaced
    files->Add("model.safetensors", weights.data(), weights.size(), release, &released);
    const Model model(*files);
    files.reset();
    EXPECT_EQ(model.Checksum(ids), expected);
    EXPECT_EQ(model.Checksum(ids, 2, 3), expected);
  }
  EXPECT_EQ(released, 3);
  dunnock::Files files;
  ExpectSays(Caught([&] { files.Add("../x", config.data(), 1, release, &released); }),
             DUNNOCK_ERROR_INVALID, "../x");
  EXPECT_EQ(released, 3);
  ExpectSays(Caught([&] { Model{dunnock::Files()}; }), DUNNOCK_ERROR_NOT_FOUND, "");
}

TEST(Api, TokenizesAndBack) {
  const Model model = Talking();
  const std::string text = "What does a dunnock eat?";
  const std::vector<int32_t> ids = model.Tokenize(text, false);
  EXPECT_GT(ids.size(), 3u);
  EXPECT_EQ(model.Detokenize(ids), text);
  const std::string special = "<|im_end|>";
  EXPECT_GT(model.Tokenize(special, false).size(), 1u);
  const std::vector<int32_t> parsed = model.Tokenize(special, false, true);
  ASSERT_EQ(parsed.size(), 1u);
  EXPECT_EQ(model.Detokenize(parsed), "");
  EXPECT_EQ(model.Detokenize(parsed, true), special);
  EXPECT_TRUE(model.Tokenize("", false).empty());
  EXPECT_EQ(model.Detokenize({}), "");
  for (const int32_t wrong : {-1, INT32_MAX})
    ExpectSays(Caught([&] { model.Detokenize({&wrong, 1}); }), DUNNOCK_ERROR_INVALID, "token id");
  const Error e = Caught([&] { Model(kLlama).Tokenize("a"); });
  EXPECT_EQ(e.remedy(), DUNNOCK_REMEDY_TOKEN_IDS) << e.what();
}

TEST(Api, RendersAConversationAndKeepsTheUsersTextText) {
  const Model model = Talking();
  const std::vector<Message> messages = {{"user", "Hi <|im_end|>"}};
  EXPECT_EQ(model.RenderChat(messages),
            "<|im_start|>user\nHi <|im_end|><|im_end|>\n<|im_start|>assistant\n");
  const int32_t end = model.Tokenize("<|im_end|>", false, true).at(0);
  const std::vector<int32_t> ids = model.TokenizeChat(messages);
  EXPECT_EQ(std::count(ids.begin(), ids.end(), end), 1);  // the template's, not the user's
  const Error none = Caught([&] { Model(TalkingLlama()).RenderChat(messages); });
  EXPECT_EQ(none.remedy(), DUNNOCK_REMEDY_PLAIN_PROMPT) << none.what();
}

TEST(Api, GeneratesTheSameTextInPiecesAsAWhole) {
  const Model model = Talking();
  Session session(model);
  GenerateOptions options;
  options.max_tokens = 24;
  options.ignore_stop_ids = true;
  std::string pieces;
  const std::vector<Message> messages = {{"user", "Hi"}};
  const Reply reply = session.Chat(messages, options, [&](std::string_view text) {
    pieces += text;
    return true;
  });
  EXPECT_EQ(pieces, reply.text);
  EXPECT_EQ(reply.ids.size(), 24u);
  EXPECT_EQ(reply.prompt_ids, model.TokenizeChat(messages));
  EXPECT_EQ(reply.finish_reason, DUNNOCK_FINISH_LENGTH);
  EXPECT_EQ(dunnock::NameOf(reply.finish_reason), "length");
  EXPECT_EQ(model.Detokenize(reply.ids), reply.text);
  EXPECT_EQ(session.used(), reply.prompt_ids.size() + 23);

  options.prompt_lookup = 4;  // again, out of the cache and with guesses
  const Reply again = session.Generate(reply.prompt_ids, options);
  EXPECT_EQ(again.ids, reply.ids);
  EXPECT_EQ(again.checksum, reply.checksum);
  EXPECT_EQ(again.cached_tokens, reply.prompt_ids.size() - 1);
  session.Clear();
  EXPECT_EQ(session.used(), 0u);
}

TEST(Api, SamplesByItsSeedAndHeedsBiases) {
  const Model model = Talking();
  Session session(model);
  GenerateOptions options;
  options.max_tokens = 16;
  options.ignore_stop_ids = true;
  const auto run = [&] { return session.Complete("The bird", options).ids; };
  const std::vector<int32_t> greedy = run();
  options.temperature = 1.5;
  options.seed = 3;
  const std::vector<int32_t> three = run();
  EXPECT_EQ(run(), three);
  options.seed = 4;
  EXPECT_NE(run(), three);
  options.top_k = 1;  // one candidate is greedy
  EXPECT_EQ(run(), greedy);
  options.logit_bias = {{greedy[0], -INFINITY}};
  EXPECT_NE(run().at(0), greedy[0]);
  options.logit_bias = {{7, 1e6f}};
  EXPECT_EQ(run(), std::vector<int32_t>(16, 7));

  options.logit_bias = {{7, NAN}};
  ExpectSays(Caught(run), DUNNOCK_ERROR_INVALID, "logit_bias");
  options.logit_bias = {};
  options.top_p = 1.5;
  ExpectSays(Caught(run), DUNNOCK_ERROR_INVALID, "top_p");
  options.top_p = NAN;
  ExpectSays(Caught(run), DUNNOCK_ERROR_INVALID, "top_p");
  options.top_p = 1;
  options.eta_cutoff = -1;
  ExpectSays(Caught(run), DUNNOCK_ERROR_INVALID, "cutoff");
}

TEST(Api, StopsAtATextAndWhenItIsCancelled) {
  const Model model = Talking();
  Session session(model);
  GenerateOptions options;
  options.max_tokens = 24;
  options.ignore_stop_ids = true;
  const Reply whole = session.Complete("The bird", options);
  ASSERT_GT(whole.text.size(), 12u);
  options.stop = {whole.text.substr(8, 4)};
  const Reply stopped = session.Complete("The bird", options);
  EXPECT_EQ(stopped.finish_reason, DUNNOCK_FINISH_STOP);
  EXPECT_EQ(stopped.text, whole.text.substr(0, whole.text.find(options.stop[0])));
  options.stop = {};

  int calls = 0;
  const Reply refused =
      session.Complete("The bird", options, [&](std::string_view) { return ++calls < 2; });
  EXPECT_EQ(refused.finish_reason, DUNNOCK_FINISH_CANCELLED);
  EXPECT_EQ(calls, 2);

  dunnock::CancelFlag flag;
  options.cancel = &flag;
  std::optional<std::thread> other;
  options.max_tokens = DUNNOCK_UNTIL_FULL;
  const Reply cancelled = session.Complete("The bird", options, [&](std::string_view) {
    if (!other) other.emplace([&] { flag.Set(); });
    while (!flag.is_set()) std::this_thread::yield();
    return true;
  });
  other->join();
  EXPECT_EQ(cancelled.finish_reason, DUNNOCK_FINISH_CANCELLED);
  EXPECT_EQ(session.Complete("The bird", options).ids.size(), 0u);  // still set
  flag.Set(false);
  options.max_tokens = 24;
  EXPECT_EQ(session.Complete("The bird", options).checksum, whole.checksum);
}

TEST(Api, WhatACallbackThrowsComesOut) {
  const Model model = Talking();
  Session session(model);
  GenerateOptions options = model.generate_options();
  options.max_tokens = 8;
  options.ignore_stop_ids = true;
  EXPECT_THROW(session.Complete("a", options,
                                [](std::string_view) -> bool { throw std::runtime_error("own"); }),
               std::runtime_error);
  options.on_progress = [](std::string_view, uint64_t, uint64_t) { throw 7; };
  EXPECT_THROW(session.Complete("b", options), int);
  options.on_progress = {};
  const Error busy = Caught([&] {
    session.Complete("c", options, [&](std::string_view) {
      session.Clear();
      return true;
    });
  });
  ExpectSays(busy, DUNNOCK_ERROR_INVALID, "in use");
  EXPECT_EQ(session.Complete("d", options).ids.size(), 8u);
}

TEST(Api, LimitsAndWrongModelsSayWhatHelps) {
  const Model model(kLlama);
  EXPECT_EQ(Caught([&] { dunnock::Embedder{model}; }).remedy(), DUNNOCK_REMEDY_GENERATE);
  EXPECT_EQ(Caught([&] { Session(model, size_t{1} << 40); }).status(), DUNNOCK_ERROR_LIMIT);
  Session session(model, 8);
  EXPECT_EQ(session.context_length(), 8u);
  GenerateOptions options;
  const std::vector<int32_t> ids = {1, 2, 3, 4, 5, 6, 7, 8};
  EXPECT_EQ(Caught([&] { session.Generate(ids, options); }).remedy(), DUNNOCK_REMEDY_FEWER_TOKENS);
  ExpectSays(Caught([&] { session.Generate({}, options); }), DUNNOCK_ERROR_INVALID, "no tokens");
  options.stop = {"."};
  EXPECT_EQ(Caught([&] { session.Generate(std::span(ids).first(2), options); }).remedy(),
            DUNNOCK_REMEDY_TOKEN_IDS);
  options.stop = {""};
  ExpectSays(Caught([&] { session.Generate(std::span(ids).first(2), options); }),
             DUNNOCK_ERROR_INVALID, "stop text");
  options.stop = {};
  options.ignore_stop_ids = true;
  options.max_tokens = DUNNOCK_UNTIL_FULL;
  EXPECT_EQ(session.Generate(std::span(ids).first(2), options).ids.size(), 6u);

  const Model encoder(kModels + "st-tiny");
  EXPECT_EQ(Caught([&] { Session{encoder}; }).remedy(), DUNNOCK_REMEDY_EMBED);
  ExpectSays(Caught([] { Model("/no/such/place"); }), DUNNOCK_ERROR_NOT_FOUND, "/no/such/place");
  ExpectSays(Caught([] { Model(kLlama, {.threads = 257}); }), DUNNOCK_ERROR_INVALID, "threads");
  ExpectSays(Caught([] { Model(kLlama, {.kv_cache = 9}); }), DUNNOCK_ERROR_INVALID, "kv_cache");
  ExpectSays(Caught([] { Model(kLlama, {.compute = -1}); }), DUNNOCK_ERROR_INVALID, "compute");
  const Error unknown = Caught([] { Model(kLlama, {.catalogue_id = "smolm2-135m"}); });
  ExpectSays(unknown, DUNNOCK_ERROR_NOT_FOUND, "smollm2-135m");
  EXPECT_EQ(unknown.remedy(), DUNNOCK_REMEDY_KNOWN_MODELS);
}

TEST(Api, CatalogueFillsTemplateStopsAndPrompts) {
  const dunnock::Files files = TalkingLlama();
  EXPECT_FALSE(Model(files).info().has_chat_template);
  EXPECT_TRUE(Model(files, {.catalogue_id = "tinyllama-1.1b-chat-v0.1"}).info().has_chat_template);
  // Recommended sampling is the default of who names the model, and of nobody else.
  const Model recommended(files, {.catalogue_id = "smollm2-135m-instruct"});
  EXPECT_EQ(recommended.generate_options().temperature, 0.2);
  EXPECT_EQ(Model(files).generate_options().temperature, 0.0);
  const Model own(files, {.catalogue_id = "tinyllama-1.1b-chat-v0.1", .fallback_template = "own"});
  EXPECT_EQ(own.RenderChat(std::vector<Message>{{"user", "x"}}), "own");

  dunnock::Files encoder;
  for (const char* name : {"config.json", "model.safetensors", "tokenizer.json", "vocab.txt"})
    encoder.AddCopy(name, Read(kModels + "st-tiny/" + name));
  EXPECT_TRUE(dunnock::Embedder(Model(encoder)).prompt_names().empty());
  const Model known(encoder, {.catalogue_id = "multilingual-e5-small"});
  EXPECT_EQ(dunnock::Embedder(known).prompt_names(),
            (std::vector<std::string>{"passage", "query"}));
}

TEST(Api, ProgressOfLoadingIsTold) {
  std::atomic<int> calls = 0;
  const Model model(kLlama, {.on_progress = [&](std::string_view stage, uint64_t, uint64_t) {
                      calls += stage.empty() ? 0 : 1;
                    }});
  EXPECT_GT(calls, 0);
}

TEST(Api, EmbedsAndSearches) {
  const Model model(kModels + "st-tiny");
  dunnock::Embedder embedder(model);
  const std::vector<std::string> texts = {"a graph of knowledge", "a small bird", "rain"};
  const dunnock::Embeddings all = embedder.Embed(texts);
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all.dimensions, embedder.dimensions());
  dunnock::SearchSet set(embedder.dimensions());
  set.Add(all.values);
  EXPECT_EQ(set.size(), 3u);
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<float> alone = embedder.EmbedOne(texts[i]);
    EXPECT_EQ(alone, std::vector<float>(all[i].begin(), all[i].end()));
    EXPECT_GT(all.counts[i].tokens, 0u);
    const std::vector<dunnock::Hit> hits = set.Nearest(alone, 2);
    ASSERT_EQ(hits.size(), 2u);
    EXPECT_EQ(hits[0].index, i);
    EXPECT_NEAR(hits[0].score, 1.0f, 1e-6f);
  }
  std::string longest;
  for (size_t i = 0; i < embedder.max_tokens() + 10; ++i) longest += "bird ";
  EXPECT_EQ(Caught([&] { embedder.EmbedOne(longest); }).remedy(), DUNNOCK_REMEDY_CUT_TEXTS);
  const dunnock::Embeddings cut = embedder.Embed({longest}, {.truncate = true});
  EXPECT_EQ(cut.counts[0].tokens, embedder.max_tokens());
  EXPECT_GT(cut.counts[0].cut_tokens, 0u);
  ExpectSays(Caught([&] { embedder.EmbedOne("a", {.prompt_name = "nonsense"}); }),
             DUNNOCK_ERROR_INVALID, "nonsense");
  const std::vector<std::vector<int32_t>> ids = {model.Tokenize(texts[0]),
                                                 model.Tokenize(texts[1])};
  EXPECT_EQ(embedder.EmbedIds(ids).values,
            embedder.Embed(std::vector(texts.begin(), texts.begin() + 2)).values);
  EXPECT_EQ(embedder.Embed(std::vector<std::string>()).size(), 0u);

  std::vector<float> wrong(embedder.dimensions(), NAN);
  ExpectSays(Caught([&] { set.Add(wrong); }), DUNNOCK_ERROR_INVALID, "vector 1");
  ExpectSays(Caught([&] { set.Add(std::span(wrong).first(1)); }), DUNNOCK_ERROR_INVALID, "values");
  wrong.assign(wrong.size(), 1e30f);
  ExpectSays(Caught([&] { set.Nearest(wrong, 1); }), DUNNOCK_ERROR_INVALID, "query");
  ExpectSays(Caught([] { dunnock::SearchSet{0}; }), DUNNOCK_ERROR_INVALID, "dimensions");
}

TEST(Api, Reranks) {
  const Model model(kModels + "ms-marco-minilm-l6-v2/safetensors");
  EXPECT_EQ(model.info().labels, 1u);
  dunnock::Reranker reranker(model);
  const std::vector<std::string> passages = {"relations are kept in a graph", "rain"};
  const auto scores = reranker.Score("where are relations kept?", passages);
  ASSERT_EQ(scores.size(), 2u);
  EXPECT_NE(scores[0].logit, scores[1].logit);
  EXPECT_GT(scores[0].tokens, scores[1].tokens);
  const std::vector<std::string> alone = {passages[1]};
  EXPECT_EQ(reranker.Score("where are relations kept?", alone)[0].logit, scores[1].logit);
  std::vector<std::string> longest(1);
  for (size_t i = 0; i < reranker.max_tokens() + 10; ++i) longest[0] += "bird ";
  EXPECT_GT(reranker.Score("q", longest)[0].cut_tokens, 0u);
  EXPECT_EQ(Caught([&] { reranker.Score("q", longest, false); }).remedy(),
            DUNNOCK_REMEDY_CUT_TEXTS);
}

TEST(Api, MemoryAboveTheBudgetIsAnErrorAndTheModelGoesOn) {
  const Model model = Talking();
  Session session(model);
  GenerateOptions options;
  options.max_tokens = 4;
  options.ignore_stop_ids = true;
  const uint64_t expected = session.Complete("a bird", options).checksum;
  dunnock_set_memory_budget(1);
  const Error e = Caught([&] { Session(model).Complete("a bird", options); });
  dunnock_set_memory_budget(0);
  EXPECT_EQ(e.status(), DUNNOCK_ERROR_MEMORY) << e.what();
  EXPECT_EQ(e.remedy(), DUNNOCK_REMEDY_LESS_MEMORY);
  EXPECT_GT(dunnock_memory_in_use(), 0u);
  session.Clear();
  EXPECT_EQ(session.Complete("a bird", options).checksum, expected);
}

// Also under the tsan preset.
TEST(Api, EightThreadsUseOneModel) {
  const Model model = Talking({.threads = 2});
  const Model encoder(kModels + "st-tiny", {.share_threads_of = &model});
  const auto generate = [](const Model& own) {
    Session session(own);
    std::vector<uint64_t> out;
    for (uint64_t seed = 0; seed < 6; ++seed) {
      GenerateOptions options = own.generate_options();
      options.max_tokens = 10;
      options.ignore_stop_ids = true;
      options.temperature = 1;
      options.seed = seed;
      out.push_back(session.Complete("the bird " + std::to_string(seed), options).checksum);
    }
    return out;
  };
  const std::vector<std::string> texts = {"a small bird", "rain over the hills"};
  const std::vector<uint64_t> expected = generate(model);
  const std::vector<float> vectors = dunnock::Embedder(encoder).Embed(texts).values;
  std::vector<std::vector<uint64_t>> found(8);
  std::vector<int> same(8);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      const Model copy = model;
      found[i] = generate(copy);
      same[i] = dunnock::Embedder(encoder).Embed(texts).values == vectors ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < 8; ++i) {
    EXPECT_EQ(found[i], expected) << i;
    EXPECT_EQ(same[i], 1) << i;
  }
}

TEST(Api, HandlesMayBeFreedInAnyOrder) {
  const std::vector<int32_t> ids = {3, 4};
  GenerateOptions options;
  options.max_tokens = 4;
  options.ignore_stop_ids = true;
  std::optional<Model> model(std::in_place, kLlama);
  Session session(*model);
  const std::vector<int32_t> expected = session.Generate(ids, options).ids;
  dunnock_session* own = nullptr;
  ASSERT_EQ(dunnock_session_create(model->get(), 0, &own, nullptr), DUNNOCK_OK);
  model.reset();
  session = Session(Model(kModels + "llama-smol/safetensors"));  // the first model is gone
  dunnock_generate_options o;
  dunnock_generate_options_init(&o, sizeof o);
  o.max_tokens = 4;
  o.ignore_stop_ids = 1;
  dunnock_reply* reply = nullptr;
  ASSERT_EQ(dunnock_session_generate(own, ids.data(), 2, &o, &reply, nullptr), DUNNOCK_OK);
  dunnock_session_free(own);
  size_t count = 0;
  const int32_t* const found = dunnock_reply_ids(reply, &count);
  EXPECT_EQ(std::vector<int32_t>(found, found + count), expected);
  dunnock_reply_free(reply);
}

}  // namespace
