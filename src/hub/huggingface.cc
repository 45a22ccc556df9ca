// The Hugging Face hub: file list, resolve with redirects, and the cache in huggingface_hub's
// layout: models--org--name/{refs/<revision>, blobs/<etag>, snapshots/<commit>/<file> ->
// ../../blobs/<etag>}.

#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "base/json.h"
#include "base/str.h"
#include "hub/http.h"
#include "hub/sources.h"
#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

bool IsWeights(std::string_view name, std::string_view stem, std::string_view extension) {
  // model.safetensors, model-00001-of-00003.safetensors
  return name.starts_with(stem) && name.ends_with(extension) &&
         (name.size() == stem.size() + extension.size() || name[stem.size()] == '-');
}

// Which files of a repository make the model: the small ones by name, and one set of weights.
std::vector<std::string> ChooseFiles(const std::vector<std::string>& all) {
  static constexpr std::string_view kSmall[] = {"config.json",
                                                "generation_config.json",
                                                "tokenizer.json",
                                                "tokenizer_config.json",
                                                "special_tokens_map.json",
                                                "added_tokens.json",
                                                "vocab.txt",
                                                "tokenizer.model",
                                                "sentencepiece.bpe.model",
                                                "chat_template.jinja",
                                                "modules.json",
                                                "sentence_bert_config.json",
                                                "config_sentence_transformers.json",
                                                "1_Pooling/config.json",
                                                "model.safetensors.index.json",
                                                "pytorch_model.bin.index.json"};
  const bool has_safetensors = std::any_of(all.begin(), all.end(), [](const std::string& f) {
    return IsWeights(f, "model", ".safetensors");
  });
  const bool has_pytorch = std::any_of(all.begin(), all.end(), [](const std::string& f) {
    return IsWeights(f, "pytorch_model", ".bin");
  });
  std::vector<std::string> out;
  for (const std::string& file : all) {
    const bool small = std::find(std::begin(kSmall), std::end(kSmall), file) != std::end(kSmall);
    const bool weights = has_safetensors ? IsWeights(file, "model", ".safetensors")
                         : has_pytorch   ? IsWeights(file, "pytorch_model", ".bin")
                                         : file.ends_with(".gguf");
    const bool unwanted_index = has_safetensors && file == "pytorch_model.bin.index.json";
    if ((small && !unwanted_index) || weights) out.push_back(file);
  }
  // Small files first: a wrong config shows before the long download.
  std::stable_sort(out.begin(), out.end(), [](const std::string& a, const std::string& b) {
    return a.ends_with(".json") > b.ends_with(".json");
  });
  return out;
}

// What a status code means to the user, with the hub's own words where it sends any.
std::unexpected<Error> Refused(const std::string& what, const HttpResponse& r) {
  const auto header = [&](const char* name) {
    const auto it = r.headers.find(name);
    return it == r.headers.end() ? std::string() : it->second;
  };
  const std::string code = header("x-error-code"), message = header("x-error-message");
  const std::string words = message.empty() ? "" : " (" + message + ")";
  if (code == "GatedRepo" || r.status == 403) {
    return Fail(ErrorCode::kNetwork,
                Str(what, ": access is restricted", words,
                    ": ask for it on the model's page, then set HF_TOKEN to a token of yours"));
  }
  if (r.status == 401) {
    return Fail(ErrorCode::kNetwork, Str(what, ": not authorized", words,
                                         ": check the name; for a private model set HF_TOKEN"));
  }
  if (r.status == 404) {
    return Fail(ErrorCode::kNotFound,
                Str(what, ": not found", words,
                    ": check the name and the revision; `dunnock list` shows what is known"));
  }
  if (r.status == 429) {
    const std::string wait = header("retry-after");
    return Fail(ErrorCode::kNetwork, Str(what, ": too many requests", words, ": wait ",
                                         wait.empty() ? "a minute" : wait + " s",
                                         ", or set HF_TOKEN for a higher limit"));
  }
  return Fail(ErrorCode::kNetwork,
              Str(what, ": the server answered ", r.status, words, ": try again later"));
}

std::string Hex(std::span<const uint8_t> bytes) {
  std::string out;
  for (const uint8_t b : bytes) {
    out += "0123456789abcdef"[b >> 4];
    out += "0123456789abcdef"[b & 15];
  }
  return out;
}

// A running digest of OpenSSL's.
class Digest {
 public:
  explicit Digest(const EVP_MD* kind) : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), kind, nullptr);
  }
  void Add(ByteSpan bytes) { EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()); }
  std::string Finish() {
    uint8_t out[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), out, &size);
    return Hex({out, size});
  }

 private:
  std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context_;
};

