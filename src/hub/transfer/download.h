#pragma once
// Downloads one file from a hub to the cache's blobs, over several connections. A journal says what
// has arrived, so that a later process can continue; the file gets its final name only once its
// hash is right.

#include <string>

#include "hub/hub.h"
#include "hub/transfer/http.h"

namespace dunnock {

// A file as the hub announces it.
struct RemoteFile {
  std::string name;      // for messages: "org/name/model.safetensors"
  std::string page;      // its URL at the hub, to which a token may be sent
  std::string location;  // the URL of its bytes: the page, or what it redirects to
  std::string etag;      // its SHA-256, or for a small file git's blob id
  uint64_t size = 0;
};

// Asks the hub for a file's hash, size and location. kNotFound or kNetwork (answers.h).
Result<RemoteFile> LocateFile(HttpClient* client, const std::string& name, const std::string& page,
                              const HubOptions& options);

// Fetches the file to the path `blob`. The caller holds the blob's lock (LockBlob). Errors:
// kNetwork if the connection fails for good, kIo if the file cannot be written; what has arrived is
// then kept for the next call. kInvalid if the content has the wrong hash; then nothing is kept.
Status DownloadFile(HttpClient* client, const RemoteFile& file, const std::string& blob,
                    const HubOptions& options);

// The token, if it may be sent to this URL: only to the endpoint's own origin, and never where it
// could be read on the way (SendsInClear). Otherwise an empty string.
std::string TokenFor(const std::string& url, const HubOptions& options);

// The files in which an unfinished download of a blob keeps its bytes and its journal.
std::string PartialPath(const std::string& blob);
std::string JournalPath(const std::string& blob);

}  // namespace dunnock
