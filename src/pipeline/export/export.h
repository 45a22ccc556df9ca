#pragma once
// Export: writes a model as one GGUF file that llama.cpp loads (docs/formats/gguf.md). One tensor
// is in memory at a time, and the file appears complete or not at all.

#include <atomic>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/progress.h"
#include "base/result.h"
#include "tensor/dtype.h"

namespace dunnock {

// The type of a name as the command line has it: "f32", "f16", "q8_0", "q4_0", "q4_1".
std::optional<DType> ExportTypeNamed(std::string_view name);
inline constexpr std::string_view kExportTypes[] = {"f32", "f16", "q8_0", "q4_0", "q4_1"};

struct ExportOptions {
  // Of the matrices. With 4 bits the head has Q8_0, because it decides between tokens by small
  // differences. Vectors and an encoder's tables of positions and of token types are F32, and
  // matrices whose rows are no whole blocks F16.
  DType type = DType::kQ8_0;
  bool replace = false;                // replace a file that is there already
  bool tokenizer = true;               // false: write none
  std::string source_name;             // for general.name
  std::string fallback_template = {};  // the chat template to write if the model has none
  ProgressFn progress = {};
  const std::atomic<bool>* cancel = nullptr;  // another thread may set it to true
};

struct ExportReport {
  struct OfType {
    uint64_t tensors = 0, parameters = 0;
    uint64_t copied = 0;                    // parameters whose blocks are the source's own
    double error_squares = 0, squares = 0;  // sums over what was not copied
    double relative_error() const;          // root mean square; 0 where all was copied
  };
  std::map<std::string, OfType> types;  // by name, "Q8_0"
  uint64_t parameters = 0;
  uint64_t file_bytes = 0;
  std::vector<std::string> notes;
};

// Writes the checkpoint or bundle in `source` to the file `path`, on ThreadPool::Current(). A row
// that the source holds in the type that is asked for is copied bit for bit; all others are decoded
// and rounded as llama.cpp rounds. Errors: kIo if the file exists and may not be replaced, or
// cannot be written; kUnsupported for what GGUF or llama.cpp cannot express; kInvalid for a value
// that is not finite or does not fit the type; kCancelled; kMemory; and those of OpenCheckpoint,
// OpenBundle and MakeModel. After an error nothing is left on the disk.
Result<ExportReport> ExportGguf(const FileSet& source, const std::string& path,
                                const ExportOptions& options);

}  // namespace dunnock
