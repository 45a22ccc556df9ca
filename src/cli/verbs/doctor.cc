#include <unistd.h>

#include "base/str.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "hub/cache/cached_models.h"
#include "hub/hub.h"
#include "io/file.h"
#include "kernels/target.h"

namespace dunnock::cli {
namespace {

Result<int> Run(const Common& common) {
  const HubOptions hub = common.hub();
  struct Check {
    std::string name, found, advice;
    bool fine;
  };
  std::vector<Check> checks;
  std::string targets;
  for (const std::string& t : SupportedTargets()) targets += (targets.empty() ? "" : ", ") + t;
  const bool fast = SupportedTargets().front() == "avx512" ||
                    SupportedTargets().front() == "avx2" || SupportedTargets().front() == "neon";
  checks.push_back({"kernel targets", targets,
                    fast ? "" : "this CPU has neither AVX2 nor NEON: everything works, slowly",
                    fast});
  checks.push_back({"threads", Str(ThreadPool::DefaultThreads()), "", true});

  const bool writable =
      CreateFolders(hub.cache_dir).has_value() && access(hub.cache_dir.c_str(), W_OK) == 0;
  checks.push_back({"cache", hub.cache_dir,
                    writable ? "" : "not writable: set HF_HOME or --cache-dir to a folder of yours",
                    writable});
  if (writable) {
    const uint64_t free = FreeDiskBytes(hub.cache_dir).value_or(0);
    const bool enough = free > 1'000'000'000;
    checks.push_back({"free disk", HumanBytes(free),
                      enough ? "" : "less than 1 GB: larger models will not fit", enough});
  }
  DUNNOCK_TRY(const auto models, ListCached(hub));
  uint64_t bytes = 0;
  for (const CachedModel& m : models) bytes += m.size_bytes;
  checks.push_back({"cached models", Str(models.size(), ", ", HumanBytes(bytes)),
                    models.empty() ? "`dunnock pull smollm2-135m-instruct` fetches one" : "",
                    true});
  checks.push_back(
      {"network", hub.offline ? "off (--offline or HF_HUB_OFFLINE)" : hub.endpoint, "", true});
  checks.push_back({"token",
                    hub.token.empty() ? "none (only needed for gated and private models)" : "set",
                    "", true});

  bool all_fine = true;
  OrderedJson list = OrderedJson::array();
  const Colours& c = StdoutColours();
  for (const Check& check : checks) {
    all_fine = all_fine && check.fine;
    list.push_back({{"check", check.name},
                    {"found", check.found},
                    {"fine", check.fine},
                    {"advice", check.advice}});
    if (common.json) continue;
    std::string name = check.name;
    name.resize(16, ' ');
    Print(Str(check.fine ? c.green : c.bold, check.fine ? "ok  " : "!!  ", c.reset, name,
              check.found, "\n"));
    if (!check.advice.empty())
      Print(Str("                    ", c.dim, check.advice, c.reset, "\n"));
  }
  if (common.json) PrintJson({{"fine", all_fine}, {"checks", list}});
  return all_fine ? 0 : 1;
}

}  // namespace

void AddDoctor(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("doctor", "Check this machine: CPU, cache, disk, network settings");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [&common] { return Run(common); }; });
}

}  // namespace dunnock::cli
