#include "pipeline/build_all/report.h"

#include "base/str.h"

namespace dunnock {
namespace {

constexpr std::string_view kStates[] = {"to do", "built", "missed", "failed", "too large"};

OrderedJson ToJson(const Estimate& e) { return {{"value", e.value}, {"error", e.error}}; }

void PutQuality(const Evaluation& e, OrderedJson* out) {
  if (e.total && e.total->beside) {
    const TextQuality::Beside& beside = *e.total->beside;
    (*out)["task"] = "generate";
    (*out)["quality"] = ToJson(beside.perplexity_ratio);
    (*out)["kl_mean"] = ToJson(beside.kl_mean);
    (*out)["top1_agreement"] = ToJson(beside.top1_agreement);
  } else if (e.cosine_mean) {
    (*out)["task"] = "embed";
    (*out)["quality"] = ToJson(*e.cosine_mean);
  } else if (e.score_correlation) {
    (*out)["task"] = "rerank";
    (*out)["quality"] = ToJson({*e.score_correlation, 0});
  }
}

}  // namespace

std::string_view NameOf(BuildState state) { return kStates[static_cast<int>(state)]; }

OrderedJson FiguresOf(const QuantizeReport& made, std::string_view codec) {
  OrderedJson out = {{"codec", codec},
                     {"parameters", made.parameters},
                     {"bits_per_weight", made.bits_per_weight()},
                     {"bytes",
                      {{"folder", made.folder_bytes},
                       {"weights", made.bundle_bytes},
                       {"source_weights", made.source_bytes}}}};
  if (made.evaluation) PutQuality(*made.evaluation, &out);
  out["gate"] = {{"verdict", made.manifest.verdict}, {"misses", made.manifest.misses}};
  if (made.gate && !made.gate->rows.empty())
    out["gate"]["threshold"] = made.gate->rows.front().threshold;
  return out;
}

std::string MissMessage(const OrderedJson& figures) {
  std::string misses;
  if (const auto json = ParseJson(DumpJson(figures))) {
    if (const Json* gate = FindMember(*json, "gate"))
      misses = FindString(*gate, "misses").value_or("");
  }
  return Str("misses its gate, so there is no bundle: ", misses,
             ". Calibration, a format of more bits or a lower gate may help");
}

OrderedJson BuildReportJson(const std::vector<BuildRow>& rows, std::string_view program,
                            size_t threads) {
  OrderedJson bundles = OrderedJson::array(), measured = OrderedJson::object();
  for (const BuildRow& row : rows) {
    OrderedJson out = {{"folder", row.folder},
                       {"model", row.model},
                       {"format", row.format},
                       {"state", NameOf(row.state)}};
    if (!row.message.empty()) out["message"] = row.message;
    if (row.figures.is_object()) out.update(row.figures);
    bundles.push_back(std::move(out));
    if (row.measured.is_object()) measured[row.folder] = row.measured;
  }
  return {{"format", "dunnock-build-report"},
          {"version", 1},
          {"program", program},
          {"bundles", bundles},
          {"measured", {{"threads", threads}, {"bundles", measured}}}};
}

}  // namespace dunnock
