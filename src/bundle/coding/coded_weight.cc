#include "bundle/coding/coded_weight.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/str.h"
#include "bundle/coding/panels.h"

namespace dunnock {
namespace {

// Calls visit(offset, first column, columns) for each run of codes of a panel.
template <typename Visit>
void ForRuns(const Weight& form, const Visit& visit) {
  if (!form.is_grouped()) return visit(size_t{0}, size_t{0}, form.cols);
  const GroupedLayout layout(form);
  for (size_t k = 0; k < form.cols; k += form.group) {
    visit(k / form.block * layout.block_bytes + layout.head_bytes +
              k % form.block / form.group * layout.group_bytes + layout.factor_bytes,
          k, form.group);
  }
}

// Calls visit(offset, bytes) for each run of a panel that is no codes.
template <typename Visit>
void ForHeads(const Weight& form, const Visit& visit) {
  if (!form.is_grouped()) return;
  size_t end = 0;
  ForRuns(form, [&](size_t offset, size_t, size_t cols) {
    visit(end, offset - end);
    end = offset + cols * kPanelRows * CodeBits(form.encoding) / 8;
  });
}

size_t RowsOfPanel(const Weight& form, size_t panel) {
  return std::min(kPanelRows, form.rows - panel * kPanelRows);
}

}  // namespace

bool CanBeCoded(const Weight& form) {
  return form.encoding >= WeightEncoding::kInt8 && CheckCodesShape(CodesShapeOf(form)).has_value();
}

CodesShape CodesShapeOf(const Weight& form) {
  return {form.rows, form.cols, CodeBits(form.encoding)};
}

size_t GroupBytesOf(const Weight& form) {
  size_t bytes = 0;
  ForHeads(form, [&](size_t, size_t size) { bytes += size; });
  return bytes;
}

CodedWeight EncodeWeight(const Weight& weight) {
  DUNNOCK_CHECK(CanBeCoded(weight));
  const size_t bits = CodeBits(weight.encoding);
  CodedWeight out;
  std::vector<uint8_t> codes(weight.rows * weight.cols);
  for (size_t p = 0; p < weight.panel_count(); ++p) {
    const uint8_t* const panel = weight.panels.bytes().data() + p * weight.panel_bytes;
    ForRuns(weight, [&](size_t offset, size_t k, size_t cols) {
      GetPanelCodes(codes.data() + p * kPanelRows * weight.cols + k, weight.cols, bits,
                    panel + offset, RowsOfPanel(weight, p), cols);
    });
    ForHeads(weight, [&](size_t offset, size_t size) {
      out.groups.insert(out.groups.end(), panel + offset, panel + offset + size);
    });
  }
  out.codes = EncodeCodes(codes, CodesShapeOf(weight));
  return out;
}

void Expansion::Add(const Weight& form, uint64_t coded_bytes) {
  coded_ += coded_bytes;
  decoded_ += uint64_t{form.panel_count()} * form.panel_bytes;
}

Status Expansion::Check() const {
  constexpr uint64_t kMost = 64;
  if (decoded_ <= kMost * coded_ && decoded_ <= SIZE_MAX / 2) return {};
  return Fail(ErrorCode::kLimit,
              Str(coded_, " bytes of codes would become ", decoded_,
                  " bytes of weights: expected at most ", kMost, " times as many"));
}

Result<WeightDecoder> WeightDecoder::Create(const Weight& form) {
  DUNNOCK_TRY(CodeDecoder codes, CodeDecoder::Create(CodesShapeOf(form)));
  return WeightDecoder(form, std::move(codes));
}

WeightDecoder::WeightDecoder(const Weight& form, CodeDecoder codes)
    : form_(form), panels_(form.panel_count() * form.panel_bytes), codes_(std::move(codes)) {}

Status WeightDecoder::Feed(ByteSpan bytes) {
  const size_t bits = CodeBits(form_.encoding);
  // A chunk is made of whole panels, but for the last rows.
  return codes_.Feed(bytes, [&](size_t first_row, std::span<const uint8_t> codes) {
    for (size_t at = 0; at < codes.size(); at += kPanelRows * form_.cols) {
      const size_t p = first_row / kPanelRows + at / (kPanelRows * form_.cols);
      uint8_t* const panel = panels_.data() + p * form_.panel_bytes;
      ForRuns(form_, [&](size_t offset, size_t k, size_t cols) {
        PutPanelCodes(panel + offset, bits, codes.data() + at + k, form_.cols,
                      RowsOfPanel(form_, p), cols);
      });
    }
  });
}

void WeightDecoder::PutGroups(ByteSpan groups) {
  DUNNOCK_CHECK(groups.size() == form_.panel_count() * GroupBytesOf(form_));
  const uint8_t* from = groups.data();
  for (size_t p = 0; p < form_.panel_count(); ++p) {
    ForHeads(form_, [&](size_t offset, size_t size) {
      std::memcpy(panels_.data() + p * form_.panel_bytes + offset, from, size);
      from += size;
    });
  }
}

Result<Blob> WeightDecoder::Finish() const {
  DUNNOCK_TRY_STATUS(codes_.Finish());
  return panels_.ToBlob();
}

}  // namespace dunnock
