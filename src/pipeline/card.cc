#include "pipeline/card.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <cstdio>

#include "base/str.h"

namespace dunnock {
namespace {

std::string Fixed(double value, int digits) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}

// "28.13 ± 0.21": as many digits as the error has two of.
std::string WithError(const Estimate& e) {
  if (!(e.error > 0)) return Fixed(e.value, 4);
  const int digits = std::clamp(1 - static_cast<int>(std::floor(std::log10(e.error))), 0, 6);
  return Str(Fixed(e.value, digits), " ± ", Fixed(e.error, digits));
}
std::string WithError(const std::optional<Estimate>& e) { return e ? WithError(*e) : "–"; }

std::string Megabytes(uint64_t bytes) {
  return Str(Fixed(static_cast<double>(bytes) / 1e6, bytes < 1'000'000 ? 3 : 1), " MB");
}

// Text of files into a cell of a table: one line, no bars.
std::string Cell(std::string_view text) {
  std::string out;
  for (const char c : text)
    out += c == '|' ? std::string("\\|") : c < ' ' ? " " : std::string(1, c);
  return out;
}
std::string FrontMatter(const BundleFacts& facts, const CardOptions& options) {
  std::string out = "---\n";
  if (!options.licence.empty()) {
    std::string licence = options.licence;  // the hub's names have small letters
    std::ranges::transform(licence, licence.begin(),
                           [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    out += Str("license: ", Cell(licence), "\n");
  }
  if (!options.base_model.empty())
    out += Str("base_model: ", Cell(options.base_model), "\nbase_model_relation: quantized\n");
  const std::string_view tag = facts.task == "generate" ? "text-generation"
                               : facts.task == "embed"  ? "sentence-similarity"
                                                        : "text-ranking";
  return out + Str("library_name: dunnock\npipeline_tag: ", tag,
                   "\ntags:\n- dunnock\n- quantized\n- ", facts.made->manifest.quantization,
                   "\n---\n\n");
}

std::string Verdict(const QuantizeReport& made) {
  const std::string& verdict = made.manifest.verdict;
  if (verdict == "passed") return "This bundle passed its gate.";
  if (verdict == "missed") {
    return Str("> **This bundle missed its gate** and was written all the same: ",
               made.manifest.misses, ".");
  }
  return "> **This bundle was not evaluated.** Nothing is known about its quality.";
}

std::string TextTable(const Evaluation& e) {
  std::string out =
      "| text | tokens | perplexity | original's | original's / bundle's | KL mean | KL median | "
      "KL "
      "99.9 % | top-1 agreement |\n|--|--:|--:|--:|--:|--:|--:|--:|--:|\n";
  const auto row = [&](const std::string& name, const TextQuality& q) {
    const TextQuality::Beside& b = *q.beside;
    out += Str("| ", Cell(name), " | ", q.tokens, " | ", WithError(q.perplexity), " | ",
               WithError(b.reference_perplexity), " | ", WithError(b.perplexity_ratio), " | ",
               WithError(b.kl_mean), " | ", WithError(b.kl_median), " | ", WithError(b.kl_p999),
               " | ", WithError(b.top1_agreement), " |\n");
  };
  for (const JudgedText& text : e.texts) row(text.name, *text.text);
  if (e.texts.size() > 1) row("**all together**", *e.total);
  out +=
      "\nKL divergence in nats per token, from the original to the bundle. ± is one standard "
      "error.\n";
  if (const auto& r = e.repetition; r && r->tokens > 0) {
    out += Str("\n| replies of ", r->tokens, " tokens to ", r->prompts,
               " prompts | bundle | original |\n|--|--:|--:|\n| repeated 4-grams, greedy | ",
               Fixed(r->greedy, 3), " | ", Fixed(r->reference_greedy, 3),
               " |\n| repeated 4-grams, temperature 0.8 | ", Fixed(r->sampled, 3), " | ",
               Fixed(r->reference_sampled, 3), " |\n");
  }
  return out;
}

std::string EncoderTable(const Evaluation& e) {
  std::string out =
      "| texts | count | cosine mean | cosine least | rank correlation | first 10 kept |\n"
      "|--|--:|--:|--:|--:|--:|\n";
  std::string judged;
  for (const JudgedText& text : e.texts) {
    const EncoderQuality& q = *text.encoder;
    out += Str("| ", Cell(text.name), " | ", q.texts, " | ", WithError(q.cosine_mean), " | ",
               Fixed(q.cosine_min, 5), " | ", WithError(q.rank_correlation), " | ",
               WithError(q.overlap10), " |\n");
    if (q.spearman) {
      judged += Str("| Spearman's correlation with people's scores, ", Cell(text.name), " | ",
                    WithError(q.spearman), " | ", WithError(q.reference_spearman), " |\n");
    }
    if (q.recall1) {
      judged += Str("| recall of 1, ", Cell(text.name), " | ", WithError(q.recall1), " | ",
                    WithError(q.reference_recall1), " |\n| recall of 10, ", Cell(text.name), " | ",
                    WithError(q.recall10), " | ", WithError(q.reference_recall10), " |\n");
    }
  }
  out +=
      "\nEach text's embedding is compared with the original's. Rank correlation is Spearman's, of "
      "the texts ranked for each query by both models.\n";
  if (!judged.empty()) out += "\n| | bundle | original |\n|--|--:|--:|\n" + judged;
  return out;
}

std::string RerankTable(const Evaluation& e) {
  std::string out =
      "| pairs | count | score correlation | rank correlation | mean error of a logit | "
      "largest |\n|--|--:|--:|--:|--:|--:|\n";
  for (const JudgedText& text : e.texts) {
    const RerankQuality& q = *text.reranker;
    out += Str("| ", Cell(text.name), " | ", q.pairs, " | ", Fixed(q.correlation, 5), " | ",
               WithError(q.rank_correlation), " | ", WithError(q.logit_error), " | ",
               Fixed(q.logit_error_max, 4), " |\n");
  }
  return out;
}

std::string Quality(const BundleFacts& facts, const CardOptions& options) {
  const QuantizeReport& made = *facts.made;
  std::string out = "## Quality\n\n" + Verdict(made) + "\n\n";
  if (!made.evaluation) return out;
  const Evaluation& e = *made.evaluation;
  out += Str("Measured beside the original, computed in ", e.reference, ", in the same pass.\n\n");
  out += facts.task == "generate" ? TextTable(e)
         : facts.task == "embed"  ? EncoderTable(e)
                                  : RerankTable(e);
  out += "\n| gate | found | asked for | |\n|--|--:|--:|--|\n";
  for (const GateRow& row : made.gate->rows) {
    out += Str("| ", row.figure, " | ", Fixed(row.value, 4), " | ", row.threshold, " | ",
               row.passed() ? "passed" : "**missed**", " |\n");
  }
  if (options.picture) out += "\n![Quality against size](quality.svg)\n";
  return out + "\n";
}

std::string Usage(const BundleFacts& facts) {
  const std::string_view run =
      facts.task == "generate" ? "dunnock run FOLDER \"What does a dunnock eat?\""
      : facts.task == "embed"
          ? "dunnock embed FOLDER \"a text\" --json\ndunnock search FOLDER --query \"what is "
            "asked\" "
            "FILE"
          : "dunnock rerank FOLDER --query \"what is asked\" \"a passage\" \"another\"";
  return Str(
      "## Use\n\n```sh\n", run,
      "\ndunnock verify FOLDER       # hashes, token ids, checksums and figures, on your "
      "machine\n```\n\n`model.safetensors` holds the weights as they are multiplied, so that "
      "nothing is converted when the model is loaded; any reader of safetensors opens it.\n");
}

}  // namespace

std::string ModelCard(const BundleFacts& facts, const CardOptions& options) {
  const QuantizeReport& made = *facts.made;
  uint64_t source_bytes = 0;
  for (const BundleFile& f : facts.source_files) source_bytes += f.size_bytes;
  std::string out = FrontMatter(facts, options);
  out += Str("# ", Cell(facts.name), ", ", made.manifest.quantization, "\n\n[",
             Cell(options.base_model.empty() ? facts.name : options.base_model), "]");
  out += options.base_model.empty() ? "" : Str("(https://huggingface.co/", options.base_model, ")");
  out +=
      Str(", quantized by ", facts.program, ".\n\n", "| | bundle | original |\n|--|--:|--:|\n",
          "| weights | ", Megabytes(made.bundle_bytes), " | ", Megabytes(source_bytes), " |\n",
          "| bits per parameter | ", Fixed(made.bits_per_weight(), 2), " | ",
          Fixed(8.0 * static_cast<double>(source_bytes) / static_cast<double>(made.parameters), 2),
          " |\n| parameters | ", made.parameters, " | |\n");
  for (const auto& [encoding, count] : made.parameters_by_encoding)
    out += Str("| of these ", encoding, " | ", count, " | |\n");
  out += "\n" + Quality(facts, options) + Usage(facts);
  return out +
         "\n`report.json` has all figures, `proof.json` what this bundle computes, and "
         "`manifest.json` how each matrix is encoded and the SHA-256 of every file.\n";
}

}  // namespace dunnock
