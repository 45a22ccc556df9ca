#include "pipeline/shard_writer.h"

#include "base/check.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

size_t PaddedRows(const Weight& form) { return form.panel_count() * kPanelRows; }
size_t ElementBytes(const PlannedTensor& t) { return InfoOf(t.dtype).block_bytes; }

}  // namespace

ShardWriter::ShardWriter(FileWriter& file, const std::vector<PlannedTensor>& plan) : file_(file) {
  for (const PlannedTensor& t : plan) {
    const std::string weight = t.name + ".weight";
    switch (t.kind) {
      case PlannedTensor::kMatrix:
        layout_.Add(weight, DType::kU8, {t.form.panel_count(), t.form.panel_bytes},
                    t.form.panel_count() * t.form.panel_bytes);
        if (t.form.has_row_scales()) AddFloats(t.name + ".scales", PaddedRows(t.form));
        if (t.bias != nullptr) AddFloats(t.name + ".bias", t.rows);
        break;
      case PlannedTensor::kTable:
        layout_.Add(weight, t.dtype, {t.rows, t.cols}, t.rows * t.cols * ElementBytes(t));
        break;
      case PlannedTensor::kVector:
        AddFloats(t.name, t.cols);
        break;
    }
  }
  header_ = layout_.Header();
}

Status ShardWriter::Write(const PlannedTensor& t, const Weight& packed) {
  switch (t.kind) {
    case PlannedTensor::kMatrix:
      return WriteMatrix(t, packed);
    case PlannedTensor::kTable:
      return WriteTable(t);
    case PlannedTensor::kVector:
      return WriteFloats(*t.source);
  }
  return {};
}

Status ShardWriter::Finish() {
  DUNNOCK_CHECK(file_.size() == file_bytes());
  return file_.Close();
}

void ShardWriter::AddFloats(std::string name, size_t count) {
  layout_.Add(std::move(name), DType::kF32, {count}, count * sizeof(float));
}

// Pads with zeros: the next tensor begins at a multiple of 64 bytes.
Status ShardWriter::Align() {
  const uint64_t past = file_.size() % kBundleAlignment;
  return past == 0 ? Status{} : file_.Append(std::vector<uint8_t>(kBundleAlignment - past, 0));
}

Status ShardWriter::Append(ByteSpan bytes) {
  DUNNOCK_TRY_STATUS(Align());
  return file_.Append(bytes);
}

Status ShardWriter::WriteMatrix(const PlannedTensor& t, const Weight& packed) {
  DUNNOCK_CHECK(packed.panels.size() == t.form.panel_count() * t.form.panel_bytes);
  DUNNOCK_TRY_STATUS(Append(packed.panels.bytes()));
  if (packed.has_row_scales()) DUNNOCK_TRY_STATUS(Append(packed.scales.bytes()));
  return t.bias == nullptr ? Status{} : WriteFloats(*t.bias);
}

Status ShardWriter::WriteFloats(const Tensor& source) {
  std::vector<float> values(source.cols());
  DUNNOCK_TRY_STATUS(DecodeRows(source, 0, 1, values));
  return Append({reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
}

Status ShardWriter::WriteTable(const PlannedTensor& t) {
  if (t.dtype == t.source->dtype) return Append(t.source->bytes);
  DUNNOCK_TRY_STATUS(Align());
  std::vector<float> row(t.cols);
  std::vector<uint8_t> block;
  for (size_t r = 0; r < t.rows; ++r) {
    DUNNOCK_TRY_STATUS(DecodeRows(*t.source, r, 1, row));
    for (const float v : row) {
      const uint16_t half = FloatToFloat16(v);
      const auto* bytes = t.dtype == DType::kF16 ? reinterpret_cast<const uint8_t*>(&half)
                                                 : reinterpret_cast<const uint8_t*>(&v);
      block.insert(block.end(), bytes, bytes + ElementBytes(t));
    }
    constexpr size_t kRowsAtOnce = 256;
    if ((r + 1) % kRowsAtOnce != 0 && r + 1 < t.rows) continue;
    DUNNOCK_TRY_STATUS(file_.Append(block));
    block.clear();
  }
  return {};
}

}  // namespace dunnock
