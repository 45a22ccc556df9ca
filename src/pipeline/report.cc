#include "pipeline/report.h"

#include <cmath>

#include "base/str.h"

namespace dunnock {
namespace {

constexpr int64_t kVersion = 1;

OrderedJson ToJson(const Estimate& e) { return {{"value", e.value}, {"error", e.error}}; }

void Put(OrderedJson* to, const char* key, const std::optional<Estimate>& e) {
  if (e) (*to)[key] = ToJson(*e);
}

void PutText(OrderedJson* to, const TextQuality& q) {
  OrderedJson& out = *to;
  out["tokens"] = q.tokens;
  out["nll"] = ToJson(q.nll);
  out["perplexity"] = ToJson(q.perplexity);
  if (!q.beside) return;
  out["reference_perplexity"] = ToJson(q.beside->reference_perplexity);
  out["perplexity_ratio"] = ToJson(q.beside->perplexity_ratio);
  out["kl_mean"] = ToJson(q.beside->kl_mean);
  out["kl_median"] = ToJson(q.beside->kl_median);
  out["kl_p999"] = ToJson(q.beside->kl_p999);
  out["top1_agreement"] = ToJson(q.beside->top1_agreement);
}

void PutEncoder(OrderedJson* to, const EncoderQuality& q) {
  OrderedJson& out = *to;
  out["texts"] = q.texts;
  out["cosine_mean"] = ToJson(q.cosine_mean);
  out["cosine_min"] = q.cosine_min;
  if (q.pairs > 0) out["pairs"] = q.pairs;
  Put(to, "spearman", q.spearman);
  Put(to, "reference_spearman", q.reference_spearman);
  if (q.queries > 0) {
    out["queries"] = q.queries;
    out["documents"] = q.documents;
  }
  Put(to, "rank_correlation", q.rank_correlation);
  Put(to, "overlap10", q.overlap10);
  Put(to, "recall1", q.recall1);
  Put(to, "reference_recall1", q.reference_recall1);
  Put(to, "recall10", q.recall10);
  Put(to, "reference_recall10", q.reference_recall10);
}

void PutReranker(OrderedJson* to, const RerankQuality& q) {
  OrderedJson& out = *to;
  out["pairs"] = q.pairs;
  out["logit_error"] = ToJson(q.logit_error);
  out["logit_error_max"] = q.logit_error_max;
  out["score_correlation"] = q.correlation;
  Put(to, "spearman", q.spearman);
  Put(to, "reference_spearman", q.reference_spearman);
  if (q.queries > 0) out["queries"] = q.queries;
  Put(to, "rank_correlation", q.rank_correlation);
}

Result<Json> ParseReport(std::string_view text) {
  auto json = ParseJson(text);
  if (!json) return In("report.json", std::move(json).error());
  if (FindString(*json, "format") != "dunnock-report")
    return Invalid("report.json: expected \"format\": \"dunnock-report\"");
  if (const auto version = FindInt(*json, "version"); version != kVersion) {
    return Unsupported(Str("report.json: version ", version.value_or(0), ": this program reads ",
                           kVersion, "; a newer one may read it"));
  }
  return json;
}

// Compares every number of `expected` with the one at the same place.
void CompareNumbers(const std::string& where, const Json& expected, const Json& found,
                    std::vector<Check>* checks, size_t* equal) {
  if (expected.is_number()) {
    const double a = expected.get<double>(), b = found.is_number() ? found.get<double>() : NAN;
    if (std::fabs(a - b) <= 1e-6 * std::max(1.0, std::fabs(a))) {
      ++*equal;
    } else {
      checks->push_back({where, false, Str("the report says ", a, ", found ", b)});
    }
  } else if (expected.is_structured()) {
    for (const auto& [key, value] : expected.items()) {
      static const Json kNothing;
      const Json* other = &kNothing;
      if (found.is_object() && found.contains(key)) other = &found[key];
      if (found.is_array() && static_cast<size_t>(std::stoul(key)) < found.size())
        other = &found[static_cast<size_t>(std::stoul(key))];
      CompareNumbers(Str(where, where.empty() ? "" : ".", key), value, *other, checks, equal);
    }
  } else if (expected != found) {
    checks->push_back(
        {where, false, Str("the report says ", DumpJson(expected), ", found ", DumpJson(found))});
  }
}

}  // namespace

OrderedJson EvaluationJson(const Evaluation& e) {
  OrderedJson texts = OrderedJson::array();
  for (const JudgedText& text : e.texts) {
    OrderedJson row = {{"name", text.name}, {"sha256", text.sha256}};
    if (text.text) PutText(&row, *text.text);
    if (text.encoder) PutEncoder(&row, *text.encoder);
    if (text.reranker) PutReranker(&row, *text.reranker);
    texts.push_back(std::move(row));
  }
  OrderedJson out = {{"reference", e.reference}, {"texts", texts}};
  if (e.total) PutText(&out["total"], *e.total);
  Put(&out, "cosine_mean", e.cosine_mean);
  if (e.cosine_min) out["cosine_min"] = *e.cosine_min;
  if (e.score_correlation) out["score_correlation"] = *e.score_correlation;
  if (e.repetition) {
    const Repetition& r = *e.repetition;
    out["repetition"] = {{"prompts", r.prompts}, {"tokens", r.tokens},
                         {"greedy", r.greedy},   {"reference_greedy", r.reference_greedy},
                         {"sampled", r.sampled}, {"reference_sampled", r.reference_sampled}};
  }
  return out;
}

OrderedJson ReportJson(const BundleFacts& facts) {
  const QuantizeReport& made = *facts.made;
  OrderedJson files = OrderedJson::array(), figures = OrderedJson::array();
  uint64_t source_bytes = 0;
  for (const BundleFile& f : facts.source_files) {
    files.push_back({{"name", f.name}, {"size_bytes", f.size_bytes}, {"sha256", f.sha256}});
    source_bytes += f.size_bytes;
  }
  if (made.gate) {
    for (const GateRow& row : made.gate->rows) {
      figures.push_back({{"figure", row.figure},
                         {"value", row.value},
                         {"threshold", row.threshold},
                         {"passed", row.passed()}});
    }
  }
  return {{"format", "dunnock-report"},
          {"version", kVersion},
          {"program", facts.program},
          {"model", facts.name},
          {"model_type", facts.model_type},
          {"task", facts.task},
          {"source_files", files},
          {"quantization", made.manifest.quantization},
          {"parameters", made.parameters},
          {"bits_per_weight", made.bits_per_weight()},
          {"bytes",
           {{"folder", facts.folder_bytes},
            {"weights", made.bundle_bytes},
            {"source_weights", source_bytes}}},
          {"parameters_by_encoding", made.parameters_by_encoding},
          {"evaluation", made.evaluation ? EvaluationJson(*made.evaluation) : OrderedJson()},
          {"gate", {{"verdict", made.manifest.verdict}, {"figures", figures}}}};
}

Result<std::optional<QualityPoint>> PointOf(std::string_view report) {
  DUNNOCK_TRY(const Json json, ParseReport(report));
  QualityPoint point;
  point.label = FindString(json, "quantization").value_or("");
  const Json* bytes = FindMember(json, "bytes");
  const Json* evaluation = FindMember(json, "evaluation");
  if (bytes == nullptr || evaluation == nullptr) return std::optional<QualityPoint>();
  point.bytes = static_cast<uint64_t>(FindInt(*bytes, "folder").value_or(0));
  std::optional<double> quality = FindNumber(*evaluation, "score_correlation");
  if (const Json* cosine = FindMember(*evaluation, "cosine_mean"))
    quality = FindNumber(*cosine, "value");
  if (const Json* total = FindMember(*evaluation, "total")) {
    if (const Json* ratio = FindMember(*total, "perplexity_ratio"))
      quality = FindNumber(*ratio, "value");
  }
  if (!quality || point.bytes == 0) return std::optional<QualityPoint>();
  point.quality = *quality;
  return std::optional(point);
}

std::string QualityName(std::string_view task) {
  if (task == "generate") return "perplexity of the original / of the bundle";
  return task == "embed" ? "mean cosine with the original's embeddings"
                         : "correlation with the original's scores";
}

Result<std::vector<Check>> CompareWithReport(const Evaluation& again, std::string_view report) {
  DUNNOCK_TRY(const Json json, ParseReport(report));
  const Json* expected = FindMember(json, "evaluation");
  if (expected == nullptr)
    return Fail(ErrorCode::kNotFound, "report.json has no evaluation that could be repeated");
  DUNNOCK_TRY(const Json found, ParseJson(DumpJson(EvaluationJson(again))));
  std::vector<Check> checks;
  size_t equal = 0;
  CompareNumbers("evaluation", *expected, found, &checks, &equal);
  if (checks.empty())
    checks.push_back({"the whole evaluation", true, Str(equal, " figures as the report has them")});
  return checks;
}

}  // namespace dunnock
