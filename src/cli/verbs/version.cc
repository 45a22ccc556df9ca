#include "base/str.h"
#include "cli/terminal/output.h"
#include "cli/verbs/verbs.h"
#include "kernels/target.h"

namespace dunnock::cli {

std::string VersionText() {
#if defined(__clang__)
  const std::string compiler = Str("clang ", __clang_major__, ".", __clang_minor__);
#else
  const std::string compiler = Str("gcc ", __GNUC__, ".", __GNUC_MINOR__);
#endif
  return Str("dunnock ", DUNNOCK_VERSION, " (", CurrentTarget(), ", ", compiler, ")");
}

std::string_view VersionNumber() { return DUNNOCK_VERSION; }

void AddVersion(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("version", "Print the version and the CPU features in use");
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    *action = [&common]() -> Result<int> {
      if (common.json) {
        PrintJson({{"version", DUNNOCK_VERSION},
                   {"target", CurrentTarget()},
                   {"targets", SupportedTargets()}});
      } else {
        Print(VersionText() + "\n");
      }
      return 0;
    };
  });
}

}  // namespace dunnock::cli
