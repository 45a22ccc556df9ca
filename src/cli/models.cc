// The verbs about single models: pull, list, show.

#include <cstdio>

#include "base/str.h"
#include "cli/verbs.h"
#include "io/file.h"

namespace dunnock::cli {
namespace {

std::string Padded(std::string text, size_t width) {
  if (text.size() < width) text.resize(width, ' ');
  return text + "  ";
}

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
  DUNNOCK_TRY(const FetchedModel model, FetchModel(name, options));
  DUNNOCK_TRY(const auto files, ListFiles(model.path));
  OrderedJson list = OrderedJson::array();
  uint64_t total = 0;
  for (const CachedFile& file : files) {
    DUNNOCK_TRY(const std::string sha256, Sha256OfFile(file.path, options.progress));
    list.push_back({{"name", file.name}, {"size_bytes", file.size_bytes}, {"sha256", sha256}});
    total += file.size_bytes;
  }
  ClearProgressLine(common);
  if (common.json) {
    PrintJson({{"model", model.name}, {"path", model.path}, {"files", list}});
    return 0;
  }
  const Colours& c = StdoutColours();
  Print(Str(c.bold, model.name, c.reset, "  ", files.size(),
            files.size() == 1 ? " file, " : " files, ", HumanBytes(total), "\n", c.dim, model.path,
            c.reset, "\n"));
  return 0;
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
  std::string table;
  const Colours& c = StdoutColours();
  const auto row = [&](const std::string& id, const CatalogueEntry* entry,
                       const CachedModel* on_disk) {
    OrderedJson item = {{"id", id}, {"cached", on_disk != nullptr}};
    if (entry != nullptr) {
      item.update(OrderedJson{{"name", entry->name},
                              {"task", entry->task},
                              {"parameters", entry->parameters},
                              {"context", entry->context},
                              {"licence", entry->licence},
                              {"repo", entry->repo}});
    }
    if (on_disk != nullptr)
      item.update(OrderedJson{{"size_bytes", on_disk->size_bytes}, {"path", on_disk->path}});
    list.push_back(item);
    table += Padded(id, 28) + Padded(entry != nullptr ? entry->task : "", 6) +
             Padded(entry != nullptr ? Parameters(entry->parameters) : "", 6) +
             Padded(entry != nullptr ? std::to_string(entry->context) : "", 7) +
             Padded(entry != nullptr ? entry->licence : "", 11) +
             (on_disk != nullptr ? Str(c.green, HumanBytes(on_disk->size_bytes), c.reset)
                                 : Str(c.dim, "not fetched", c.reset)) +
             "\n";
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
  Print(Str(c.bold, Padded("MODEL", 28), Padded("TASK", 6), Padded("SIZE", 6), Padded("CONTEXT", 7),
            Padded("LICENCE", 11), "ON DISK", c.reset, "\n", table));
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
  Print(it->second.text());
  return 0;
}

Result<int> Show(const Common& common, const std::string& name) {
  const CatalogueEntry* entry = FindInCatalogue(name);
  HubOptions offline = common.hub();
  offline.offline = true;
  const auto model = FetchModel(name, offline);  // only looks
  if (!model && entry == nullptr) return std::unexpected(model.error());
  OrderedJson out = OrderedJson::object();
  if (entry != nullptr) {
    out.update(OrderedJson{{"id", entry->id},
                           {"name", entry->name},
                           {"aliases", entry->aliases},
                           {"family", entry->family},
                           {"task", entry->task},
                           {"parameters", entry->parameters},
                           {"context", entry->context},
                           {"licence", entry->licence},
                           {"repo", entry->repo}});
    if (entry->package) out["package"] = Str(entry->package->package, " ", entry->package->version);
  }
  out["cached"] = model.has_value();
  if (model) {
    out["path"] = model->path;
    DUNNOCK_TRY(const auto files, ListFiles(model->path));
    out["files"] = OrderedJson::array();
    for (const CachedFile& f : files)
      out["files"].push_back({{"name", f.name}, {"size_bytes", f.size_bytes}});
    DUNNOCK_TRY(const FileSet set, OpenFetched(*model));
    if (const auto checkpoint = OpenCheckpoint(set)) {
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
    }
  }
  if (common.json) {
    PrintJson(out);
    return 0;
  }
  const Colours& c = StdoutColours();
  for (const auto& [key, value] : out.items()) {
    if (key == "files" || key == "config") continue;
    Print(Str(c.bold, Padded(key, 16), c.reset,
              value.is_string() ? value.get<std::string>() : DumpJson(value), "\n"));
  }
  for (const char* key : {"files", "config"}) {
    if (!out.contains(key)) continue;
    Print(Str(c.bold, key, c.reset, "\n"));
    for (const auto& [name_or_index, value] : out[key].items()) {
      if (value.is_object() && value.contains("size_bytes")) {
        Print(Str("  ", Padded(value["name"].get<std::string>(), 34),
                  HumanBytes(value["size_bytes"].get<uint64_t>()), "\n"));
      } else {
        Print(Str("  ", Padded(name_or_index, 34), DumpJson(value), "\n"));
      }
    }
  }
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
