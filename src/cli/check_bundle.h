#pragma once
// Looking at a bundle before it is used.

#include "cli/flags/flags.h"
#include "hub/hub.h"

namespace dunnock::cli {

// Where the model is a bundle: compares its files with their hashes before their first use
// (pipeline/judging/verify.h), and says what differs.
Status CheckBundle(const Common& common, const FetchedModel& model);

}  // namespace dunnock::cli
