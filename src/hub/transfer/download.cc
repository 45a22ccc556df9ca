#include "hub/transfer/download.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>

#include "base/check.h"
#include "base/str.h"
#include "hub/cache/digest.h"
#include "hub/cache/journal.h"
#include "hub/transfer/answers.h"
#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kChanged = ": changed on the server while it was fetched: pull again";
constexpr size_t kConnections = 4;
constexpr uint64_t kSpanBytes = 16 * Journal::kPieceBytes;  // what one request asks for

Error NoRoom(const RemoteFile& file, const std::string& why) {
  return {ErrorCode::kIo, Str(file.name, ": no room on the disk: ", why, "; what arrived is kept"),
          Remedy::kOtherCache};
}

// The bytes of one file, on their way into the partial file and the journal.
class Download {
 public:
  Download(const RemoteFile& file, Journal journal, int descriptor, const HubOptions& options)
      : file_(file), journal_(std::move(journal)), descriptor_(descriptor), options_(options) {}

  // Spans until there are no more, or until one failed in a way that only waiting helps against.
  Status Run(HttpClient* client) {
    for (int attempt = 0; !journal_.complete();) {
      const uint64_t before = journal_.done_bytes();
      failure_.reset();
      client->SendAll(kConnections, [&] { return NextRequest(); });
      if (fatal_) return std::unexpected(*fatal_);
      if (journal_.done_bytes() > before) {
        attempt = 0;
        relocated_ = false;
      }
      if (!failure_) continue;  // complete, or on one connection from now on
      if (failure_->has_value() && IsGone((*failure_)->status)) {
        if (relocated_) return std::unexpected(Explain(*failure_));
        DUNNOCK_TRY_STATUS(Relocate(client));
        continue;
      }
      const auto seconds = SecondsToRetry(*failure_, attempt++);
      if (!seconds) return std::unexpected(Explain(*failure_));
      WaitToRetry(*seconds, file_.name, options_);
    }
    return {};
  }

 private:
  // A request on its way: the span it asked for, and the bytes that do not fill a piece yet.
  struct Span {
    uint64_t begin = 0, end = 0;
    uint64_t at = 0;  // where the next byte goes
    std::string piece;
    bool whole = false;  // all of the file, from a server that knows no ranges
    bool begun = false;
  };

  static bool IsGone(long status) { return status >= 400 && status < 500 && status != 429; }

  // The place of the bytes is lent for a while only: asks for it again, once.
  Status Relocate(HttpClient* client) {
    relocated_ = true;
    DUNNOCK_TRY(const RemoteFile now, LocateFile(client, file_.name, file_.page, options_));
    if (now.etag != file_.etag) return Fail(ErrorCode::kNetwork, Str(file_.name, kChanged));
    file_.location = now.location;
    return {};
  }

  std::optional<HttpRequest> NextRequest() {
    if (fatal_ || failure_ || journal_.complete()) return std::nullopt;
    if (whole_only_ && !running_.empty()) return std::nullopt;
    auto span = std::make_shared<Span>();
    span->whole = whole_only_;
    if (whole_only_) {
      span->end = file_.size;
    } else {
      const auto missing = FirstFree();
      if (!missing) return std::nullopt;
      span->begin = missing->begin;
      span->end = missing->end;
    }
    span->at = span->begin;
    running_[span->begin] = span->end;
    HttpRequest request{.url = file_.location, .token = TokenFor(file_.location, options_)};
    request.silence_s = options_.download_timeout_s;
    request.follow_redirects = request.token.empty();
    if (!whole_only_) {
      request.headers.push_back(Str("Range: bytes=", span->begin, "-", span->end - 1));
      if (!storage_etag_.empty()) request.headers.push_back("If-Range: " + storage_etag_);
    }
    request.on_body = [this, span](const HttpResponse& so_far, std::string_view bytes) {
      return TakeBytes(span.get(), so_far, bytes);
    };
    request.on_done = [this, span](const Result<HttpResponse>& outcome) {
      Finish(span.get(), outcome);
    };
    return request;
  }

  // The first missing bytes that no request is on its way for.
  std::optional<Journal::Span> FirstFree() const {
    for (uint64_t from = 0;;) {
      auto missing = journal_.Missing(from, kSpanBytes);
      if (!missing) return std::nullopt;
      bool taken = false;
      for (const auto& [begin, end] : running_) {
        if (missing->begin >= begin && missing->begin < end) {
          from = end;
          taken = true;
        } else if (begin > missing->begin) {
          missing->end = std::min(missing->end, begin);
        }
      }
      if (!taken) return missing;
    }
  }

