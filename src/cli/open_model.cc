#include "cli/open_model.h"

#include <algorithm>
#include <filesystem>

#include "base/str.h"
#include "base/system/memory.h"
#include "catalogue/catalogue.h"
#include "cli/check_bundle.h"
#include "cli/input.h"
#include "cli/remedies.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "hub/cache/cached_models.h"
#include "io/file.h"
#include "kernels/target.h"
#include "pipeline/prepare.h"
#include "runtime/recommended.h"

namespace dunnock::cli {

Result<std::string> ReadChatTemplate(const std::string& name_or_file) {
  if (const auto named = NamedTemplate(name_or_file)) return *named;
  if (name_or_file == "-" || FileExists(name_or_file)) return ReadText(name_or_file);
  std::string names;
  for (const std::string& name : TemplateNames()) names += (names.empty() ? "" : ", ") + name;
  return Fail(ErrorCode::kNotFound,
              Str(name_or_file, ": neither a template file nor one of ", names));
}

namespace {

// The side files of a set that holds a GGUF file come out of its metadata.
Result<FileSet> WithoutGguf(const Common& common, FileSet files) {
  const bool gguf = std::any_of(files.begin(), files.end(),
                                [](const auto& file) { return file.first.ends_with(".gguf"); });
  if (!gguf) return files;
  DUNNOCK_TRY(Checkpoint checkpoint, OpenCheckpoint(files));
  for (const std::string& note : checkpoint.notes) Note(common, note);
  checkpoint.files["config.json"] =
      Blob::FromString(DumpJsonPretty(OrderedJson(checkpoint.config)) + "\n");
  return std::move(checkpoint.files);
}

Status TakeTokenizer(const Common& common, const std::string& from, const HubOptions& options,
                     FileSet* files) {
  DUNNOCK_TRY(const FetchedModel model, FetchModel(from, options, ModelPart::kSideFiles));
  DUNNOCK_TRY(FileSet all, OpenFetched(model));
  DUNNOCK_TRY(const FileSet theirs, WithoutGguf(common, std::move(all)));
  ReplaceTokenizer(theirs, files);
  return {};
}

}  // namespace

std::string PreparedName(const std::string& name) {
  const CatalogueEntry* const entry = FindInCatalogue(name);
  if (FileExists(name)) return std::filesystem::weakly_canonical(name).string();
  return entry != nullptr ? entry->id : name;
}

std::string PreparedFolder(const Common& common) { return common.hub().package_dir + "/prepared"; }

namespace {

// The model's files as a load left them in the cache, or as they are.
Result<FileSet> OpenForLoading(const Common& common, const FetchedModel& model, FileSet files) {
  DUNNOCK_TRY(const std::vector<CachedFile> on_disk, ListFiles(model));
  PrepareOptions options;
  options.folder = PreparedFolder(common);
  options.most_bytes = common.prepared_mb * 1'000'000;
  options.source_name = PreparedName(model.name);
  options.progress = ProgressLine(common);
  if (common.verbose) options.note = [&](const std::string& text) { Note(common, text); };
  auto opened = OpenPrepared(files, on_disk, options);
  if (!opened) return In(model.name, std::move(opened).error());
  std::optional<FileSet>& prepared = *opened;
  return prepared ? *std::move(prepared) : std::move(files);
}

}  // namespace

Result<FileSet> OpenModel(const Common& common, const std::string& name,
                          const CatalogueEntry** entry, ModelPart part, bool prepare) {
  const HubOptions options = common.hub();
  DUNNOCK_TRY(const FetchedModel model, FetchModel(name, options, part));
  if (part == ModelPart::kAll) DUNNOCK_TRY_STATUS(CheckBundle(common, model));
  DUNNOCK_TRY(FileSet files, OpenFetched(model));
  // Of the model's own files: a prepared model has a tokenizer only if one could be made.
  const std::string other = TokenizerSource(model, common.tokenizer, files);
  if (prepare) {
    DUNNOCK_TRY(files, OpenForLoading(common, model, std::move(files)));
  }
  AddKnownPrompts(model, &files);
  const Status completed = other.empty() ? Status{} : TakeTokenizer(common, other, options, &files);
  ClearProgressLine(common);
  if (model.entry != nullptr && (model.source == "hub" || model.source == "package")) {
    if (const std::string notice = LicenceNotice(*model.entry); !notice.empty())
      Note(common, notice);
  }
  if (!completed) {
    // Without a tokenizer a model still works on ids; one that was asked for has to come.
    if (!common.tokenizer.empty())
      return In(Str("--tokenizer: ", common.tokenizer), completed.error());
    Note(common, Str(model.name, " has no tokenizer of its own, that of ", other, ": ",
                     WithRemedy(completed.error())));
  }
  if (entry != nullptr) *entry = model.entry;
  return files;
}

Result<std::unique_ptr<Engine>> LoadEngine(const Common& common, const std::string& name) {
  if (!common.cpu.empty()) {
    if (const Status forced = ForceTarget(common.cpu); !forced) return In("--cpu", forced.error());
  }
  SetMemoryBudget(common.memory_mb * 1'000'000);
  EngineOptions options;
  options.compute = common.compute == "f32" ? Compute::kF32 : Compute::kAuto;
  options.pool = std::make_shared<ThreadPool>(common.threads == 0 ? ThreadPool::DefaultThreads()
                                                                  : common.threads);
  const CatalogueEntry* entry = nullptr;
  FileSet files;
  {
    const ThreadPool::Use use(*options.pool);
    DUNNOCK_TRY(
        files, OpenModel(common, name, &entry, ModelPart::kAll, options.compute == Compute::kAuto));
  }
  if (entry != nullptr) UseCatalogue(*entry, &options);
  if (!common.chat_template.empty()) {
    auto source = ReadChatTemplate(common.chat_template);
    if (!source) return In("--chat-template", std::move(source).error());
    options.chat_template = *std::move(source);
  }
  if (!common.kv_cache.empty()) {
    options.kv_cache = common.kv_cache == "f32"   ? KvEncoding::kF32
                       : common.kv_cache == "f16" ? KvEncoding::kF16
                                                  : KvEncoding::kInt8;
  }
  options.progress = ProgressLine(common);
  auto engine = Engine::Load(std::move(files), options);
  ClearProgressLine(common);
  if (!engine) return In(name, std::move(engine).error());
  for (const std::string& note : (*engine)->notes()) Note(common, note);
  return engine;
}

Result<FileSet> OpenSideFiles(const Common& common, const std::string& name,
                              const CatalogueEntry** entry) {
  DUNNOCK_TRY(FileSet files, OpenModel(common, name, entry, ModelPart::kSideFiles));
  auto side = WithoutGguf(common, std::move(files));
  if (!side) return In(name, std::move(side).error());
  return side;
}

Result<Tokenizer> OpenTokenizer(const Common& common, const std::string& name) {
  DUNNOCK_TRY(const FileSet files, OpenSideFiles(common, name));
  std::string type;
  if (const auto config = files.find("config.json"); config != files.end()) {
    const auto json = ParseJson(config->second.text());
    if (json) type = FindString(*json, "model_type").value_or("");
  }
  std::vector<std::string> notes;
  auto tokenizer = Tokenizer::FromFiles(files, &notes, type);
  for (const std::string& note : notes) Note(common, note);
  return tokenizer;
}

}  // namespace dunnock::cli