// The hub's etag is the SHA-256 of a large file, git's blob id of a small one.
Result<std::string> EtagOfFile(const std::string& path, size_t etag_size) {
  if (etag_size == 64) return Sha256OfFile(path);
  DUNNOCK_TRY(const Blob blob, MapFile(path));
  Digest digest(EVP_sha1());
  const std::string head = Str("blob ", blob.size());
  digest.Add(AsBytes(head));
  digest.Add(AsBytes(std::string_view("\0", 1)));
  digest.Add(blob.bytes());
  return digest.Finish();
}

// An etag becomes a file name: nothing but hexadecimal digits may pass.
bool IsEtag(std::string_view etag) {
  return (etag.size() == 40 || etag.size() == 64) &&
         std::all_of(etag.begin(), etag.end(),
                     [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}
bool IsSafePath(std::string_view name) {
  return !name.empty() && name.front() != '/' && name.find("..") == std::string_view::npos &&
         name.find('\\') == std::string_view::npos;
}

// Downloads url to blobs/<etag>, going on where an earlier attempt stopped.
Status DownloadBlob(const std::string& url, const std::string& blob, const std::string& etag,
                    const std::string& name, uint64_t size, const HubOptions& options) {
  const std::string partial = blob + ".incomplete";
  uint64_t have = FileSize(partial).value_or(0);
  if (have > size) {
    fs::remove(partial);
    have = 0;
  }
  if (const auto free = FreeDiskBytes(fs::path(blob).parent_path().string());
      free && *free < size - have) {
    return Fail(ErrorCode::kIo,
                Str(name, ": ", size - have, " more bytes are needed, ", *free,
                    " are free: make room, or choose another folder with --cache-dir"));
  }
  if (have < size) {
    std::FILE* file = std::fopen(partial.c_str(), "ab");
    if (file == nullptr) return Fail(ErrorCode::kIo, Str(partial, ": cannot write"));
    bool written = true;
    HttpRequest request;
    request.url = url;
    request.token = options.token;
    if (have > 0)
      request.headers = {Str("Range: bytes=", have, "-"), Str("If-Range: \"", etag, "\"")};
    request.on_status = [&](long status) {
      if (status != 200 || have == 0) return;  // the server sends all of it again
      written = ftruncate(fileno(file), 0) == 0;
      have = 0;
    };
    request.on_body = [&](std::string_view piece) {
      written = written && have + piece.size() <= size &&
                std::fwrite(piece.data(), 1, piece.size(), file) == piece.size();
      have += piece.size();
      if (options.progress) options.progress({name, have, size});
      return written;
    };
    const Result<HttpResponse> response = SendHttp(request);
    const bool closed = std::fflush(file) == 0 && fsync(fileno(file)) == 0;
    std::fclose(file);
    if (!written || !closed)
      return Fail(
          ErrorCode::kIo,
          Str(partial, ": cannot write: is the disk full, or did the file change? Pull again"));
    if (!response)
      return In(name + " (what arrived is kept: pull again to go on)", response.error());
    if (response->status != 200 && response->status != 206) return Refused(name, *response);
    if (have != size) {
      return Fail(ErrorCode::kNetwork,
                  Str(name, ": ", have, " of ", size, " bytes arrived: pull again to go on"));
    }
  }
  DUNNOCK_TRY(const std::string found, EtagOfFile(partial, etag.size()));
  if (found != etag) {
    fs::remove(partial);
    return Fail(ErrorCode::kInvalid, Str(name, ": the hash of what arrived is ", found,
                                         ", expected ", etag, ": nothing was kept, pull again"));
  }
  std::error_code error;
  fs::rename(partial, blob, error);
  if (error) return Fail(ErrorCode::kIo, Str(blob, ": cannot rename: ", error.message()));
  return {};
}

Status FetchFile(const std::string& repo, const std::string& commit, const std::string& file,
                 const HubOptions& options) {
  const std::string folder = RepoFolder(repo, options);
  const std::string link = Str(folder, "/snapshots/", commit, "/", file);
  if (FileExists(link)) return {};
  const std::string url = Str(options.endpoint, "/", repo, "/resolve/", commit, "/", file);
  DUNNOCK_TRY(const HttpResponse head, SendHttp({.url = url,
                                                 .headers = {"Accept-Encoding: identity"},
                                                 .token = options.token,
                                                 .head = true,
                                                 .follow_redirects = false,
                                                 .on_body = {},
                                                 .on_status = {}}));
  if (head.status >= 400) return Refused(Str(repo, "/", file), head);
  const auto header = [&](const char* linked, const char* plain) {
    auto it = head.headers.find(linked);
    if (it == head.headers.end()) it = head.headers.find(plain);
    return it == head.headers.end() ? std::string() : it->second;
  };
  std::string etag = header("x-linked-etag", "etag");
  if (etag.starts_with("W/")) etag.erase(0, 2);
  std::erase(etag, '"');
  const std::string size = header("x-linked-size", "content-length");
  if (!IsEtag(etag) || size.empty() || size.size() > 15 ||
      !std::all_of(size.begin(), size.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return Fail(ErrorCode::kNetwork,
                Str(url, ": the answer has no usable etag and size: is the endpoint a hub?"));
  }
  const std::string blob = Str(folder, "/blobs/", etag);
  DUNNOCK_TRY_STATUS(CreateFolders(folder + "/blobs"));
  DUNNOCK_TRY_STATUS(CreateFolders(fs::path(link).parent_path().string()));
  const std::string locks =
      Str(options.cache_dir, "/.locks/", fs::path(folder).filename().string());
  DUNNOCK_TRY_STATUS(CreateFolders(locks));
  DUNNOCK_TRY(const FileLock lock, FileLock::Acquire(Str(locks, "/", etag, ".lock")));
  if (!FileExists(blob))
    DUNNOCK_TRY_STATUS(DownloadBlob(url, blob, etag, file, std::stoull(size), options));
  std::error_code error;
  const fs::path target = fs::relative(blob, fs::path(link).parent_path(), error);
  fs::create_symlink(target, link, error);
  if (error && error != std::errc::file_exists)
    return Fail(ErrorCode::kIo, Str(link, ": cannot link: ", error.message()));
  return {};
}

}  // namespace

std::string RepoFolder(const std::string& repo, const HubOptions& options) {
  std::string name = repo;
  for (size_t at = 0; (at = name.find('/', at)) != std::string::npos;) name.replace(at, 1, "--");
  return Str(options.cache_dir, "/models--", name);
}

std::string FindSnapshot(const std::string& repo, const std::string& revision,
                         const HubOptions& options) {
  const std::string folder = RepoFolder(repo, options);
  std::string commit = revision.empty() ? "main" : revision;
  if (const auto ref = ReadTextFile(Str(folder, "/refs/", commit))) {
    commit = *ref;
    while (!commit.empty() && commit.back() <= ' ') commit.pop_back();
  }
  const std::string snapshot = Str(folder, "/snapshots/", commit);
  return IsSafePath(commit) && IsFolder(snapshot) ? snapshot : "";
}

Result<std::string> FetchFromHub(const std::string& repo, const std::string& revision,
                                 const HubOptions& options) {
  const std::string wanted = revision.empty() ? "main" : revision;
  const std::string url = Str(options.endpoint, "/api/models/", repo, "/revision/", wanted);
  DUNNOCK_TRY(
      const HttpResponse answer,
      SendHttp(
          {.url = url, .headers = {}, .token = options.token, .on_body = {}, .on_status = {}}));
  if (answer.status != 200) return Refused(repo, answer);
  auto info = ParseJson(answer.body);
  if (!info) return In(url, std::move(info).error());
  auto commit = RequiredString(*info, "sha");
  if (!commit) return In(url, std::move(commit).error());
  std::vector<std::string> names;
  if (const Json* siblings = FindMember(*info, "siblings")) {
    for (const Json& s : *siblings) names.push_back(FindString(s, "rfilename").value_or(""));
  }
  if (!IsEtag(*commit))
    return Fail(ErrorCode::kNetwork, Str(url, ": \"", *commit, "\" is not a commit"));
  const std::vector<std::string> files = ChooseFiles(names);
  if (files.empty())
    return Fail(ErrorCode::kNotFound,
                Str(repo, ": none of its ", names.size(), " files is one of a model"));
  for (const std::string& file : files) {
    if (!IsSafePath(file)) return Invalid(Str(repo, ": refused the file name \"", file, "\""));
    DUNNOCK_TRY_STATUS(FetchFile(repo, *commit, file, options));
  }
  // Last: only now is the revision complete.
  DUNNOCK_TRY_STATUS(
      WriteFileAtomically(Str(RepoFolder(repo, options), "/refs/", wanted), AsBytes(*commit)));
  return Str(RepoFolder(repo, options), "/snapshots/", *commit);
}

Result<std::string> Sha256OfFile(const std::string& path, const ProgressFn& progress) {
  DUNNOCK_TRY(const Blob blob, MapFile(path));
  Digest digest(EVP_sha256());
  constexpr size_t kPiece = 4 << 20;
  for (size_t at = 0; at < blob.size(); at += kPiece) {
    digest.Add(blob.bytes().subspan(at, std::min(kPiece, blob.size() - at)));
    if (progress)
      progress({"verifying " + fs::path(path).filename().string(),
                std::min(at + kPiece, blob.size()), blob.size()});
  }
  return digest.Finish();
}

}  // namespace dunnock
