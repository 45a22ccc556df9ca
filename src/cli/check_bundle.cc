#include "cli/check_bundle.h"

#include "base/str.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "pipeline/judging/verify.h"

namespace dunnock::cli {

Status CheckBundle(const Common& common, const FetchedModel& model) {
  const HubOptions options = common.hub();
  auto checked = CheckBeforeUse(model.path, options.package_dir + "/verified",
                                model.source != "local", options.progress);
  ClearProgressLine(common);
  if (!checked) return In(model.name, std::move(checked).error());
  for (const std::string& note : checked->notes) Note(common, Str(model.name, ": ", note));
  return {};
}

}  // namespace dunnock::cli
