#pragma once
// One file from a hub into the cache's blobs: several connections, a journal of what arrived, so
// that any later process goes on from there, and the right name only once the hash is right.

#include <string>

#include "hub/hub.h"
#include "hub/transfer/http.h"

namespace dunnock {

// A file as the hub announces it.
struct RemoteFile {
  std::string name;      // for messages: "org/name/model.safetensors"
  std::string page;      // the hub's own url of it, which a token may be sent to
  std::string location;  // where its bytes are: the page, or what it redirects to
  std::string etag;      // SHA-256, or git's blob id of a small file
  uint64_t size = 0;
};

// Asks the hub for a file's hash, size and place.
Result<RemoteFile> LocateFile(HttpClient* client, const std::string& name, const std::string& page,
                              const HubOptions& options);

// Fetches it to the path `blob`. The caller holds the blob's lock.
Status DownloadFile(HttpClient* client, const RemoteFile& file, const std::string& blob,
                    const HubOptions& options);

// The token, if a request to this url may carry it: the endpoint's own origin only, and never where
// it could be read on the way.
std::string TokenFor(const std::string& url, const HubOptions& options);

// Where an unfinished download of a blob keeps its bytes and its journal.
std::string PartialPath(const std::string& blob);
std::string JournalPath(const std::string& blob);

}  // namespace dunnock
