#pragma once
// ShardWriter: writes the tensors of a bundle's safetensors file from front to back, in the order
// of its plan. Their sizes are known beforehand, so the header comes first, and one tensor is in
// memory at a time.

#include <string>
#include <vector>

#include "base/result.h"
#include "bundle/layout.h"
#include "io/staged_folder.h"
#include "pipeline/plan.h"

namespace dunnock {

class ShardWriter {
 public:
  // `file` is empty and outlives the writer.
  ShardWriter(FileWriter& file, const std::vector<PlannedTensor>& plan);

  uint64_t file_bytes() const { return header_.size() + layout_.data_bytes(); }
  Status WriteHeader() { return file_.Append(AsBytes(header_)); }

  // The next tensor of the plan; `packed` has the form of a matrix, without its bias, and is not
  // looked at for anything else.
  Status Write(const PlannedTensor& t, const Weight& packed);

  Status Finish();

 private:
  void AddFloats(std::string name, size_t count);
  Status Align();
  Status Append(ByteSpan bytes);
  Status WriteMatrix(const PlannedTensor& t, const Weight& packed);
  Status WriteFloats(const Tensor& source);
  Status WriteTable(const PlannedTensor& t);

  FileWriter& file_;
  BundleLayout layout_;
  std::string header_;
};

}  // namespace dunnock
