#include <chrono>
#include <cstdio>

#include "base/str.h"
#include "catalogue/catalogue.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/interrupt.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "pipeline/export/export.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model, path, type = "q8_0";
  bool force = false, no_tokenizer = false;
};

OrderedJson ToJson(const Flags& flags, const ExportReport& report, double seconds) {
  OrderedJson types = OrderedJson::object();
  for (const auto& [name, of] : report.types) {
    types[name] = {{"tensors", of.tensors},
                   {"parameters", of.parameters},
                   {"copied_parameters", of.copied},
                   {"rms_relative_error", of.relative_error()}};
  }
  return {{"path", flags.path},
          {"source", flags.model},
          {"type", flags.type},
          {"file_bytes", report.file_bytes},
          {"parameters", report.parameters},
          {"types", types},
          {"notes", report.notes},
          {"seconds", seconds}};
}

void PrintReport(const Flags& flags, const ExportReport& report, double seconds) {
  const Colours& c = StdoutColours();
  char line[128];
  std::snprintf(line, sizeof line, "  %s, %.2f s\n", HumanBytes(report.file_bytes).c_str(),
                seconds);
  Print(Str(c.bold, flags.path, c.reset, line));
  for (const auto& [name, of] : report.types) {
    std::snprintf(line, sizeof line, "  %-5s %4llu tensors, %llu parameters", name.c_str(),
                  static_cast<unsigned long long>(of.tensors),
                  static_cast<unsigned long long>(of.parameters));
    std::string text = line;
    if (of.copied > 0) text += Str(", ", of.copied, " of them copied bit for bit");
    if (of.squares > 0) {
      std::snprintf(line, sizeof line, ", relative error of those rounded %.2g (root mean square)",
                    of.relative_error());
      text += line;
    }
    Print(text + "\n");
  }
}

Result<int> Run(const Common& common, const Flags& flags) {
  const auto start = std::chrono::steady_clock::now();
  ExportOptions options;
  const CatalogueEntry* entry = nullptr;
  DUNNOCK_TRY(const FileSet files, OpenModel(common, flags.model, &entry));
  if (entry != nullptr) options.fallback_template = entry->template_fallback;
  ThreadPool pool(common.threads == 0 ? ThreadPool::DefaultThreads() : common.threads);
  const ThreadPool::Use use(pool);
  const CancelScope cancel;
  options.type = ExportTypeNamed(flags.type).value();
  options.replace = flags.force;
  options.tokenizer = !flags.no_tokenizer;
  options.source_name = flags.model;
  options.progress = ProgressLine(common);
  options.cancel = &CancelScope::flag();
  auto report = ExportGguf(files, flags.path, options);
  ClearProgressLine(common);
  if (!report) return In(flags.model, std::move(report).error());
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  if (common.json) {
    PrintJson(ToJson(flags, *report, seconds));
    return 0;
  }
  for (const std::string& note : report->notes) Note(common, note);
  PrintReport(flags, *report, seconds);
  return 0;
}

}  // namespace

void AddExport(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("export", "Write a model as one GGUF file, which llama.cpp loads");
  auto flags = std::make_shared<Flags>();
  verb->add_option("MODEL,-m,--model", flags->model, "The model: a bundle or a checkpoint")
      ->required();
  verb->add_option("--gguf", flags->path, "File to create")->required()->type_name("FILE");
  verb->add_option("--type", flags->type,
                   "Of the matrices: f32, f16, q8_0, q4_0 or q4_1; with 4 bits the head has q8_0")
      ->check(CLI::IsMember({"f32", "f16", "q8_0", "q4_0", "q4_1"}))
      ->capture_default_str();
  verb->add_flag("--no-tokenizer", flags->no_tokenizer,
                 "Leave out the tokenizer: the file is run on token ids alone");
  verb->add_flag("--force", flags->force, "Replace an existing file");
  AddTokenizerFlag(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