  bool TakeBytes(Span* span, const HttpResponse& so_far, std::string_view bytes) {
    if (fatal_) return false;
    if (!span->begun && !Begin(*span, so_far)) return false;
    span->begun = true;
    if (bytes.size() > span->end - span->at - span->piece.size()) {
      SetFatal({ErrorCode::kNetwork, Str(file_.name, ": more came than the ", file_.size,
                                         " bytes that were announced: pull again")});
      return false;
    }
    while (!bytes.empty()) {
      // Pieces end on multiples of their size, wherever a span began.
      const uint64_t border =
          std::min((span->at / Journal::kPieceBytes + 1) * Journal::kPieceBytes, span->end);
      const size_t take = std::min<size_t>(bytes.size(), border - span->at - span->piece.size());
      span->piece.append(bytes.substr(0, take));
      bytes.remove_prefix(take);
      if (span->at + span->piece.size() == border && !Flush(span)) return false;
    }
    return true;
  }

  // The first bytes of an answer: are they the ones that were asked for?
  bool Begin(const Span& span, const HttpResponse& answer) {
    if (answer.status == 206) {
      const std::string expected = Str("bytes ", span.begin, "-", span.end - 1, "/", file_.size);
      const std::string found = answer.Header("content-range");
      if (found != expected) {
        SetFatal({ErrorCode::kNetwork, Str(file_.name, ": the server sent \"", found, "\" for \"",
                                           expected, "\": it may have changed there: pull again")});
        return false;
      }
      if (storage_etag_.empty() && answer.Header("etag").starts_with('"'))
        storage_etag_ = answer.Header("etag");
      return true;
    }
    if (!storage_etag_.empty() && answer.Header("etag") != storage_etag_) {
      SetFatal({ErrorCode::kNetwork, Str(file_.name, kChanged)});
      return false;
    }
    if (span.whole || (span.begin == 0 && span.end == file_.size)) return true;
    whole_only_ = true;  // this server knows no ranges: all of it, once
    return false;
  }

  bool Flush(Span* span) {
    const ByteSpan bytes = AsBytes(span->piece);
    for (size_t done = 0; done < bytes.size();) {
      const ssize_t n = pwrite(descriptor_, bytes.data() + done, bytes.size() - done,
                               static_cast<off_t>(span->at + done));
      if (n < 0 && errno == EINTR) continue;
      if (n <= 0) {
        SetFatal(NoRoom(file_, std::strerror(n < 0 ? errno : ENOSPC)));
        return false;
      }
      done += static_cast<size_t>(n);
    }
    if (const Status added = journal_.Add(span->at, bytes); !added) {
      SetFatal(NoRoom(file_, added.error().message));
      return false;
    }
    span->at += bytes.size();
    span->piece.clear();
    if (options_.progress) options_.progress({file_.name, journal_.done_bytes(), file_.size});
    return true;
  }

  void Finish(Span* span, const Result<HttpResponse>& outcome) {
    running_.erase(span->begin);
    if (!fatal_ && !span->piece.empty()) Flush(span);  // what a cut connection left
    if (fatal_ || span->at == span->end) return;
    if (whole_only_ && !span->whole) return;
    failure_ = outcome;
    if (outcome && outcome->status < 400)
      failure_ = Fail(ErrorCode::kNetwork, Str("the server ended the answer after ", span->at,
                                               " of ", file_.size, " bytes"));
  }

  Error Explain(const Result<HttpResponse>& outcome) const {
    if (outcome) return RefusalOf(Str(file_.name, " at ", OriginOf(file_.location)), *outcome);
    return {ErrorCode::kNetwork, Str(file_.name, ": ", outcome.error().message,
                                     " (what arrived is kept: pull again to go on)")};
  }
  void SetFatal(Error error) {
    if (!fatal_) fatal_ = std::move(error);
  }

  RemoteFile file_;
  Journal journal_;
  const int descriptor_;
  const HubOptions& options_;
  std::map<uint64_t, uint64_t> running_;  // begin -> end of what is on its way
  std::string storage_etag_;              // the storage's own name of this version
  bool whole_only_ = false;
  bool relocated_ = false;
  std::optional<Result<HttpResponse>> failure_;  // may pass
  std::optional<Error> fatal_;                   // will not
};

