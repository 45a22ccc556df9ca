#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/str.h"
#include "cli/verbs.h"
#include "io/file.h"
#include "kernels/norm.h"
#include "runtime/embedder.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, text, against, pairs;
  size_t window = 1024, windows = 0;
};

// Natural logarithms of a softmax, in float64.
void LogSoftmax(std::span<const float> logits, std::vector<double>* out) {
  const double total = LogSumExp(logits);
  out->resize(logits.size());
  for (size_t i = 0; i < logits.size(); ++i) (*out)[i] = logits[i] - total;
}

struct Sums {
  double nll = 0, reference_nll = 0, kl = 0;
  size_t tokens = 0, agree = 0;
  std::vector<double> kls;
};

// One window: every token but the first is predicted from those before it.
Status EvalWindow(Session& session, Session* reference, std::span<const int32_t> ids, Sums* sums) {
  const auto predicted = ids.first(ids.size() - 1);
  if (reference == nullptr) {
    return session.EachLogits(predicted, 0, [&](size_t at, std::span<const float> logits) {
      sums->nll += LogSumExp(logits) - logits[static_cast<size_t>(ids[at + 1])];
      ++sums->tokens;
    });
  }
  // Keeps a window of the reference's logits: vocab * window floats.
  std::vector<float> kept;
  DUNNOCK_TRY_STATUS(
      reference->EachLogits(predicted, 0, [&](size_t, std::span<const float> logits) {
        kept.insert(kept.end(), logits.begin(), logits.end());
      }));
  std::vector<double> p, q;
  return session.EachLogits(predicted, 0, [&](size_t at, std::span<const float> logits) {
    const std::span<const float> truth(kept.data() + at * logits.size(), logits.size());
    LogSoftmax(truth, &p);
    LogSoftmax(logits, &q);
    const auto next = static_cast<size_t>(ids[at + 1]);
    sums->nll -= q[next];
    sums->reference_nll -= p[next];
    double kl = 0;
    for (size_t i = 0; i < p.size(); ++i) kl += std::exp(p[i]) * (p[i] - q[i]);
    sums->kl += kl;
    sums->kls.push_back(kl);
    sums->agree += ArgMax(truth) == ArgMax(logits) ? 1 : 0;
    ++sums->tokens;
  });
}

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
  // What the tokenizer puts in front of a text begins every window.
  const std::vector<int32_t> prefix = tokenizer->Encode("");
  // Each of them is looked up among the logits, the last one of a window too.
  for (const std::span<const int32_t> part : {std::span(prefix), std::span(ids)}) {
    if (!part.empty()) DUNNOCK_TRY_STATUS(engine->CheckIds(part));
  }
  size_t window = std::min(flags.window, session.context_length());
  if (reference) window = std::min(window, reference->context_length());
  if (window <= prefix.size() + 1)
    return Invalid(Str("--window is ", flags.window, ": expected at least ", prefix.size() + 2));
  const size_t step = window - prefix.size();
  size_t windows = ids.size() / step;
  if (flags.windows > 0) windows = std::min(windows, flags.windows);
  if (windows == 0)
    return Invalid(
        Str(flags.text, " has ", ids.size(), " tokens: expected at least one window of ", step));

  Sums sums;
  const ProgressFn progress = ProgressLine(common);
  for (size_t w = 0; w < windows; ++w) {
    if (progress) progress({"windows", w, windows});
    std::vector<int32_t> row = prefix;
    row.insert(row.end(), ids.begin() + static_cast<std::ptrdiff_t>(w * step),
               ids.begin() + static_cast<std::ptrdiff_t>((w + 1) * step));
    DUNNOCK_TRY_STATUS(EvalWindow(session, reference ? &*reference : nullptr, row, &sums));
  }
  ClearProgressLine(common);
  const double n = static_cast<double>(sums.tokens);
  OrderedJson out = {
      {"tokens", sums.tokens}, {"nll_mean", sums.nll / n}, {"ppl", std::exp(sums.nll / n)}};
  if (reference) {
    std::sort(sums.kls.begin(), sums.kls.end());
    out["kl_mean"] = sums.kl / n;
    out["kl_p999"] = sums.kls[std::min(sums.kls.size() - 1, static_cast<size_t>(0.999 * n))];
    out["top1_agreement"] = static_cast<double>(sums.agree) / n;
    out["ppl_ratio"] = std::exp((sums.reference_nll - sums.nll) / n);
  }
  PrintJson(out);
  return 0;
}

