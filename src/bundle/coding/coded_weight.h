#pragma once
// A weight as a coded shard of a bundle holds it (docs/formats/bundle.md): its codes as one coded
// matrix, what the groups have beside their codes as it is. Decoding gives the bytes of the panels
// back, every one of them.

#include <cstdint>
#include <memory>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "bundle/coding/codes.h"
#include "tensor/weight.h"
#include "tensor/weight_memory.h"

namespace dunnock {

// Whether a weight of this form has codes, and no more of them than can be coded.
bool CanBeCoded(const Weight& form);

CodesShape CodesShapeOf(const Weight& form);

// Bytes per panel of the scales, minimums and factors of groups, in the order in which the panel
// has them; 0 without groups.
size_t GroupBytesOf(const Weight& form);

struct CodedWeight {
  std::vector<uint8_t> codes;   // as EncodeCodes makes them
  std::vector<uint8_t> groups;  // (panels, GroupBytesOf)
};

// The padding of panels is not kept: its codes are 0, as in every weight that this program makes.
// The form is one that CanBeCoded.
CodedWeight EncodeWeight(const Weight& weight);

// A few bytes can stand for a matrix of equal codes of any size, so the memory that is taken has to
// be in proportion to the file: this adds up both.
class Expansion {
 public:
  void Add(const Weight& form, uint64_t coded_bytes);
  // kLimit if all weights together become more than 64 times as many bytes as their codes have, or
  // more than can be addressed. The codes of real weights shrink to a half at best.
  Status Check() const;

 private:
  uint64_t coded_ = 0, decoded_ = 0;
};

// Decodes the panels of one weight while the bytes of its codes arrive. For one thread at a time.
class WeightDecoder {
 public:
  // The memory for the panels is taken here: the caller has made sure that the file may hold so
  // many codes. Errors: those of CodeDecoder::Create. Throws OutOfMemory.
  static Result<WeightDecoder> Create(const Weight& form);

  // The next bytes of the codes. Errors: those of CodeDecoder::Feed.
  Status Feed(ByteSpan bytes);
  // Takes the groups (panels, GroupBytesOf), before or behind the codes.
  void PutGroups(ByteSpan groups);
  // The panels; the error of CodeDecoder::Finish if codes are missing.
  Result<Blob> Finish() const;

 private:
  WeightDecoder(const Weight& form, CodeDecoder codes);

  Weight form_;
  WeightMemory panels_;
  CodeDecoder codes_;
};

}  // namespace dunnock
