#include "base/str.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "eval/perplexity.h"
#include "eval/sentence_pairs.h"
#include "runtime/engine.h"
#include "runtime/session.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, text, against, pairs;
  size_t window = 1024, windows = 0;
};

// The reference is what its weights say, in float32.
Result<std::unique_ptr<Engine>> LoadReference(const Common& common, const Flags& flags) {
  Common exact = common;
  exact.compute = "f32";
  return LoadEngine(exact, flags.against);
}

Result<int> EvalText(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const std::string text, ReadText(flags.text));
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
  const std::vector<int32_t> ids = tokenizer->Encode(text, {false, false});
  const std::vector<int32_t> prefix = tokenizer->Encode("");
  const auto measured =
      MeasureText(session, reference ? &*reference : nullptr,
                  {prefix, ids, flags.window, flags.windows}, ProgressLine(common));
  ClearProgressLine(common);
  if (!measured) return In(flags.text, measured.error());
  OrderedJson out = {{"tokens", measured->tokens},
                     {"nll_mean", measured->nll_mean},
                     {"ppl", measured->perplexity}};
  if (measured->beside) {
    out["kl_mean"] = measured->beside->kl_mean;
    out["kl_p999"] = measured->beside->kl_p999;
    out["top1_agreement"] = measured->beside->top1_agreement;
    out["ppl_ratio"] = measured->beside->perplexity_ratio;
  }
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
  OrderedJson out = {{"pairs", pairs->scores.size()},
                     {"spearman", CorrelationOf(*pairs, embeddings)}};
  if (!flags.against.empty()) {
    DUNNOCK_TRY(const auto reference_engine, LoadReference(common, flags));
    DUNNOCK_TRY(Embedder reference, Embedder::Create(*reference_engine));
    if (reference.dimensions() != embedder.dimensions()) {
      return Invalid(Str("--against: the embeddings differ: ", embedder.dimensions(), " and ",
                         reference.dimensions(), " dimensions"));
    }
    DUNNOCK_TRY(const auto expected, reference.Embed(pairs->sentences, options));
    double sum = 0, least = 1;
    for (size_t i = 0; i < expected.size(); ++i) {
      const double cosine = CosineSimilarity(embeddings[i].values, expected[i].values);
      sum += cosine;
      least = std::min(least, cosine);
    }
    out["reference_spearman"] = CorrelationOf(*pairs, expected);
    out["cosine_mean"] = sum / static_cast<double>(expected.size());
    out["cosine_min"] = least;
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
      verb->add_option("--text", flags->text, "Text file on which to measure perplexity");
  CLI::Option* pairs = verb->add_option(
      "--pairs", flags->pairs, "CSV file of sentence1,sentence2,score, for embedding models");
  text->excludes(pairs);
  verb->add_option("--window", flags->window, "Tokens per window; windows do not overlap")
      ->capture_default_str();
  verb->add_option("--windows", flags->windows, "Number of windows (default: the whole text)");
  verb->add_option("--against", flags->against,
                   "Compare with this model in float32: KL divergence and agreement, or cosines");
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    if (flags->text.empty() && flags->pairs.empty()) throw CLI::RequiredError("--text or --pairs");
    *action = [=, &common] {
      return flags->pairs.empty() ? EvalText(common, *flags) : EvalPairs(common, *flags);
    };
  });
}

}  // namespace dunnock::cli