// Splits a line of CSV with "quoted ""fields""".
std::vector<std::vector<std::string>> ParseCsv(std::string_view text) {
  std::vector<std::vector<std::string>> rows(1, std::vector<std::string>(1));
  bool quoted = false;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '"' && i + 1 < text.size() && text[i + 1] == '"') {
        rows.back().back() += text[++i];
      } else if (c == '"') {
        quoted = false;
      } else {
        rows.back().back() += c;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == ',') {
      rows.back().emplace_back();
    } else if (c == '\n') {
      rows.emplace_back(1);
    } else if (c != '\r') {
      rows.back().back() += c;
    }
  }
  std::erase_if(rows, [](const auto& row) { return row.size() == 1 && row[0].empty(); });
  return rows;
}

// Ranks from 0, ties sharing their mean.
std::vector<double> Ranks(const std::vector<double>& values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return values[a] < values[b]; });
  std::vector<double> ranks(values.size());
  for (size_t i = 0; i < order.size();) {
    size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (size_t j = i; j < end; ++j) ranks[order[j]] = static_cast<double>(i + end - 1) / 2;
    i = end;
  }
  return ranks;
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  const double n = static_cast<double>(a.size());
  const double ma = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mb = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - ma) * (b[i] - mb);
    aa += (a[i] - ma) * (a[i] - ma);
    bb += (b[i] - mb) * (b[i] - mb);
  }
  return ab / std::sqrt(aa * bb);
}

double Cosine(const Embedding& x, const Embedding& y) {
  double xy = 0, xx = 0, yy = 0;
  for (size_t d = 0; d < x.values.size(); ++d) {
    const double a = x.values[d], b = y.values[d];
    xy += a * b;
    xx += a * a;
    yy += b * b;
  }
  return xy / std::sqrt(xx * yy);
}

// CSV of sentence1, sentence2, score (a header is recognized by its score not being a number).
Result<int> EvalPairs(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const std::string text, ReadText(flags.pairs));
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  DUNNOCK_TRY(Embedder embedder, Embedder::Create(*engine));
  std::vector<std::string> sentences;
  std::vector<double> truth;
  size_t line = 0;
  for (const auto& row : ParseCsv(text)) {
    ++line;
    char* end = nullptr;
    const double score = row.size() == 3 ? std::strtod(row[2].c_str(), &end) : 0.0;
    if (end == nullptr || end == row[2].c_str() || *end != 0 || !std::isfinite(score)) {
      if (line == 1) continue;
      return Invalid(Str(flags.pairs, ", row ", line, ": expected sentence1,sentence2,score"));
    }
    sentences.push_back(row[0]);
    sentences.push_back(row[1]);
    truth.push_back(score);
  }
  if (truth.size() < 2) return Invalid(Str(flags.pairs, ": expected at least two pairs"));
  const EmbedOptions options{"", true, true};
  DUNNOCK_TRY(const auto embeddings, embedder.Embed(sentences, options));
  const auto rank_correlation = [&](const std::vector<Embedding>& of) {
    std::vector<double> cosines(truth.size());
    for (size_t i = 0; i < truth.size(); ++i) cosines[i] = Cosine(of[2 * i], of[2 * i + 1]);
    return Correlation(Ranks(truth), Ranks(cosines));
  };
  OrderedJson out = {{"pairs", truth.size()}, {"spearman", rank_correlation(embeddings)}};
  if (!flags.against.empty()) {
    DUNNOCK_TRY(const auto reference_engine, LoadReference(common, flags));
    DUNNOCK_TRY(Embedder reference, Embedder::Create(*reference_engine));
    if (reference.dimensions() != embedder.dimensions()) {
      return Invalid(Str("--against: the embeddings differ: ", embedder.dimensions(), " and ",
                         reference.dimensions(), " dimensions"));
    }
    DUNNOCK_TRY(const auto expected, reference.Embed(sentences, options));
    double sum = 0, least = 1;
    for (size_t i = 0; i < sentences.size(); ++i) {
      const double cosine = Cosine(embeddings[i], expected[i]);
      sum += cosine;
      least = std::min(least, cosine);
    }
    out["reference_spearman"] = rank_correlation(expected);
    out["cosine_mean"] = sum / static_cast<double>(sentences.size());
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
  CLI::Option* text = verb->add_option("--text", flags->text, "Text file to predict");
  CLI::Option* pairs =
      verb->add_option("--pairs", flags->pairs, "CSV of sentence1,sentence2,score, for encoders");
  text->excludes(pairs);
  verb->add_option("--window", flags->window, "Tokens a window; windows do not overlap")
      ->capture_default_str();
  verb->add_option("--windows", flags->windows, "How many windows (default: the whole text)");
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
