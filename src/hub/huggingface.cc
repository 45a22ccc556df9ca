// The Hugging Face hub: which files of a repository make the model, and fetching them into the
// cache (docs/formats/cache.md).

#include "base/json.h"
#include "base/str.h"
#include "hub/cache/cache.h"
#include "hub/choose_files.h"
#include "hub/sources.h"
#include "hub/transfer/answers.h"
#include "hub/transfer/download.h"
#include "io/file.h"

namespace dunnock {
namespace {

struct Listing {
  std::string commit;
  std::vector<std::string> files;  // of the whole repository
};

Result<Listing> ListRepository(HttpClient* client, const std::string& repo,
                               const std::string& revision, const HubOptions& options) {
  const std::string url =
      Str(options.endpoint, "/api/models/", repo, "/revision/", EncodeSegment(revision));
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
  const std::string place = Str(SnapshotFolder(repo, commit, options), "/", file);
  if (FileExists(place)) return {};
  const std::string page =
      Str(options.endpoint, "/", repo, "/resolve/", commit, "/", EncodePath(file));
  DUNNOCK_TRY(const RemoteFile remote, LocateFile(client, Str(repo, "/", file), page, options));
  const std::string blob = BlobPath(repo, remote.etag, options);
  DUNNOCK_TRY(const FileLock lock, LockBlob(repo, remote.etag, options));
  if (FileExists(place)) return {};  // another process was faster
  if (!FileExists(blob)) DUNNOCK_TRY_STATUS(DownloadFile(client, remote, blob, options));
  return LinkFile(repo, commit, file, remote.etag, options);
}

}  // namespace

Result<std::string> FetchFromHub(const std::string& repo, const std::string& revision,
                                 const std::string& gguf_part, ModelPart part,
                                 const HubOptions& options) {
  DUNNOCK_TRY_STATUS(options.Check());
  if (!options.token.empty() && SendsInClear(options.endpoint) && options.note) {
    options.note(Str("the token is not sent to ", options.endpoint,
                     ": anyone on the way could read it: use https"));
  }
  const std::string wanted = revision.empty() ? "main" : revision;
  DUNNOCK_TRY(HttpClient client, HttpClient::Create());
  DUNNOCK_TRY(const Listing listing, ListRepository(&client, repo, wanted, options));
  const auto chosen = ChooseFiles(listing.files, part, gguf_part);
  if (!chosen) return In(repo, chosen.error());
  for (const std::string& file : *chosen) {
    if (!IsSafePath(file)) return Invalid(Str(repo, ": refused the file name \"", file, "\""));
  }
  if (chosen->empty()) {
    return Fail(ErrorCode::kNotFound, Str(repo, ": none of its ", listing.files.size(),
                                          " files is one of a model that can be read here"));
  }
  TagCache(options);
  // Named first: whoever finds a part of them later knows that it is one.
  DUNNOCK_TRY_STATUS(AddToFileList(repo, listing.commit, *chosen, listing.files, options));
  for (const std::string& file : *chosen)
    DUNNOCK_TRY_STATUS(FetchFile(&client, repo, listing.commit, file, options));
  DUNNOCK_TRY_STATUS(WriteRef(repo, wanted, listing.commit, options));
  return listing.commit;
}

}  // namespace dunnock
