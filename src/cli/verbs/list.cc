#include <cstdio>

#include "base/str.h"
#include "base/text/printable.h"
#include "catalogue/catalogue.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "hub/cache/cached_models.h"
#include "hub/hub.h"

namespace dunnock::cli {
namespace {

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
  Print(Str(c.dim, "\n`dunnock show MODEL` shows the details, `dunnock pull MODEL` downloads it\n",
            c.reset));
  return 0;
}

}  // namespace

void AddList(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("list", "List the known models, and which of them are on this disk");
  verb->alias("ls");
  auto cached = std::make_shared<bool>(false);
  verb->add_flag("--cached", *cached, "Only models on this disk");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return List(common, *cached); }; });
}

}  // namespace dunnock::cli
