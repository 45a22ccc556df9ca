// The verbs about single models: pull, list, show.

#include <cstdio>

#include "base/printable.h"
#include "base/str.h"
#include "catalogue/strategy.h"
#include "cli/verbs.h"
#include "io/file.h"

namespace dunnock::cli {
namespace {

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text + "  ";
}

std::string PaddedLeft(std::string text, size_t width) {
  if (text.size() < width) text.insert(0, width - text.size(), ' ');
  return text + "  ";
}

constexpr size_t kIdWidth = 28;  // a longer id has a line of its own: the table fits 80 columns

std::string Parameters(size_t count) {
  if (count == 0) return "";
  char buffer[16];
  if (count >= 1'000'000'000) {
    std::snprintf(buffer, sizeof buffer, "%.1fB", static_cast<double>(count) / 1e9);
  } else {
    std::snprintf(buffer, sizeof buffer, "%.0fM", static_cast<double>(count) / 1e6);
  }
  return buffer;
}

Result<int> Pull(const Common& common, const std::string& name, const std::string& revision) {
  HubOptions options = common.hub();
  options.revision = revision;
  options.refresh = true;  // a branch may have moved on
  const CatalogueEntry* entry = FindInCatalogue(name.substr(0, name.find_first_of("@:")));
  const std::string notice = entry == nullptr ? "" : LicenceNotice(*entry);
  if (!notice.empty()) Note(common, notice);
  DUNNOCK_TRY(const FetchedModel model, FetchModel(name, options));
  if (entry != nullptr && !entry->tokenizer_from.empty()) {
    DUNNOCK_TRY_STATUS(FetchModel(entry->tokenizer_from, options, ModelPart::kSideFiles));
  }
  DUNNOCK_TRY(const auto files, ListFiles(model));
  OrderedJson list = OrderedJson::array();
  uint64_t total = 0;
  for (const CachedFile& file : files) {
    DUNNOCK_TRY(const std::string sha256, Sha256OfFile(file.path, options.progress));
    list.push_back({{"name", file.name}, {"size_bytes", file.size_bytes}, {"sha256", sha256}});
    total += file.size_bytes;
  }
  ClearProgressLine(common);
  if (common.json) {
    OrderedJson out = {{"model", model.name}, {"path", model.path}, {"files", list}};
    if (!notice.empty()) out["licence_notice"] = notice;
    PrintJson(out);
    return 0;
  }
  const Colours& c = StdoutColours();
  Print(Str(c.bold, Printable(model.name), c.reset, "  ", files.size(),
            files.size() == 1 ? " file, " : " files, ", HumanBytes(total), "\n", c.dim, model.path,
            c.reset, "\n"));
  return 0;
}

// Side files alone are no model that could run.
bool IsWhole(const CachedModel* model) {
  return model != nullptr && model->missing.empty() && model->has_weights;
}

Result<int> List(const Common& common, bool only_cached) {
  DUNNOCK_TRY(const auto cached, ListCached(common.hub()));
  const auto find = [&](const std::string& id) -> const CachedModel* {
    for (const CachedModel& m : cached) {
      if (m.name == id) return &m;
    }
    return nullptr;
  };
  OrderedJson list = OrderedJson::array();
  std::string table, family;
  bool restricted = false;
  const Colours& c = StdoutColours();
  const auto row = [&](const std::string& id, const CatalogueEntry* entry,
                       const CachedModel* on_disk) {
    OrderedJson item = {{"id", id}, {"cached", IsWhole(on_disk)}};
    if (entry != nullptr) {
      item.update(OrderedJson{{"name", entry->name},
                              {"family", entry->family},
                              {"task", entry->task},
                              {"parameters", entry->parameters},
                              {"context", entry->context},
                              {"licence", entry->licence},
                              {"open_source", entry->open_source},
                              {"repo", entry->repo}});
    }
    if (on_disk != nullptr)
      item.update(OrderedJson{{"size_bytes", on_disk->size_bytes}, {"path", on_disk->path}});
    list.push_back(item);
    const std::string now = entry != nullptr ? entry->family : "Others on this disk";
    if (now != family) table += Str("\n", c.bold, now, c.reset, "\n");
    family = now;
    table += "  " + (id.size() > kIdWidth ? Printable(id) + "\n  " + Padded("", kIdWidth)
                                          : Padded(Printable(id), kIdWidth));
    if (entry != nullptr) {
      restricted = restricted || !entry->open_source;
      table += Padded(entry->task, 8) + PaddedLeft(Parameters(entry->parameters), 6) +
               PaddedLeft(std::to_string(entry->context), 6) +
               Padded(entry->licence + (entry->open_source ? "" : " *"), 12);
    }
    table += on_disk == nullptr  ? Str(c.dim, "-", c.reset)
             : !IsWhole(on_disk) ? Str(c.cyan, "partial", c.reset)
                                 : Str(c.green, HumanBytes(on_disk->size_bytes), c.reset);
    table += "\n";
  };
  for (const CatalogueEntry& entry : Catalogue()) {
    const CachedModel* on_disk = find(entry.id);
    if (on_disk != nullptr || !only_cached) row(entry.id, &entry, on_disk);
  }
  for (const CachedModel& m : cached) {
    if (FindInCatalogue(m.name) == nullptr) row(m.name, nullptr, &m);
  }
  if (common.json) {
    PrintJson({{"models", list}});
    return 0;
  }
  if (table.empty()) {
    Print("no models on this disk: `dunnock pull smollm2-135m-instruct` fetches one\n");
    return 0;
  }
  Print(Str("  ", c.dim, Padded("model", kIdWidth), Padded("task", 8), PaddedLeft("params", 6),
            PaddedLeft("ctx", 6), Padded("licence", 12), "on disk", c.reset, "\n", table));
  if (restricted) Print(Str(c.dim, "\n* not open source: for research\n", c.reset));
  Print(Str(c.dim, "\n`dunnock show MODEL` says everything, `dunnock pull MODEL` fetches it\n",
            c.reset));
  return 0;
}

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
                 {"format", RecommendedFormat(entry.parameters, Target::kWasm)}};
  out["native"] = {{"format", RecommendedFormat(entry.parameters, Target::kNative)}};
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

// 134515008 as 134,515,008.
std::string Grouped(uint64_t count) {
  std::string text = std::to_string(count);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
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
  if (!model) Print(Str("\n`dunnock pull ", name, "` fetches it\n"));
  return 0;
}

}  // namespace

void AddPull(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("pull", "Fetch a model into the cache");
  auto model = std::make_shared<std::string>(), revision = std::make_shared<std::string>();
  verb->add_option("MODEL,-m,--model", *model, "The model")->required();
  verb->add_option("--revision", *revision, "Branch, tag or commit");
  AddCommonFlags(*verb, common);
  verb->callback(
      [=, &common] { *action = [=, &common] { return Pull(common, *model, *revision); }; });
}

void AddList(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("list", "Show the models that are known, and which are on this disk");
  verb->alias("ls");
  auto cached = std::make_shared<bool>(false);
  verb->add_flag("--cached", *cached, "Only those on this disk");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return List(common, *cached); }; });
}

void AddShow(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("show", "Show everything about a model");
  auto model = std::make_shared<std::string>(), file = std::make_shared<std::string>();
  verb->add_option("MODEL,-m,--model", *model, "The model")->required();
  verb->add_option("--file", *file, "Print this file of the model, such as tokenizer.json");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    *action = [=, &common] {
      return file->empty() ? Show(common, *model) : ShowFile(common, *model, *file);
    };
  });
}

}  // namespace dunnock::cli
