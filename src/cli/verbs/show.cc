#include <algorithm>
#include <cstdio>

#include "base/str.h"
#include "base/text/printable.h"
#include "bundle/bundle.h"
#include "catalogue/catalogue.h"
#include "catalogue/strategy.h"
#include "checkpoint/checkpoint.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "hub/cache/cached_models.h"
#include "hub/hub.h"
#include "io/file.h"

namespace dunnock::cli {
namespace {

// A small file of the model as the engine sees it: a GGUF's tokenizer.json, say.
Result<int> ShowFile(const Common& common, const std::string& name, const std::string& file) {
  DUNNOCK_TRY(const FileSet files, OpenSideFiles(common, name));
  const auto it = files.find(file);
  if (it == files.end()) {
    std::string known;
    for (const auto& [other, blob] : files) known += (known.empty() ? "" : ", ") + other;
    return Fail(ErrorCode::kNotFound, Str(name, " has no file \"", file, "\", but ", known));
  }
  PrintText(it->second.text());
  return 0;
}

// What the disk has of it: where, which files, and what is in the weights.
Result<OrderedJson> OnDisk(const Common& common, const FetchedModel& model) {
  OrderedJson out = {{"path", model.path}};
  DUNNOCK_TRY(const auto files, ListFiles(model));
  out["files"] = OrderedJson::array();
  for (const CachedFile& f : files)
    out["files"].push_back({{"name", f.name}, {"size_bytes", f.size_bytes}});
  DUNNOCK_TRY(const FileSet set, OpenFetched(model));
  if (IsBundle(set)) {
    DUNNOCK_TRY(const Manifest manifest, ParseManifest(set.at("manifest.json").text()));
    uint64_t weights = 0, bytes = 0;
    for (const auto& [weight_name, weight] : manifest.weights)
      weights += uint64_t{weight.rows} * weight.cols;
    for (const BundleFile& f : manifest.files)
      if (f.name.ends_with(".safetensors")) bytes += f.size_bytes;
    out["quantization"] = manifest.quantization;
    out["codec"] = NameOf(manifest.codec());
    // Of the matrices: the file has vectors and perhaps a table beside them.
    out["bits_per_weight"] =
        8.0 * static_cast<double>(bytes) / static_cast<double>(std::max<uint64_t>(1, weights));
  }
  const auto checkpoint = OpenCheckpoint(set);
  if (!checkpoint) {
    Note(common, checkpoint.error().message);
    return out;
  }
  for (const std::string& note : checkpoint->notes) Note(common, note);
  out["format"] = checkpoint->format;
  out["tensors"] = checkpoint->tensors.size();
  uint64_t elements = 0;
  std::map<std::string, uint64_t> dtypes;
  for (const auto& [tensor_name, tensor] : checkpoint->tensors) {
    elements += tensor.rows() * tensor.cols();
    ++dtypes[std::string(InfoOf(tensor.dtype).name)];
  }
  out["tensor_elements"] = elements;
  out["dtypes"] = dtypes;
  out["config"] = OrderedJson::parse(DumpJson(checkpoint->config));
  return out;
}

// The catalogue's entry, and what follows from it.
OrderedJson InCatalogue(const CatalogueEntry& entry) {
  OrderedJson out = {{"id", entry.id}, {"name", entry.name}, {"aliases", entry.aliases}};
  for (const char* key :
       {"family", "task", "parameters", "context", "vocabulary", "repo", "revision"}) {
    if (const Json* value = FindMember(entry.data, key)) out[key] = OrderedJson(*value);
  }
  if (entry.package) out["package"] = Str(entry.package->package, " ", entry.package->version);
  out["licence"] = entry.licence;
  out["open_source"] = entry.open_source;
  if (const std::string notice = LicenceNotice(entry); !notice.empty())
    out["licence_notice"] = notice;
  for (const auto& [key, value] : entry.data.items()) {
    if (!out.contains(key) && key != "files" && key != "package") out[key] = OrderedJson(value);
  }
  if (const Json* files = FindMember(entry.data, "files"))
    out["expected_files"] = OrderedJson(*files);
  out["wasm"] = {{"feasibility", WasmFeasibility(entry.parameters)},
                 {"format", RecommendedFormat(entry.parameters, Target::kWasm)},
                 {"why", FormatReason(entry.parameters, Target::kWasm)}};
  out["native"] = {{"format", RecommendedFormat(entry.parameters, Target::kNative)},
                   {"why", FormatReason(entry.parameters, Target::kNative)}};
  return out;
}

constexpr size_t kLabelWidth = 28;

// On a terminal long text goes on below itself, up to column 80; a pipe gets it in one line.
std::string Wrapped(const std::string& text) {
  constexpr size_t kTextWidth = 80 - kLabelWidth - 2;
  if (!StdoutIsTerminal()) return text;
  std::string out;
  size_t column = 0;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find(' ', at), text.size());
    if (column > 0 && column + 1 + (end - at) > kTextWidth) {
      out += "\n" + std::string(kLabelWidth + 2, ' ');
      column = 0;
    } else if (column > 0) {
      out += ' ';
      ++column;
    }
    out += text.substr(at, end - at);
    column += end - at;
    at = end + 1;
  }
  return out;
}

