#pragma once
// report.json of a bundle (docs/formats/report.md): what it was made from, how large it is, how
// good, and the gate's verdict.

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "bundle/manifest.h"
#include "pipeline/judging/evaluate.h"
#include "pipeline/judging/gate.h"
#include "pipeline/quantize.h"

namespace dunnock {

// What a report, a card and a picture are made of.
struct BundleFacts {
  std::string name;                      // the source's
  std::string model_type;                // "llama", "bert"
  std::string task;                      // "generate", "embed", "rerank"
  std::string program;                   // name and version
  std::vector<BundleFile> source_files;  // its weights
  const QuantizeReport* made = nullptr;
  uint64_t folder_bytes = 0;  // of all files of the bundle
};

OrderedJson ReportJson(const BundleFacts& facts);
OrderedJson EvaluationJson(const Evaluation& evaluation);

// A bundle, or the original, in a picture of quality against size.
struct QualityPoint {
  std::string label;  // "int4", "original"
  uint64_t bytes = 0;
  double quality = 0;  // perplexity ratio, mean cosine or score correlation; 1 of the original
};
// Of a report; kInvalid if the text is none; nullopt if it was not evaluated.
Result<std::optional<QualityPoint>> PointOf(std::string_view report);
// "perplexity of the original / of the bundle", by task.
std::string QualityName(std::string_view task);

// Compares an evaluation with the one that a report holds, figure by figure. kInvalid if the text
// is no report, kNotFound if it has no evaluation.
Result<std::vector<Check>> CompareWithReport(const Evaluation& again, std::string_view report);

}  // namespace dunnock
