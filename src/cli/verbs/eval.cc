#include "base/str.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "eval/encoder_quality.h"
#include "eval/perplexity.h"
#include "eval/sentence_pairs.h"
#include "runtime/engine.h"
#include "runtime/session.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, against, pairs;
  std::vector<std::string> texts;
  size_t window = 1024, windows = 0;
};

void Put(OrderedJson* out, const std::string& key, const Estimate& e) {
  (*out)[key] = e.value;
  (*out)[key + "_error"] = e.error;
}

OrderedJson ToJson(const TextQuality& q) {
  OrderedJson out = {{"tokens", q.tokens}};
  Put(&out, "nll_mean", q.nll);
  Put(&out, "ppl", q.perplexity);
  if (!q.beside) return out;
  Put(&out, "kl_mean", q.beside->kl_mean);
  Put(&out, "kl_median", q.beside->kl_median);
  Put(&out, "kl_p999", q.beside->kl_p999);
  Put(&out, "top1_agreement", q.beside->top1_agreement);
  Put(&out, "ppl_ratio", q.beside->perplexity_ratio);
  Put(&out, "reference_ppl", q.beside->reference_perplexity);
  return out;
}

// The reference is what its weights say, in float32.
Result<std::unique_ptr<Engine>> LoadReference(const Common& common, const Flags& flags) {
  Common exact = common;
  exact.compute = "f32";
  return LoadEngine(exact, flags.against);
}

Result<int> EvalText(const Common& common, const Flags& flags) {
  std::vector<std::string> texts;
  for (const std::string& file : flags.texts) {
    DUNNOCK_TRY(std::string text, ReadText(file));
    texts.push_back(std::move(text));
  }
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  std::unique_ptr<Engine> reference_engine;
  std::optional<Session> reference;
  if (!flags.against.empty()) {
    DUNNOCK_TRY(reference_engine, LoadReference(common, flags));
    if (reference_engine->model().info().vocab_size != engine->model().info().vocab_size) {
      return Invalid(Str("--against: the vocabularies differ: ", engine->model().info().vocab_size,
                         " and ", reference_engine->model().info().vocab_size, " tokens"));
    }
    DUNNOCK_TRY(reference, Session::Create(*reference_engine));
  }
  DUNNOCK_TRY(Session session, Session::Create(*engine));
  DUNNOCK_TRY(const Tokenizer* tokenizer, engine->tokenizer());
  const std::vector<int32_t> prefix = tokenizer->Encode("");
  std::vector<TokenScore> all;
  OrderedJson rows = OrderedJson::array();
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::vector<int32_t> ids = tokenizer->Encode(texts[i], {false, false});
    const auto scores =
        ScoreText(session, reference ? &*reference : nullptr,
                  {prefix, ids, flags.window, flags.windows, false},
                  {all.empty() ? 0 : all.back().cluster + 1, ProgressLine(common), nullptr});
    ClearProgressLine(common);
    if (!scores) return In(flags.texts[i], scores.error());
    OrderedJson row = {{"text", flags.texts[i]}};
    row.update(ToJson(Summarize(*scores, reference.has_value())));
    rows.push_back(std::move(row));
    all.insert(all.end(), scores->begin(), scores->end());
  }
  OrderedJson out = ToJson(Summarize(all, reference.has_value()));
  if (rows.size() > 1) out["texts"] = rows;
  PrintJson(out);
  return 0;
}

Result<int> EvalPairs(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const std::string text, ReadText(flags.pairs));
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  DUNNOCK_TRY(Embedder embedder, Embedder::Create(*engine));
  const auto pairs = ParseSentencePairs(text);
  if (!pairs) return In(flags.pairs, pairs.error());
  const EmbedOptions options{"", true, true};
  DUNNOCK_TRY(const auto embeddings, embedder.Embed(pairs->sentences, options));
  const double own = CorrelationOf(*pairs, embeddings);
  OrderedJson out = {{"pairs", pairs->scores.size()},
                     {"spearman", own},
                     {"spearman_error", SpearmanError(own, pairs->scores.size())}};
  if (!flags.against.empty()) {
    DUNNOCK_TRY(const auto reference_engine, LoadReference(common, flags));
    DUNNOCK_TRY(Embedder reference, Embedder::Create(*reference_engine));
    const auto beside = CompareEmbedders(embedder, reference, FromPairs(*pairs));
    if (!beside) return In("--against", beside.error());
    out["reference_spearman"] = beside->reference_spearman->value;
    Put(&out, "cosine_mean", beside->cosine_mean);
    out["cosine_min"] = beside->cosine_min;
  }
  PrintJson(out);
  return 0;
}

}  // namespace

void AddEval(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand(
      "eval", "Measure quality: perplexity on a text, or rank correlation on sentence pairs");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  CLI::Option* text =
      verb->add_option("--text", flags->texts,
                       "Text file on which to measure perplexity; may be given several times")
          ->allow_extra_args(false);
  CLI::Option* pairs =
      verb->add_option("--pairs", flags->pairs,
                       "CSV file of sentence1,sentence2,score (or .tsv), for embedding models");
  text->excludes(pairs);
  verb->add_option("--window", flags->window, "Tokens per window; windows do not overlap")
      ->capture_default_str();
  verb->add_option("--windows", flags->windows, "Number of windows (default: the whole text)");
  verb->add_option("--against", flags->against,
                   "Compare with this model in float32: KL divergence and agreement, or cosines");
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    if (flags->texts.empty() && flags->pairs.empty()) throw CLI::RequiredError("--text or --pairs");
    *action = [=, &common] {
      return flags->pairs.empty() ? EvalText(common, *flags) : EvalPairs(common, *flags);
    };
  });
}

}  // namespace dunnock::cli
