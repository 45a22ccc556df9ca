#pragma once
// README.md of a bundle: its model card, with the front matter that the Hugging Face hub reads,
// tables of what the report says, and how the bundle is used.

#include <string>

#include "pipeline/report.h"

namespace dunnock {

struct CardOptions {
  std::string base_model;  // repository on the hub; empty: not known
  std::string licence;     // as the hub spells it; empty: not known
  bool picture = false;    // quality.svg lies beside the card
};

std::string ModelCard(const BundleFacts& facts, const CardOptions& options);

}  // namespace dunnock
