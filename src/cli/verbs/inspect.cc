#include <algorithm>
#include <cstdio>

#include "base/str.h"
#include "base/text/printable.h"
#include "bundle/bundle.h"
#include "checkpoint/checkpoint.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/output.h"
#include "cli/verbs/verbs.h"

namespace dunnock::cli {
namespace {

struct Row {
  std::string name;
  std::vector<uint64_t> shape;
  std::string dtype;
  uint64_t size_bytes;
};

std::string ShapeText(const Row& row) {
  std::string out;
  for (const uint64_t n : row.shape) out += Str(out.empty() ? "" : " x ", n);
  return out;
}

std::vector<Row> RowsOf(const Bundle& bundle) {
  std::vector<Row> rows;
  for (const auto& [name, tensor] : bundle.checkpoint.tensors) {
    rows.push_back(
        {name, tensor.shape, std::string(InfoOf(tensor.dtype).name), tensor.bytes.size()});
  }
  for (const auto& [name, weight] : bundle.weights) {
    std::string encoding(NameOf(weight.encoding));
    if (weight.is_grouped()) encoding += Str(" of ", weight.group);
    rows.push_back({name + ".weight", {weight.rows, weight.cols}, encoding, weight.size_bytes()});
  }
  std::sort(rows.begin(), rows.end(), [](const Row& a, const Row& b) { return a.name < b.name; });
  return rows;
}

Result<int> Run(const Common& common, const std::string& model) {
  DUNNOCK_TRY(const FileSet files, OpenModel(common, model));
  Bundle bundle;  // or a checkpoint: one without packed weights
  const bool is_bundle = IsBundle(files);
  auto opened = [&]() -> Status {
    if (is_bundle) {
      DUNNOCK_TRY(bundle, OpenBundle(files));
    } else {
      DUNNOCK_TRY(bundle.checkpoint, OpenCheckpoint(files));
    }
    return {};
  }();
  if (!opened) return In(model, std::move(opened).error());
  for (const std::string& note : bundle.checkpoint.notes) Note(common, note);
  const std::vector<Row> rows = RowsOf(bundle);
  const std::string format = is_bundle ? Str("bundle, ", bundle.manifest.quantization, ", ",
                                             NameOf(bundle.manifest.codec()))
                                       : bundle.checkpoint.format;
  uint64_t weights = 0;  // their number
  for (const auto& [name, tensor] : bundle.checkpoint.tensors)
    weights += tensor.rows() * tensor.cols();
  for (const auto& [name, weight] : bundle.weights) weights += uint64_t{weight.rows} * weight.cols;
  const double bits = 8.0 * static_cast<double>(bundle.stored_bytes) /
                      static_cast<double>(std::max<uint64_t>(1, weights));
  uint64_t bytes = 0;
  size_t widest = 4;
  OrderedJson list = OrderedJson::array();
  for (const Row& row : rows) {
    bytes += row.size_bytes;
    widest = std::max(widest, Printable(row.name).size());
    list.push_back({{"name", row.name},
                    {"shape", row.shape},
                    {"dtype", row.dtype},
                    {"size_bytes", row.size_bytes}});
  }
  if (common.json) {
    OrderedJson out = {
        {"model", model},
        {"format", is_bundle ? "bundle" : bundle.checkpoint.format},
        {"model_type", FindString(bundle.checkpoint.config, "model_type").value_or("")}};
    if (is_bundle) {
      out["source"] = bundle.manifest.source;
      out["quantization"] = bundle.manifest.quantization;
      out["codec"] = NameOf(bundle.manifest.codec());
      out["stored_bytes"] = bundle.stored_bytes;
      out["bits_per_weight"] = bits;
    }
    out["size_bytes"] = bytes;
    out["tensors"] = list;
    PrintJson(out);
    return 0;
  }
  for (const Row& row : rows) {
    char rest[96];
    std::snprintf(rest, sizeof rest, "%18s  %-18s %14s\n", ShapeText(row).c_str(),
                  row.dtype.c_str(), HumanBytes(row.size_bytes).c_str());
    const std::string name = Printable(row.name);
    Print(name + std::string(widest - name.size() + 2, ' ') + rest);
  }
  char stored[64] = "";
  if (is_bundle) std::snprintf(stored, sizeof stored, ", %.2f bits per weight in the file", bits);
  Print(Str(rows.size(), " tensors, ", HumanBytes(bytes), " (", format, stored, ")\n"));
  return 0;
}

}  // namespace

void AddInspect(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("inspect", "List a model's tensors");
  auto model = std::make_shared<std::string>();
  verb->add_option("MODEL,-m,--model", *model, "The model")->required();
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *model); }; });
}

}  // namespace dunnock::cli