// One value in a line: lists with commas, the members of an object in their order, sizes for
// people.
std::string Line(const std::string& key, const OrderedJson& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_boolean()) return value.get<bool>() ? "yes" : "no";
  if (value.is_number_unsigned() || value.is_number_integer()) {
    const auto count = value.get<uint64_t>();
    if (key == "size_bytes") return HumanBytes(count);
    if (key == "parameters" || key == "tensor_elements") return Grouped(count);
  }
  if (!value.is_structured()) return DumpJson(value);
  std::string out;
  for (const auto& item : value.items()) {
    const std::string one = Line(item.key(), item.value());
    out += (out.empty() ? "" : value.is_array() ? ", " : " ") + one;
  }
  return out;
}

// "key  value" lines, then the objects with their members indented.
void PrintFields(const OrderedJson& fields, size_t indent) {
  const Colours& c = StdoutColours();
  const auto has_members = [](const OrderedJson& value) {
    return value.is_object() || (value.is_array() && !value.empty() && value[0].is_object());
  };
  OrderedJson ordered = OrderedJson::object();
  for (const bool members : {false, true}) {
    for (const auto& [key, value] : fields.items()) {
      if (has_members(value) == members) ordered[key] = value;
    }
  }
  for (const auto& [key, value] : ordered.items()) {
    const std::string label = std::string(indent, ' ') + Printable(key);
    if (value.is_object()) {
      Print(Str(indent == 0 ? "\n" : "", c.bold, label, c.reset, "\n"));
      PrintFields(value, indent + 2);
    } else if (has_members(value)) {
      Print(Str("\n", c.bold, label, c.reset, "\n"));
      for (const OrderedJson& one : value) {
        if (key == "files") {
          Print(Str("  ", Padded(Printable(one["name"].get<std::string>()), 40),
                    HumanBytes(one["size_bytes"].get<uint64_t>()), "\n"));
        } else {
          Print(Str("  ", Printable(Line(key, one)), "\n"));
        }
      }
    } else if (const std::string text = Line(key, value); !text.empty()) {
      Print(
          Str(c.dim, Padded(label, kLabelWidth), c.reset, Wrapped(Printable(text, "\n\t")), "\n"));
    }
  }
}

Result<int> Show(const Common& common, const std::string& name) {
  const CatalogueEntry* entry = FindInCatalogue(name);
  HubOptions offline = common.hub();
  offline.offline = true;
  const auto model = FetchModel(name, offline);  // only looks
  if (!model && entry == nullptr) return std::unexpected(model.error());
  OrderedJson out = entry != nullptr ? InCatalogue(*entry) : OrderedJson::object();
  out["cached"] = model.has_value();
  if (model) {
    DUNNOCK_TRY(const OrderedJson disk, OnDisk(common, *model));
    out.update(disk);
  }
  if (common.json) {
    PrintJson(out);
    return 0;
  }
  PrintFields(out, 0);
  if (!model) Print(Str("\n`dunnock pull ", name, "` downloads it\n"));
  return 0;
}

}  // namespace

void AddShow(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("show", "Show the details of a model");
  auto model = std::make_shared<std::string>(), file = std::make_shared<std::string>();
  verb->add_option("MODEL,-m,--model", *model, "The model")->required();
  verb->add_option("--file", *file, "Print one file of the model, such as tokenizer.json");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    *action = [=, &common] {
      return file->empty() ? Show(common, *model) : ShowFile(common, *model, *file);
    };
  });
}

}  // namespace dunnock::cli
