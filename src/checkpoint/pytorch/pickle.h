#pragma once
// A pickle is a program for a stack machine that may call anything. This machine calls nothing: it
// builds an inert tree, knows only the opcodes and globals that a state dict needs, and refuses all
// others by name.
//
// Nodes refer to each other by index, so a pickle whose memo refers to itself is a cycle of
// numbers: whoever walks the tree must not assume it ends.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInt,    // up to 64 bits; a larger one keeps its bytes in text
  kFloat,  // its value is not kept
  kString,
  kTuple,
  kList,
  kDict,     // items: key, value, key, value, ...; an OrderedDict, too
  kGlobal,   // text: "torch FloatStorage"
  kStorage,  // items: of the persistent id, ("storage", type, key, location, count, ...)
  kTensor,   // items: arguments of _rebuild_tensor_v2: (storage, offset, size, stride, ...)
};

std::string_view NameOf(PickleKind kind);

struct PickleNode {
  PickleKind kind = PickleKind::kNone;
  int64_t integer = 0;
  std::string_view text;  // points into the pickle
  std::vector<uint32_t> items;
};

struct Pickle {
  std::vector<PickleNode> nodes;
  uint32_t root = 0;
  size_t size = 0;  // bytes up to and with STOP

  const PickleNode& operator[](uint32_t index) const { return nodes[index]; }
  const PickleNode& top() const { return nodes[root]; }
};

Result<Pickle> ReadPickle(ByteSpan bytes);

}  // namespace dunnock
