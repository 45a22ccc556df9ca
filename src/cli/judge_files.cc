#include "cli/judge_files.h"

#include <cstdio>

#include "base/str.h"
#include "base/text/printable.h"
#include "cli/input.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/terminal.h"

namespace dunnock::cli {
namespace {

std::string Figure(const Estimate& e, int digits) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, e.value);
  std::string out = buffer;
  std::snprintf(buffer, sizeof buffer, " ±%.*f", digits, e.error);
  return out + buffer;
}

std::string Name(const std::string& name) { return "  " + Padded(Printable(name), 34); }

std::string Line(const std::string& name, const TextQuality& q) {
  return Str(Name(name), "perplexity ", Figure(q.perplexity, 2), ", of the original's ",
             Figure(q.beside->perplexity_ratio, 4), ", KL ", Figure(q.beside->kl_mean, 4),
             ", top-1 ", Figure(q.beside->top1_agreement, 3), ", ", q.tokens, " tokens\n");
}

std::string Line(const std::string& name, const EncoderQuality& q) {
  std::string out = Str(Name(name), "cosine ", Figure(q.cosine_mean, 5), ", least ", q.cosine_min);
  if (q.spearman) {
    out += Str(", Spearman ", Figure(*q.spearman, 4), ", original's ",
               Figure(*q.reference_spearman, 4));
  }
  if (q.rank_correlation) out += Str(", rank correlation ", Figure(*q.rank_correlation, 4));
  if (q.recall1) {
    out += Str(", recall of 1 ", Figure(*q.recall1, 3), ", original's ",
               Figure(*q.reference_recall1, 3));
  }
  return Str(out, ", ", q.texts, " texts\n");
}

std::string Line(const std::string& name, const RerankQuality& q) {
  std::string out = Str(Name(name), "score correlation ", q.correlation, ", mean error ",
                        Figure(q.logit_error, 4));
  if (q.rank_correlation) out += Str(", rank correlation ", Figure(*q.rank_correlation, 4));
  return Str(out, ", ", q.pairs, " pairs\n");
}

}  // namespace

void AddJudgeFlags(CLI::App& verb, JudgeFlags* flags) {
  verb.add_option("--judge", flags->files,
                  "Text to judge the bundle by; may be given several times. Encoders: pairs "
                  "(.csv, .tsv), documents and queries (.jsonl) or a text per line (default: the "
                  "original's own samples; encoders: built-in sentences)")
      ->type_name("FILE")
      ->allow_extra_args(false);
  verb.add_option("--judge-tokens", flags->tokens,
                  "Tokens of each text to judge a decoder by, at most, spread over the text")
      ->check(CLI::Range(size_t{64}, size_t{1} << 40))
      ->type_name("N")
      ->capture_default_str();
}

Result<JudgeOptions> ReadJudge(const Common& common, const JudgeFlags& flags) {
  JudgeOptions options;
  for (const std::string& file : flags.files) {
    DUNNOCK_TRY(std::string text, ReadText(file));
    options.files.push_back({file, std::move(text)});
  }
  options.tokens_per_text = flags.tokens;
  options.progress = ProgressLine(common);
  options.cancel = &CancelScope::flag();
  return options;
}

std::string EvaluationTable(const Evaluation& e) {
  std::string out;
  for (const JudgedText& text : e.texts) {
    if (text.text) out += Line(text.name, *text.text);
    if (text.encoder) out += Line(text.name, *text.encoder);
    if (text.reranker) out += Line(text.name, *text.reranker);
  }
  if (e.total && e.texts.size() > 1) out += Line("all together", *e.total);
  if (e.repetition && e.repetition->tokens > 0) {
    const Repetition& r = *e.repetition;
    out += Str(Name("repeated 4-grams"), "greedy ", r.greedy, ", original's ", r.reference_greedy,
               "; temperature 0.8 ", r.sampled, ", original's ", r.reference_sampled, "\n");
  }
  return out;
}

}  // namespace dunnock::cli
