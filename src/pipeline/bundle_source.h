#pragma once
// What follows from the name of a bundle's source and from what the catalogue knows of it: the
// format that suits it, and what its card and manifest say.

#include <string>

#include "catalogue/catalogue.h"
#include "catalogue/strategy.h"
#include "pipeline/quantize.h"

namespace dunnock {

struct ChosenFormat {
  QuantizeFormat format;
  std::string why;  // "for a browser, at most 500 million parameters"
};
// The format that catalogue/strategy.h recommends.
ChosenFormat FormatFor(uint64_t parameters, Target target);

// As the catalogue has it, else counted in the checkpoint. `entry` may be null. Errors: those of
// OpenCheckpoint.
Result<uint64_t> CountParameters(const FileSet& files, const CatalogueEntry* entry);

// Sets the options that name the source and its original: source_name, base_model, licence and
// fallback_template. `model` is the name that the user gave, `entry` may be null.
void DescribeSource(const std::string& model, const CatalogueEntry* entry,
                    QuantizeOptions* options);

}  // namespace dunnock
