#pragma once
// Reads Python pickles without running them. A pickle is a program for a stack machine that may
// call anything; the machine here calls nothing. It builds a graph of plain nodes, knows only the
// opcodes and globals that a state dict needs, and refuses all others by name.
//
// Nodes refer to each other by index, and a hostile pickle can make a node contain itself: code
// that walks the nodes must not assume that they form a tree.

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"

namespace dunnock {

enum class PickleKind : uint8_t {
  kNone,
  kBool,
  kInt,    // in `integer` up to 64 bits; a larger one keeps its bytes in `text`
  kFloat,  // its value is not kept
  kString,
  kTuple,
  kList,
  kDict,     // items: key, value, key, value, ...; also an OrderedDict
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
  size_t size = 0;  // bytes up to and including the opcode STOP

  const PickleNode& operator[](uint32_t index) const { return nodes[index]; }
  const PickleNode& top() const { return nodes[root]; }
};

// Reads the pickle at the beginning of `bytes`, which must outlive the result. Errors: kInvalid for
// a broken pickle, kUnsupported for an opcode or global that is not known, kLimit for more than
// about a million nodes.
Result<Pickle> ReadPickle(ByteSpan bytes);

}  // namespace dunnock
