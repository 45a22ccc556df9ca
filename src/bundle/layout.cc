#include "bundle/layout.h"

#include <algorithm>
#include <cstring>

#include "base/json.h"

namespace dunnock {

uint64_t BundleLayout::Add(std::string name, DType dtype, std::vector<uint64_t> shape,
                           uint64_t size_bytes) {
  if (const uint64_t hole = (kBundleAlignment - end_ % kBundleAlignment) % kBundleAlignment) {
    const std::string padding = "padding." + std::to_string(paddings_++);
    entries_.push_back({padding, DType::kU8, {hole}, end_, end_ + hole});
    end_ += hole;
  }
  const uint64_t begin = end_;
  end_ += size_bytes;
  entries_.push_back({std::move(name), dtype, std::move(shape), begin, end_});
  return begin;
}

std::string BundleLayout::Header(size_t least_bytes) const {
  OrderedJson json = {{"__metadata__", {{"format", "pt"}}}};
  for (const Entry& e : entries_) {
    json[e.name] = {
        {"dtype", InfoOf(e.dtype).name}, {"shape", e.shape}, {"data_offsets", {e.begin, e.end}}};
  }
  std::string text = DumpJson(json);
  const size_t least = std::max(least_bytes, sizeof(uint64_t) + text.size());
  const size_t whole = (least + kBundleAlignment - 1) / kBundleAlignment * kBundleAlignment;
  text.resize(whole - sizeof(uint64_t), ' ');
  const uint64_t size = text.size();
  std::string out(sizeof size, '\0');
  std::memcpy(out.data(), &size, sizeof size);
  return out + text;
}

}  // namespace dunnock
