#pragma once
// BundleLayout: places the tensors of a bundle's safetensors file one after another, each at a
// multiple of 64 bytes of the file, so that the bytes can be multiplied as they are. The format
// allows no holes: tensors named "padding.N" fill them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tensor/dtype.h"

namespace dunnock {

inline constexpr size_t kBundleAlignment = 64;

class BundleLayout {
 public:
  // Places a tensor; returns its offset from the beginning of the data.
  uint64_t Add(std::string name, DType dtype, std::vector<uint64_t> shape, uint64_t size_bytes);

  uint64_t data_bytes() const { return end_; }
  // The file's header: its length, its JSON, and spaces up to a multiple of 64 bytes, at least
  // `least_bytes` of them together. The data follows it.
  std::string Header(size_t least_bytes = 0) const;

 private:
  struct Entry {
    std::string name;
    DType dtype;
    std::vector<uint64_t> shape;
    uint64_t begin, end;
  };
  std::vector<Entry> entries_;
  uint64_t end_ = 0;
  size_t paddings_ = 0;
};

}  // namespace dunnock
