#include "pipeline/bench.h"

#include <algorithm>
#include <chrono>

#include "base/str.h"
#include "kernels/limits.h"
#include "kernels/norm.h"
#include "models/forward.h"
#include "runtime/encoders/ragged_encoder.h"
#include "runtime/session.h"

namespace dunnock {
namespace {

using Clock = std::chrono::steady_clock;
double MsSince(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

// The work of one pass: it multiplies the layers for every token, the head for the last one.
struct Work final : WeightVisitor {
  uint64_t layer_bytes = 0, layer_parameters = 0, head_bytes = 0, head_parameters = 0;

  void Linear(const std::string&, Weight* weight, size_t rows, size_t cols, Bias,
              RowSlice) override {
    layer_bytes += weight->size_bytes();
    layer_parameters += uint64_t{rows} * cols;
  }
  void Head(const std::string&, Weight* weight, size_t rows, size_t cols, Bias) override {
    head_bytes += weight->size_bytes();
    head_parameters += uint64_t{rows} * cols;
  }
  void Vector(const std::string&, std::vector<float>*, size_t) override {}
  void Embedding(const std::string&, Table*, size_t, size_t) override {}
};

// The same ids on every machine (Numerical Recipes' generator).
std::vector<int32_t> SomeIds(size_t count, size_t vocab, uint32_t seed) {
  std::vector<int32_t> ids(count);
  uint32_t state = seed;
  for (int32_t& id : ids) {
    state = state * 1664525u + 1013904223u;
    id = static_cast<int32_t>((uint64_t{state} * vocab) >> 32);
  }
  return ids;
}

class Runner {
 public:
  Runner(Engine& engine, const BenchOptions& options) : engine_(engine), options_(options) {
    engine.model().VisitWeights(work_);
    report_.weight_bytes = work_.layer_bytes + work_.head_bytes;
    report_.layer_parameters = work_.layer_parameters;
  }

  Result<BenchReport> Run() {
    if (engine_.model().info().causal) {
      DUNNOCK_TRY_STATUS(RunDecoder());
    } else {
      DUNNOCK_TRY_STATUS(RunEncoder());
    }
    return std::move(report_);
  }

 private:
  Status RunDecoder() {
    DUNNOCK_TRY(Session session, Session::Create(engine_));
    const size_t vocab = engine_.model().info().vocab_size;
    const auto generate = [&](const std::vector<int32_t>& prompt, size_t n) {
      session.Clear();
      GenerateOptions generate;
      generate.max_tokens = n;
      generate.ignore_stop_ids = true;
      generate.decode_text = false;
      return session.Generate(prompt, generate);
    };
    const std::vector<int32_t> prompt = SomeIds(options_.prompt_tokens, vocab, 1);
    BenchRow prefill = Row("prefill_tok_s", "prompt tokens per second", prompt.size());
    prefill.operations =
        2.0 * static_cast<double>(work_.layer_parameters * prompt.size() + work_.head_parameters) +
        AttentionOperations(prompt.size());
    prefill.bytes = static_cast<double>(report_.weight_bytes);
    DUNNOCK_TRY_STATUS(Repeat(prefill, [&]() -> Result<double> {
      DUNNOCK_TRY(const Reply reply, generate(prompt, 1));
      // Up to the first token, as other benchmarks count, which includes one row of the head.
      return 1000.0 * static_cast<double>(prompt.size()) / reply.first_token_ms;
    }));

    constexpr size_t kShortPrompt = 16;
    const std::vector<int32_t> short_prompt = SomeIds(kShortPrompt, vocab, 2);
    BenchRow first = Row("first_token_ms", "first token, prompt of 16", kShortPrompt, false);
    first.operations =
        2.0 * static_cast<double>(work_.layer_parameters * kShortPrompt + work_.head_parameters);
    first.bytes = static_cast<double>(report_.weight_bytes);
    DUNNOCK_TRY_STATUS(Repeat(first, [&]() -> Result<double> {
      DUNNOCK_TRY(const Reply reply, generate(short_prompt, 1));
      return reply.first_token_ms;
    }));

    BenchRow decode = Row("decode_tok_s", "generated tokens per second", options_.batch);
    decode.texts = options_.batch;
    decode.operations = 2.0 * static_cast<double>((work_.layer_parameters + work_.head_parameters) *
                                                  options_.batch);
    decode.bytes = static_cast<double>(report_.weight_bytes);
    return Repeat(decode, [&]() -> Result<double> {
      if (options_.batch > 1) return DecodeBatch(vocab);
      // From the first token to the last there are decode_tokens passes through layers and head.
      DUNNOCK_TRY(const Reply reply, generate(short_prompt, options_.decode_tokens + 1));
      const double ms = reply.decode_ms - (reply.first_token_ms - reply.prompt_ms);
      return 1000.0 * static_cast<double>(options_.decode_tokens) / ms;
    });
  }

  // Tokens per second of all sequences together; each advances by one token per pass.
  Result<double> DecodeBatch(size_t vocab) {
    const ThreadPool::Use use(engine_.pool());
    const Model& model = engine_.model();
    const size_t n = options_.batch, hidden_size = model.info().hidden_size;
    if (options_.decode_tokens > model.info().context_length)
      return Fail(ErrorCode::kLimit,
                  Str(options_.decode_tokens, " tokens to decode, the context holds ",
                      model.info().context_length));
    std::vector<KvCache> caches;
    for (size_t i = 0; i < n; ++i)
      caches.emplace_back(model.info().kv, model.info().context_length, engine_.kv_cache());
    std::vector<int32_t> ids = SomeIds(n, vocab, 3);
    std::vector<float> hidden(n * hidden_size), logits(n * vocab);
    BatchBuilder batch;
    Scratch scratch;
    const Clock::time_point start = Clock::now();
    for (size_t step = 0; step < options_.decode_tokens; ++step) {
      batch.Clear();
      for (size_t i = 0; i < n; ++i) batch.Add(caches[i], {&ids[i], 1});
      const Rows rows{hidden.data(), n, hidden_size};
      Forward(model, rows, batch.batch(), scratch);
      batch.Commit();
      model.Logits({logits.data(), n, vocab}, rows);
      for (size_t i = 0; i < n; ++i)
        ids[i] = static_cast<int32_t>(ArgMax({logits.data() + i * vocab, vocab}));
    }
    return 1000.0 * static_cast<double>(n * options_.decode_tokens) / MsSince(start);
  }

  Status RunEncoder() {
    const size_t most = engine_.model().info().context_length;
    for (const size_t want : {8, 16, 32, 128}) {
      const size_t tokens = std::min(want, most);
      BenchRow row = Row("text_ms", Str("text of ", tokens, " tokens"), tokens, false);
      DUNNOCK_TRY_STATUS(Encode(row, {tokens}));
    }
    const size_t tokens = std::min<size_t>(128, most);
    BenchRow even =
        Row("texts_per_s", Str("texts of ", tokens, " tokens per second, 32 at once"), tokens);
    DUNNOCK_TRY_STATUS(Encode(even, std::vector<size_t>(32, tokens)));
    // The lengths of consecutive sentences of an encyclopedia, without and with padding.
    const std::vector<size_t> sentences = {25, 32, 39, 29, 54, 16, 25, 29, 47, 42, 49,
                                           58, 35, 80, 47, 17, 64, 70, 11, 48, 34, 56,
                                           30, 43, 29, 29, 21, 42, 33, 23, 34, 29};
    const size_t longest = *std::max_element(sentences.begin(), sentences.end());
    BenchRow ragged = Row("ragged_texts_per_s", "sentences of 11 to 80 tokens per second", 0);
    DUNNOCK_TRY_STATUS(Encode(ragged, sentences));
    BenchRow padded = Row("padded_texts_per_s", "the same, each as long as the longest", 0);
    return Encode(padded, std::vector<size_t>(sentences.size(), longest));
  }

  Status Encode(BenchRow& row, const std::vector<size_t>& lengths) {
    const ModelInfo& info = engine_.model().info();
    RaggedEncoder encoder(engine_);
    std::vector<EncoderInput> inputs(lengths.size());
    size_t tokens = 0;
    for (size_t i = 0; i < lengths.size(); ++i) {
      const size_t n = std::min(lengths[i], info.context_length);
      inputs[i].ids = SomeIds(n, info.vocab_size, static_cast<uint32_t>(i + 1));
      tokens += n;
      row.operations += AttentionOperations(n);
    }
    row.texts = lengths.size();
    row.operations += 2.0 * static_cast<double>(work_.layer_parameters * tokens);
    row.bytes = static_cast<double>(work_.layer_bytes);
    return Repeat(row, [&]() -> Result<double> {
      const Clock::time_point start = Clock::now();
      DUNNOCK_TRY_STATUS(encoder.Run(inputs, [](const EncodedBatch&) {}));
      const double ms = MsSince(start);
      return row.is_rate ? 1000.0 * static_cast<double>(lengths.size()) / ms : ms;
    });
  }

  // For a text of n tokens: scores and weighted sums of values over the positions each token sees.
  double AttentionOperations(size_t n) const {
    const ModelInfo& info = engine_.model().info();
    const double length = static_cast<double>(n);
    const double seen = info.causal ? length * (length + 1) / 2 : length * length;
    return 4.0 * seen * static_cast<double>(info.query_width);
  }

  static BenchRow Row(std::string name, std::string what, size_t tokens, bool is_rate = true) {
    BenchRow row;
    row.name = std::move(name);
    row.what = std::move(what);
    row.tokens = tokens;
    row.is_rate = is_rate;
    return row;
  }

  template <typename Sample>
  Status Repeat(BenchRow& row, const Sample& sample) {
    constexpr double kWarmUpMs = 300;  // lets caches, clock rates and thread placement settle
    const Clock::time_point start = Clock::now();
    do {
      if (options_.progress) options_.progress({row.what, 0, options_.repeat});
      DUNNOCK_TRY_STATUS(sample());
    } while (MsSince(start) < kWarmUpMs);
    for (size_t i = 0; i < options_.repeat; ++i) {
      if (options_.progress) options_.progress({row.what, i, options_.repeat});
      DUNNOCK_TRY(const double value, sample());
      row.samples.push_back(value);
    }
    std::sort(row.samples.begin(), row.samples.end());
    report_.rows.push_back(std::move(row));
    return {};
  }

  Engine& engine_;
  const BenchOptions& options_;
  Work work_;
  BenchReport report_;
};

}  // namespace

double BenchRow::median() const {
  const size_t n = samples.size();
  return (samples[(n - 1) / 2] + samples[n / 2]) / 2;
}

Result<BenchReport> Bench(Engine& engine, const BenchOptions& options) {
  if (options.prompt_tokens == 0 || options.decode_tokens == 0 || options.batch == 0 ||
      options.repeat == 0) {
    return Invalid("prompt and decode tokens, batch and repeat: expected at least 1 of each");
  }
  return Runner(engine, options).Run();
}

void MeasureLimits(const Engine& engine, BenchReport* report) {
  const ThreadPool::Use use(engine.pool());
  report->int8_ops_s = MeasureInt8Rate();
  // Reads as much as the weights have, because less might be read from a cache.
  report->read_bytes_s = MeasureReadRate(std::max<size_t>(report->weight_bytes, 1 << 20));
  for (BenchRow& row : report->rows) {
    const double compute = row.operations / report->int8_ops_s;
    const double read = row.bytes / report->read_bytes_s;
    row.limit = compute > read ? "int8" : "read";
    // The time that a pass would take at the limit / the time that it took.
    const bool texts = row.name.ends_with("texts_per_s");
    const double units = static_cast<double>(texts ? row.texts : row.tokens);
    const double seconds = row.is_rate ? units / row.median() : row.median() / 1000.0;
    row.fraction_of_limit = std::max(compute, read) / seconds;
  }
}

}  // namespace dunnock
