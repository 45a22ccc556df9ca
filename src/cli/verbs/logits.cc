#include <algorithm>
#include <numeric>

#include "base/str.h"
#include "cli/input.h"
#include "cli/open_model.h"
#include "cli/terminal/output.h"
#include "cli/verbs/verbs.h"
#include "kernels/norm.h"
#include "runtime/checksum.h"
#include "runtime/session.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, ids, prompt;
  size_t top = 8;
  bool all = false;
};

OrderedJson TopOf(std::span<const float> logits, size_t top) {
  std::vector<int32_t> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  top = std::min(top, order.size());
  const auto value = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(top), order.end(),
      [&](int32_t a, int32_t b) { return value(a) > value(b) || (value(a) == value(b) && a < b); });
  order.resize(top);
  std::vector<float> values;
  for (const int32_t id : order) values.push_back(value(id));
  return {{"top_ids", order}, {"top_logits", values}, {"logsumexp", LogSumExp(logits)}};
}

Result<int> Run(const Common& common, const Flags& flags) {
  DUNNOCK_TRY(const auto engine, LoadEngine(common, flags.model));
  DUNNOCK_TRY(Session session, Session::Create(*engine));
  DUNNOCK_TRY(const std::vector<int32_t> ids,
              flags.ids.empty() ? engine->EncodeText(flags.prompt) : ParseIds(flags.ids));
  uint64_t checksum = 0;
  const size_t first = flags.all || ids.empty() ? 0 : ids.size() - 1;
  OrderedJson last, list = OrderedJson::array();
  DUNNOCK_TRY_STATUS(
      session.EachLogits(ids, first, [&](size_t position, std::span<const float> logits) {
        checksum = FoldChecksum(checksum, logits);
        last = TopOf(logits, flags.top);
        if (!flags.all) return;
        last["position"] = position;
        if (common.json) {
          list.push_back(std::move(last));
        } else if (position + 1 < ids.size()) {
          PrintJson(last);
        }
      }));
  if (flags.all && common.json) last = {{"positions", std::move(list)}};
  last["checksum"] = HexChecksum(checksum);
  PrintJson(last);
  return 0;
}

}  // namespace

void AddLogits(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("logits", "Show the logits of the token that follows a text");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  verb->add_option("--ids", flags->ids, "The text as token ids: 1,2,3");
  verb->add_option("-p,--prompt", flags->prompt, "The text");
  verb->add_option("--top", flags->top, "Number of most likely tokens to show")
      ->capture_default_str();
  verb->add_flag("--all", flags->all,
                 "Show them after every token: one object per line, or with --json one list "
                 "(default: after the "
                 "last token only)");
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] {
    if (flags->ids.empty() == flags->prompt.empty())
      throw CLI::ValidationError("expected --ids or --prompt, one of them");
    *action = [=, &common] { return Run(common, *flags); };
  });
}

}  // namespace dunnock::cli
