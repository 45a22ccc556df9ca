#pragma once
// The architectures of GGUF that are translated: how the names of tensors and keys of metadata
// correspond to Hugging Face's. One table, used by the reader (gguf.h) and the writer (export.h).

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dunnock {

struct GgufRenaming {
  std::string_view ggml, hugging_face;  // without ".weight", ".bias" and the layer's prefix
  // 0: the whole tensor; 1 and 2: the upper and the lower half of the rows of Hugging Face's.
  uint8_t half = 0;
};

struct GgufArchitecture {
  std::string_view name;  // general.architecture, and what the metadata's keys begin with
  std::string_view model_type, hugging_face;  // config.json's model_type, and its architecture
  std::span<const GgufRenaming> top, layer;   // names of tensors, outside of layers and in them
  std::string_view layer_prefix;
  // The rows of the q and k of a head are pairs of neighbours to be rotated, where Hugging Face has
  // the first halves of all pairs, then the second.
  bool neighbours_rotate;
  // Numbers that both have: the key behind "NAME.", and that of config.json.
  std::span<const GgufRenaming> sizes;
};

// nullptr: not one of those.
const GgufArchitecture* FindGgufArchitecture(std::string_view name);
const GgufArchitecture* FindGgufArchitectureOf(std::string_view model_type);
std::string KnownGgufArchitectures();  // "llama", "smollm3", ...

struct TranslatedName {
  std::string name;
  uint8_t half = 0;  // of Hugging Face's tensor, as in GgufRenaming
};
// "blk.7.attn_q.weight" -> "model.layers.7.self_attn.q_proj.weight"; nullopt when it is unknown.
std::optional<TranslatedName> ToHuggingFace(const GgufArchitecture& architecture,
                                            std::string_view ggml);
// The other way round. A tensor of which GGUF has two halves is asked for by half.
std::optional<std::string> ToGgml(const GgufArchitecture& architecture,
                                  std::string_view hugging_face, uint8_t half);

// Where neighbours_rotate: the row of a matrix in Hugging Face's order that is `row` in GGUF's, and
// the other way round. GGUF rotates the rows (2i, 2i + 1) of a head, Hugging Face (i, i + d/2).
inline uint64_t HalfSplitRow(uint64_t row, uint64_t head_dim) {
  const uint64_t within = row % head_dim;
  return row - within + within / 2 + within % 2 * (head_dim / 2);
}
inline uint64_t NeighbourRow(uint64_t row, uint64_t head_dim) {
  const uint64_t within = row % head_dim;
  return row - within + within % (head_dim / 2) * 2 + within / (head_dim / 2);
}

// bert.pooling_type, by number; what sentence-transformers calls it. None has no name.
inline constexpr std::string_view kGgufPoolings[] = {"", "mean", "cls", "lasttoken"};
inline constexpr uint32_t kGgufRank = 4;  // a reranker's

}  // namespace dunnock
