#pragma once
// FinishBundle: all of a bundle that comes after its weights: judging it beside the original, the
// gate, side files, proof, report, picture, model card and manifest.

#include "checkpoint/checkpoint.h"
#include "io/staged_folder.h"
#include "pipeline/quantize.h"

namespace dunnock {

inline const std::string kShardName = "model.safetensors";

// `staged` holds kShardName; `report` says what is in it, and gets the rest. If the bundle misses
// the gate and options.write_missed is false, report->written becomes false and the folder is not
// complete. Errors: kIo; kCancelled; those of Engine::Load and Evaluate.
Status FinishBundle(const FileSet& source, const Checkpoint& checkpoint,
                    const QuantizeOptions& options, const StagedFolder& staged,
                    QuantizeReport* report);

}  // namespace dunnock
