#include "runtime/bits.h"

#include <algorithm>

#include "base/str.h"
#include "base/system/memory.h"
#include "models/forward.h"
#include "runtime/checksum.h"

namespace dunnock {
namespace {

using Texts = std::vector<std::vector<int32_t>>;

// The ids in the middle of a batch of their own rotations, some of them shorter.
Texts MakeBatch(std::span<const int32_t> ids, size_t batch, size_t own) {
  Texts texts(batch, {ids.begin(), ids.end()});
  for (size_t i = 0; i < batch; ++i) {
    if (i == own) continue;
    std::vector<int32_t>& text = texts[i];
    std::rotate(text.begin(), text.begin() + static_cast<std::ptrdiff_t>((i + 1) % text.size()),
                text.end());
    text.resize(std::max<size_t>(text.size() - std::min(text.size(), i % 3), 1));
  }
  return texts;
}

Result<uint64_t> ChecksumOrThrow(const Engine& engine, std::span<const int32_t> ids,
                                 const BitsOptions& options) {
  const ModelInfo& info = engine.model().info();
  DUNNOCK_TRY_STATUS(engine.CheckIds(ids));
  if (ids.size() > info.context_length)
    return Fail(ErrorCode::kLimit,
                Str(ids.size(), " tokens were given, the model has ", info.context_length));
  if (options.batch == 0 || options.split >= ids.size())
    return Invalid("bits: expected a batch of 1 or more and a split inside the ids");
  if (options.split > 0 && !info.causal)
    return Unsupported("bits: an encoder reads a text in one pass");

  const ThreadPool::Use use(engine.pool());
  const size_t own = options.batch / 2;
  const Texts texts = MakeBatch(ids, options.batch, own);
  std::vector<KvCache> caches;
  for (size_t i = 0; i < texts.size(); ++i)
    caches.emplace_back(info.kv, info.context_length, engine.kv_cache());

  uint64_t checksum = 0;
  Scratch scratch;
  const auto run = [&](size_t begin, size_t end) {
    BatchBuilder batch;
    size_t first = 0;  // our row
    for (size_t i = 0; i < texts.size(); ++i) {
      if (i == own) first = batch.tokens();
      const size_t stop = std::min(end, texts[i].size());
      if (begin < stop) batch.Add(caches[i], std::span(texts[i]).subspan(begin, stop - begin));
    }
    std::vector<float> hidden(batch.tokens() * info.hidden_size);
    const Rows rows{hidden.data(), batch.tokens(), info.hidden_size};
    Forward(engine.model(), rows, batch.batch(), scratch);
    batch.Commit();
    const ConstRows ours = rows.Part(first, first + end - begin);
    if (!info.causal) {
      checksum = FoldChecksum(checksum, {ours.data, ours.size()});
      return;
    }
    std::vector<float> logits(ours.count * info.vocab_size);
    engine.model().Logits({logits.data(), ours.count, info.vocab_size}, ours);
    for (size_t i = 0; i < ours.count; ++i)
      checksum = FoldChecksum(checksum, {logits.data() + i * info.vocab_size, info.vocab_size});
  };
  if (options.split > 0) run(0, options.split);
  run(options.split, ids.size());
  return checksum;
}

}  // namespace

Result<uint64_t> ChecksumBits(const Engine& engine, std::span<const int32_t> ids,
                              const BitsOptions& options) {
  return CatchOutOfMemory([&] { return ChecksumOrThrow(engine, ids, options); });
}

}  // namespace dunnock
