#pragma once
// ShardWriter: writes the tensors of a bundle's safetensors file from front to back, in the order
// of its plan, with one tensor in memory at a time. The size of a coded matrix is known only once
// it is coded: room for the header is left at the front, and it is written last.

#include <string>
#include <vector>

#include "base/result.h"
#include "bundle/layout.h"
#include "bundle/manifest.h"
#include "io/staged_folder.h"
#include "pipeline/plan/plan.h"

namespace dunnock {

// What the shard of a plan takes beside the panels, codes and scales of matrices, or a little less.
uint64_t BytesBesideMatrices(const std::vector<PlannedTensor>& plan, Codec codec);

// What the panels or codes and the scales of a matrix take in a shard.
uint64_t CodedBytes(const Weight& weight, Codec codec);

class ShardWriter {
 public:
  // `file` is empty and outlives the writer.
  ShardWriter(FileWriter& file, const std::vector<PlannedTensor>& plan, Codec codec);

  // Of the whole file if nothing is coded: coding makes it smaller, as a rule.
  uint64_t raw_file_bytes() const { return raw_file_bytes_; }

  // Writes the header, or leaves room for it.
  Status Begin();
  // The next tensor of the plan; `packed` has the form of a matrix, without its bias, and is not
  // looked at for anything else.
  Status Write(const PlannedTensor& t, const Weight& packed);
  Status Finish();

 private:
  Status Add(const std::string& name, DType dtype, std::vector<uint64_t> shape, ByteSpan bytes);
  Status WriteMatrix(const PlannedTensor& t, const Weight& packed);
  Status WriteFloats(const std::string& name, const Tensor& source);
  Status WriteTable(const PlannedTensor& t);
  Status Align();

  FileWriter& file_;
  const Codec codec_;
  std::string header_;  // as Begin writes it
  uint64_t raw_file_bytes_ = 0;
  BundleLayout layout_;  // of what has been written
};

}  // namespace dunnock
