// The Hugging Face hub: which files of a repository make the model, and fetching them into the
// cache (docs/formats/cache.md).

#include <algorithm>

#include "base/json.h"
#include "base/str.h"
#include "hub/answers.h"
#include "hub/cache.h"
#include "hub/digest.h"
#include "hub/download.h"
#include "hub/sources.h"
#include "io/file.h"

namespace dunnock {
namespace {

bool IsWeights(std::string_view name, std::string_view stem, std::string_view extension) {
  // model.safetensors, model-00001-of-00003.safetensors
  return name.starts_with(stem) && name.ends_with(extension) &&
         (name.size() == stem.size() + extension.size() || name[stem.size()] == '-');
}

// Of a repository with many GGUF files the one that most people would take, or the first.
std::string ChooseGguf(const std::vector<std::string>& files) {
  std::string first;
  for (const char* wanted : {"q4_k_m", "q4_1", "q4_0", "q8_0", "f16", ""}) {
    for (const std::string& file : files) {
      std::string lower = file;
      for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
      if (lower.ends_with(".gguf") && lower.find(wanted) != std::string::npos) return file;
    }
  }
  return first;
}

constexpr std::string_view kConfigFiles[] = {"config.json",
                                             "generation_config.json",
                                             "modules.json",
                                             "sentence_bert_config.json",
                                             "config_sentence_transformers.json",
                                             "1_Pooling/config.json"};

// The small files by name, and one set of weights. Configurations come first: a wrong one shows
// before the long download.
std::vector<std::string> ChooseFiles(const std::vector<std::string>& all, ModelPart part) {
  const auto any = [&](std::string_view stem, std::string_view extension) {
    return std::any_of(all.begin(), all.end(),
                       [&](const std::string& f) { return IsWeights(f, stem, extension); });
  };
  const bool safetensors = any("model", ".safetensors");
  const bool pytorch = !safetensors && any("pytorch_model", ".bin");
  const std::string gguf = safetensors || pytorch ? "" : ChooseGguf(all);
  std::vector<std::string> out;
  for (const std::string& file : all) {
    const bool tokenizer = IsTokenizerFile(file);
    const bool weights =
        (safetensors &&
         (IsWeights(file, "model", ".safetensors") || file == "model.safetensors.index.json")) ||
        (pytorch &&
         (IsWeights(file, "pytorch_model", ".bin") || file == "pytorch_model.bin.index.json")) ||
        (!gguf.empty() && file == gguf);
    const bool config =
        std::find(std::begin(kConfigFiles), std::end(kConfigFiles), file) != std::end(kConfigFiles);
    if (tokenizer || (part == ModelPart::kAll && (weights || config))) out.push_back(file);
  }
  std::stable_sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
    return a.ends_with(".json") > b.ends_with(".json");
  });
  return out;
}

struct Listing {
  std::string commit;
  std::vector<std::string> files;  // of the whole repository
};

Result<Listing> ListRepository(HttpClient* client, const std::string& repo,
                               const std::string& revision, const HubOptions& options) {
  const std::string url = Str(options.endpoint, "/api/models/", repo, "/revision/", revision);
  HttpResponse answer;
  std::string at = url;
  for (int hop = 0; hop < 5; ++hop) {  // a renamed repository
    DUNNOCK_TRY(answer, SendPatiently(client,
                                      {.url = at,
                                       .token = TokenFor(at, options),
                                       .silence_s = options.etag_timeout_s},
                                      options));
    if (answer.status < 300 || answer.status >= 400) break;
    const std::string next = RedirectTarget(at, answer.Header("location"));
    if (next.empty())
      return Fail(ErrorCode::kNetwork, Str(url, ": refused to follow a redirect to \"",
                                           answer.Header("location"), "\""));
    at = next;
  }
  if (answer.status >= 400) return std::unexpected(RefusalOf(repo, answer));
  const auto no_hub = [&](const std::string& why) {
    return Fail(ErrorCode::kNetwork,
                Str(url, ": not a hub's answer: ", why, ": check HF_ENDPOINT, ",
                    "or whether a login page stands between"));
  };
  if (answer.status != 200) return no_hub(Str("status ", answer.status));
  const auto info = ParseJson(answer.body);
  if (!info) return no_hub(info.error().message);
  Listing out;
  out.commit = FindString(*info, "sha").value_or("");
  if (!IsCommit(out.commit)) return no_hub(Str("\"", out.commit, "\" is not a commit"));
  if (const Json* siblings = FindMember(*info, "siblings"); siblings && siblings->is_array()) {
    for (const Json& s : *siblings) out.files.push_back(FindString(s, "rfilename").value_or(""));
  }
  return out;
}

Status FetchFile(HttpClient* client, const std::string& repo, const std::string& commit,
                 const std::string& file, const HubOptions& options) {
  if (FileExists(SnapshotFolder(repo, commit, options) + "/" + file)) return {};
  const std::string page = Str(options.endpoint, "/", repo, "/resolve/", commit, "/", file);
  DUNNOCK_TRY(const RemoteFile remote, LocateFile(client, Str(repo, "/", file), page, options));
  const std::string blob = BlobPath(repo, remote.etag, options);
  DUNNOCK_TRY(const FileLock lock, LockBlob(repo, remote.etag, options));
  if (!FileExists(blob)) DUNNOCK_TRY_STATUS(DownloadFile(client, remote, blob, options));
  return LinkFile(repo, commit, file, remote.etag, options);
}

}  // namespace

Result<std::string> FetchFromHub(const std::string& repo, const std::string& revision,
                                 ModelPart part, const HubOptions& options) {
  const std::string wanted = revision.empty() ? "main" : revision;
  DUNNOCK_TRY(HttpClient client, HttpClient::Create());
  DUNNOCK_TRY(const Listing listing, ListRepository(&client, repo, wanted, options));
  const std::vector<std::string> files = ChooseFiles(listing.files, part);
  for (const std::string& file : files) {
    if (!IsSafePath(file)) return Invalid(Str(repo, ": refused the file name \"", file, "\""));
  }
  if (files.empty()) {
    return Fail(ErrorCode::kNotFound, Str(repo, ": none of its ", listing.files.size(),
                                          " files is one of a model that can be read here"));
  }
  TagCache(options);
  // Named first: whoever finds a part of them later knows that it is one.
  if (part == ModelPart::kAll)
    DUNNOCK_TRY_STATUS(WriteFileList(repo, listing.commit, files, options));
  for (const std::string& file : files)
    DUNNOCK_TRY_STATUS(FetchFile(&client, repo, listing.commit, file, options));
  DUNNOCK_TRY_STATUS(WriteRef(repo, wanted, listing.commit, options));
  return SnapshotFolder(repo, listing.commit, options);
}

}  // namespace dunnock
