#include "cli/verbs/verbs.h"

namespace dunnock::cli {

std::unique_ptr<CLI::App> MakeProgram(Common& common, Action* action) {
  auto made = std::make_unique<CLI::App>(
      "Small language models: chat, complete, embed and search, natively.\n"
      "A MODEL is an id that `dunnock list` shows, a hub repository (org/name[@revision]),\n"
      "a folder, or a file (x.gguf). Behind a colon stands which of several GGUF files:\n"
      "org/name:Q4_K_M.",
      "dunnock");
  CLI::App& program = *made;
  program.require_subcommand(1);
  program.fallthrough(false);
  program.set_version_flag("--version", VersionText());
  program.footer(
      "Start with:  dunnock chat smollm2-135m-instruct\n"
      "One verb:    dunnock VERB --help");
  for (const auto add :
       {AddRun,      AddChat,    AddEmbed, AddSearch,   AddRerank,   AddPull,
        AddList,     AddShow,    AddRm,    AddCache,    AddTokenize, AddDetokenize,
        AddTemplate, AddLogits,  AddEval,  AddQuantize, AddVerify,   AddBuild,
        AddExport,   AddInspect, AddBench, AddDoctor,   AddVersion,  AddCompletion}) {
    add(program, common, action);
  }
  return made;
}

}  // namespace dunnock::cli