bool IsNumber(std::string_view text) {
  return !text.empty() && text.size() <= 15 &&
         text.find_first_not_of("0123456789") == std::string_view::npos;
}

}  // namespace

std::string PartialPath(const std::string& blob) { return blob + ".dunnock.incomplete"; }
std::string JournalPath(const std::string& blob) { return blob + ".dunnock.journal"; }

std::string TokenFor(const std::string& url, const HubOptions& options) {
  const std::string origin = OriginOf(url);
  const bool may = !origin.empty() && origin == OriginOf(options.endpoint) && !SendsInClear(url);
  return may ? options.token : "";
}

Result<RemoteFile> LocateFile(HttpClient* client, const std::string& name, const std::string& page,
                              const HubOptions& options) {
  constexpr int kMostRedirects = 5;
  std::string url = page;
  for (int hop = 0; hop <= kMostRedirects; ++hop) {
    DUNNOCK_TRY(const HttpResponse head, SendPatiently(client,
                                                       {.url = url,
                                                        .headers = {"Accept-Encoding: identity"},
                                                        .token = TokenFor(url, options),
                                                        .head = true,
                                                        .silence_s = options.etag_timeout_s},
                                                       options));
    if (head.status >= 400) return std::unexpected(RefusalOf(name, head));
    std::string next = url;
    if (head.status >= 300) {
      next = RedirectTarget(url, head.Header("location"));
      if (next.empty()) {
        return Fail(ErrorCode::kNetwork, Str(name, ": refused to follow a redirect to \"",
                                             head.Header("location"), "\""));
      }
    }
    // Within the hub a redirect means a new name; away from it, the place of the bytes.
    std::string etag = head.Header("x-linked-etag"), size = head.Header("x-linked-size");
    if (etag.empty() && head.status < 300) etag = head.Header("etag");
    if (size.empty() && head.status < 300) size = head.Header("content-length");
    if (head.status >= 300 && (etag.empty() || size.empty())) {
      url = next;
      continue;
    }
    if (etag.starts_with("W/")) etag.erase(0, 2);
    std::erase(etag, '"');
    if (!IsEtag(etag) || !IsNumber(size)) {
      return Fail(ErrorCode::kNetwork,
                  Str(name, ": the answer has no usable etag and size (\"", etag.substr(0, 80),
                      "\", \"", size.substr(0, 20), "\"): is ", options.endpoint, " a hub?"));
    }
    return RemoteFile{name, url, next, etag, std::stoull(size)};
  }
  return Fail(ErrorCode::kNetwork, Str(name, ": more than ", kMostRedirects, " redirects"));
}

Status DownloadFile(HttpClient* client, const RemoteFile& file, const std::string& blob,
                    const HubOptions& options) {
  const std::string partial = PartialPath(blob), journal_path = JournalPath(blob);
  DUNNOCK_TRY(Journal journal, Journal::Open(journal_path, partial, file.etag, file.size));
  const uint64_t left = file.size - journal.done_bytes();
  if (const auto free = FreeDiskBytes(fs::path(blob).parent_path().string());
      free && *free < left) {
    return std::unexpected(NoRoom(file, Str(left, " more bytes are needed, ", *free, " are free")));
  }
  {
    const int descriptor = open(partial.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (descriptor < 0)
      return Fail(ErrorCode::kIo, Str(partial, ": cannot write: ", std::strerror(errno)));
    Download download(file, std::move(journal), descriptor, options);
    const Status fetched = download.Run(client);
    const bool synced = fsync(descriptor) == 0;
    const int error = errno;
    close(descriptor);
    if (!fetched) return fetched;
    if (!synced) return std::unexpected(NoRoom(file, std::strerror(error)));
  }
  const ProgressFn verifying = [&](Progress progress) {
    progress.stage = "verifying " + file.name;
    if (options.progress) options.progress(progress);
  };
  DUNNOCK_TRY(const std::string found, EtagOfFile(partial, file.etag.size(), verifying));
  std::error_code ignored;
  fs::remove(journal_path, ignored);
  if (found != file.etag) {
    fs::remove(partial, ignored);
    return Invalid(Str(file.name, ": the hash of what arrived is ", found, ", expected ", file.etag,
                       ": nothing was kept, pull again"));
  }
  return RenameDurably(partial, blob);
}

}  // namespace dunnock
