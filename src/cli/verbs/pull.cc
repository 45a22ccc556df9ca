#include "base/str.h"
#include "base/text/printable.h"
#include "catalogue/catalogue.h"
#include "cli/check_bundle.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "hub/cache/cached_models.h"
#include "hub/hub.h"

namespace dunnock::cli {
namespace {

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
  DUNNOCK_TRY_STATUS(CheckBundle(common, model));
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

}  // namespace

void AddPull(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb = program.add_subcommand("pull", "Download a model into the cache");
  auto model = std::make_shared<std::string>(), revision = std::make_shared<std::string>();
  verb->add_option("MODEL,-m,--model", *model, "The model")->required();
  verb->add_option("--revision", *revision, "Branch, tag or commit");
  AddCommonFlags(*verb, common);
  verb->callback(
      [=, &common] { *action = [=, &common] { return Pull(common, *model, *revision); }; });
}

}  // namespace dunnock::cli
