#include "pipeline/plan/shard_writer.h"

#include "base/check.h"
#include "base/str.h"
#include "bundle/coding/coded_weight.h"
#include "tensor/float16.h"

namespace dunnock {
namespace {

size_t PaddedRows(const Weight& form) { return form.panel_count() * kPanelRows; }
size_t ElementBytes(const PlannedTensor& t) { return InfoOf(t.dtype).block_bytes; }

bool IsCoded(const Weight& form, Codec codec) { return codec == Codec::kRans && CanBeCoded(form); }

// Where every tensor would lie. With Codec::kRans the header of the real file is not longer: here
// coded matrices have the most bytes that they can have, and behind each tensor is the entry of a
// padding.
BundleLayout LayoutOf(const std::vector<PlannedTensor>& plan, Codec codec) {
  BundleLayout layout;
  size_t bounds = 0;
  const auto add = [&](const std::string& name, DType dtype, std::vector<uint64_t> shape) {
    uint64_t size = InfoOf(dtype).block_bytes;
    for (const uint64_t n : shape) size *= n;
    layout.Add(name, dtype, std::move(shape), size);
    if (codec == Codec::kRans) layout.Add(Str("padding.bound.", bounds++), DType::kU8, {1}, 1);
  };
  for (const PlannedTensor& t : plan) {
    const Weight& form = t.form;
    switch (t.kind) {
      case PlannedTensor::kMatrix:
        if (IsCoded(form, codec)) {
          add(t.name + ".codes", DType::kU8, {MostCodedBytes(CodesShapeOf(form))});
          if (form.is_grouped())
            add(t.name + ".groups", DType::kU8, {form.panel_count(), GroupBytesOf(form)});
        } else {
          add(t.name + ".weight", DType::kU8, {form.panel_count(), form.panel_bytes});
        }
        if (form.has_row_scales()) add(t.name + ".scales", DType::kF32, {PaddedRows(form)});
        if (t.bias != nullptr) add(t.name + ".bias", DType::kF32, {t.rows});
        break;
      case PlannedTensor::kTable:
        add(t.name + ".weight", t.dtype, {t.rows, t.cols});
        break;
      case PlannedTensor::kStoredTable:
        add(t.name + ".table", DType::kU8, {t.rows, t.source->bytes.size() / t.rows});
        break;
      case PlannedTensor::kVector:
        add(t.name, DType::kF32, {t.cols});
        break;
    }
  }
  return layout;
}

}  // namespace

uint64_t BytesBesideMatrices(const std::vector<PlannedTensor>& plan, Codec codec) {
  uint64_t bytes = LayoutOf(plan, codec).Header().size();
  for (const PlannedTensor& t : plan) {
    bytes += kBundleAlignment;
    if (t.bias != nullptr) bytes += t.rows * sizeof(float);
    if (t.kind == PlannedTensor::kVector) bytes += t.cols * sizeof(float);
    if (t.kind == PlannedTensor::kTable) bytes += t.rows * t.cols * ElementBytes(t);
    if (t.kind == PlannedTensor::kStoredTable) bytes += t.source->bytes.size();
  }
  return bytes;
}

uint64_t CodedBytes(const Weight& weight, Codec codec) {
  if (!IsCoded(weight, codec)) return weight.panels.size() + weight.scales.size();
  const CodedWeight coded = EncodeWeight(weight);
  return coded.codes.size() + coded.groups.size() + weight.scales.size();
}

ShardWriter::ShardWriter(FileWriter& file, const std::vector<PlannedTensor>& plan, Codec codec)
    : file_(file), codec_(codec) {
  const BundleLayout raw = LayoutOf(plan, Codec::kRaw);
  header_ = (codec == Codec::kRaw ? raw : LayoutOf(plan, codec)).Header();
  if (codec != Codec::kRaw) header_.assign(header_.size(), ' ');
  raw_file_bytes_ = header_.size() + raw.data_bytes();
}

Status ShardWriter::Begin() { return file_.Append(AsBytes(header_)); }

Status ShardWriter::Write(const PlannedTensor& t, const Weight& packed) {
  switch (t.kind) {
    case PlannedTensor::kMatrix:
      return WriteMatrix(t, packed);
    case PlannedTensor::kTable:
      return WriteTable(t);
    case PlannedTensor::kStoredTable:
      return Add(t.name + ".table", DType::kU8, {t.rows, t.source->bytes.size() / t.rows},
                 t.source->bytes);
    case PlannedTensor::kVector:
      return WriteFloats(t.name, *t.source);
  }
  return {};
}

Status ShardWriter::Finish() {
  const std::string header = layout_.Header(header_.size());
  DUNNOCK_CHECK(header.size() == header_.size());
  DUNNOCK_CHECK(file_.size() == header_.size() + layout_.data_bytes());
  if (header != header_) DUNNOCK_TRY_STATUS(file_.Overwrite(0, AsBytes(header)));
  return file_.Close();
}

// Pads with zeros: the next tensor begins at a multiple of 64 bytes.
Status ShardWriter::Align() {
  const uint64_t past = file_.size() % kBundleAlignment;
  return past == 0 ? Status{} : file_.Append(std::vector<uint8_t>(kBundleAlignment - past, 0));
}

Status ShardWriter::Add(const std::string& name, DType dtype, std::vector<uint64_t> shape,
                        ByteSpan bytes) {
  layout_.Add(name, dtype, std::move(shape), bytes.size());
  DUNNOCK_TRY_STATUS(Align());
  return file_.Append(bytes);
}

Status ShardWriter::WriteMatrix(const PlannedTensor& t, const Weight& packed) {
  const Weight& form = t.form;
  DUNNOCK_CHECK(packed.panels.size() == form.panel_count() * form.panel_bytes);
  if (IsCoded(form, codec_)) {
    const CodedWeight coded = EncodeWeight(packed);
    DUNNOCK_TRY_STATUS(Add(t.name + ".codes", DType::kU8, {coded.codes.size()}, coded.codes));
    if (form.is_grouped()) {
      DUNNOCK_TRY_STATUS(Add(t.name + ".groups", DType::kU8,
                             {form.panel_count(), GroupBytesOf(form)}, coded.groups));
    }
  } else {
    DUNNOCK_TRY_STATUS(Add(t.name + ".weight", DType::kU8, {form.panel_count(), form.panel_bytes},
                           packed.panels.bytes()));
  }
  if (form.has_row_scales()) {
    DUNNOCK_TRY_STATUS(
        Add(t.name + ".scales", DType::kF32, {PaddedRows(form)}, packed.scales.bytes()));
  }
  return t.bias == nullptr ? Status{} : WriteFloats(t.name + ".bias", *t.bias);
}

Status ShardWriter::WriteFloats(const std::string& name, const Tensor& source) {
  std::vector<float> values(source.cols());
  DUNNOCK_TRY_STATUS(DecodeRows(source, 0, 1, values));
  return Add(name, DType::kF32, {values.size()},
             {reinterpret_cast<const uint8_t*>(values.data()), values.size() * sizeof(float)});
}

Status ShardWriter::WriteTable(const PlannedTensor& t) {
  const std::string name = t.name + ".weight";
  if (t.dtype == t.source->dtype) return Add(name, t.dtype, {t.rows, t.cols}, t.source->bytes);
  layout_.Add(name, t.dtype, {t.rows, t.cols}, t.rows * t.cols * ElementBytes(t));
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
