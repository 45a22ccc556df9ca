// From config.json to one forward pass: the input is config.json up to the first zero byte, then
// values of weights, repeated as often as needed. Whatever config makes a model gets tensors of the
// shapes that the model asks for, and has to run: no number of a config may reach a kernel that was
// not made for it.

#include <algorithm>
#include <numeric>
#include <span>
#include <vector>

#include "base/check.h"
#include "models/forward.h"

namespace dunnock {
namespace {

constexpr uint64_t kMostValues = 1 << 18;  // larger models are only made
constexpr size_t kMostTokens = 5;

// Collects what a model is made of, as float32 tensors of these bytes.
class Maker final : public WeightVisitor {
 public:
  explicit Maker(ByteSpan values) : values_(values) {}

  void Linear(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias,
              RowSlice slice) override {
    Add(name + ".weight", {slice.total == 0 ? rows : slice.total, cols});
    if (bias == Bias::kYes) Add(name + ".bias", {rows});
  }
  void Vector(const std::string& name, std::vector<float>*, size_t size) override {
    Add(name, {size});
  }
  void Embedding(const std::string& name, Table*, size_t rows, size_t cols) override {
    Add(name + ".weight", {rows, cols});
  }

  bool too_large() const { return total_ > kMostValues; }
  Checkpoint checkpoint;

 private:
  void Add(const std::string& name, std::vector<uint64_t> shape) {
    const uint64_t count =
        std::accumulate(shape.begin(), shape.end(), uint64_t{1}, std::multiplies<>());
    total_ += count;
    if (too_large() || checkpoint.tensors.contains(name)) return;
    std::vector<uint8_t> bytes(count * sizeof(float));
    for (size_t i = 0; i < bytes.size(); ++i)
      bytes[i] = values_.empty() ? 0 : values_[(i + at_) % values_.size()];
    at_ += 7;
    checkpoint.storage.push_back(Blob::FromVector(std::move(bytes)));
    checkpoint.tensors[name] = {DType::kF32, std::move(shape), checkpoint.storage.back().bytes()};
  }

  ByteSpan values_;
  uint64_t total_ = 0;
  size_t at_ = 0;
};

void Run(const Model& model) {
  const ModelInfo& info = model.info();
  const size_t n = std::min(kMostTokens, info.context_length);
  std::vector<int32_t> ids;
  for (size_t i = 0; i < n; ++i)
    ids.push_back(static_cast<int32_t>((info.vocab_size - 1) * i / kMostTokens));
  for (const KvEncoding encoding : {KvEncoding::kInt8, KvEncoding::kF16, KvEncoding::kF32}) {
    KvCache cache(info.kv, n, encoding);
    BatchBuilder batch;
    batch.Add(cache, ids);
    std::vector<float> hidden(n * info.hidden_size);
    Scratch scratch;
    const Rows rows{hidden.data(), n, info.hidden_size};
    Forward(model, rows, batch.batch(), scratch);
    std::vector<float> out(std::max(info.vocab_size, info.labels));
    if (info.causal) model.Logits({out.data(), 1, info.vocab_size}, rows.Part(0, 1));
    if (info.labels > 0) model.Classify({out.data(), 1, info.labels}, rows.Part(0, 1), scratch);
  }
}

}  // namespace
}  // namespace dunnock

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace dunnock;
  const uint8_t* const zero = std::find(data, data + size, uint8_t{0});
  const auto config = ParseJson(AsText({data, zero}));
  if (!config || !config->is_object()) return 0;
  std::vector<std::string> notes;
  const auto model = MakeModel(*config, &notes);
  if (!model) {
    DUNNOCK_CHECK(!model.error().message.empty());
    return 0;
  }
  const uint8_t* const values = std::min(zero + 1, data + size);
  Maker maker({values, data + size});
  (*model)->VisitWeights(maker);
  if (maker.too_large()) return 0;
  maker.checkpoint.config = *config;
  for (const Compute compute : {Compute::kAuto, Compute::kF32}) {
    const auto loaded = LoadModel(maker.checkpoint, {.compute = compute});
    if (!loaded) {
      DUNNOCK_CHECK(!loaded.error().message.empty());
      continue;
    }
    Run(**loaded);
  }
  return 0;
}
