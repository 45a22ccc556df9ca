#include "pipeline/sizes/sensitivity.h"

#include <algorithm>
#include <memory>

#include "base/check.h"
#include "base/str.h"
#include "kernels/norm.h"
#include "models/forward.h"
#include "models/loading/loader.h"
#include "pipeline/plan/nearest.h"

namespace dunnock {
namespace {

constexpr size_t kSequences = 8, kSequenceTokens = 128;  // of the text
constexpr size_t kLogitsEvery = 4;                       // tokens between two that are predicted
constexpr size_t kMostParts = 6;                         // runs of layers that are told apart

// The matrices of one part of a model, in their order.
class MatrixNames final : public WeightVisitor {
 public:
  void Linear(const std::string& name, Weight*, size_t rows, size_t, Bias,
              RowSlice slice) override {
    names.push_back(PackedName(name, rows, slice));
  }
  void Vector(const std::string&, std::vector<float>*, size_t) override {}
  void Embedding(const std::string& name, Table*, size_t, size_t) override {
    names.push_back(name);
  }
  std::vector<std::string> names;
};

// Matrices that are rounded together, of the layers [first_layer, end_layer), or, where these are
// none, of what precedes and follows all layers.
struct Group {
  std::vector<const PlannedTensor*> matrices;
  size_t first_layer = 0, end_layer = 0;

  size_t parameters() const {
    size_t sum = 0;
    for (const PlannedTensor* t : matrices) sum += t->rows * t->cols;
    return sum;
  }
};

class Probe {
 public:
  Probe(const Checkpoint& checkpoint, const std::vector<PlannedTensor>& plan,
        const SensitivityOptions& options, std::unique_ptr<Model> model)
      : checkpoint_(checkpoint), options_(options), model_(std::move(model)) {
    for (const PlannedTensor& t : plan) {
      if (t.kind == PlannedTensor::kMatrix) plan_.emplace(t.name, &t);
    }
    const size_t count = std::min(kSequences, options.sequences.size());
    for (size_t i = 0; i < count; ++i) {
      const auto& ids = options.sequences[i * options.sequences.size() / count];
      const size_t size = std::min(kSequenceTokens, ids.size());
      sequences_.emplace_back(ids.begin(), ids.begin() + static_cast<ptrdiff_t>(size));
      tokens_ += size;
    }
    const ModelInfo& info = model_->info();
    for (const auto& ids : sequences_) caches_.emplace_back(info.kv, ids.size(), KvEncoding::kInt8);
    hidden_ = ReserveRows(hidden_memory_, tokens_, info.hidden_size);
    MakeGroups();
  }

  Result<std::map<std::string, double>> Run() {
    for (const auto& [name, t] : plan_) {
      DUNNOCK_TRY_STATUS(CheckCancel());
      DUNNOCK_TRY(Weight rounded, RoundedToInt8(*t));
      original_.emplace(name, std::move(rounded));
    }
    std::vector<std::string> notes;  // said when the checkpoint is planned
    DUNNOCK_TRY_STATUS(
        LoadWeights(*model_, checkpoint_, {.packed = &original_, .packed_tables = true}, &notes));
    reference_ = Outputs(0, true);
    std::map<std::string, double> out;
    for (size_t i = 0; i < groups_.size(); ++i) {
      const Group& group = groups_[i];
      if (options_.progress)
        options_.progress({"measuring sensitivity", static_cast<uint64_t>(i), groups_.size()});
      DUNNOCK_TRY(const double loss, LossOf(group));
      const double parameters = static_cast<double>(group.parameters());
      for (const PlannedTensor* t : group.matrices)
        out[t->name] = loss * static_cast<double>(t->rows * t->cols) / parameters;
    }
    return out;
  }

 private:
  Status CheckCancel() const {
    if (options_.cancel == nullptr || !options_.cancel->load()) return {};
    return Fail(ErrorCode::kCancelled, "interrupted: nothing was written");
  }

  void MakeGroups() {
    const size_t layers = model_->info().layers;
    const size_t parts = std::min(kMostParts, layers);
    for (size_t part = 0; part < parts; ++part) {
      const size_t begin = part * layers / parts, end = (part + 1) * layers / parts;
      starts_.push_back(begin);
      std::vector<Group> of_part;
      for (size_t layer = begin; layer < end; ++layer) {
        MatrixNames found;
        model_->VisitLayer(layer, found);
        of_part.resize(std::max(of_part.size(), found.names.size()));
        for (size_t i = 0; i < found.names.size(); ++i) {
          of_part[i].first_layer = begin;
          of_part[i].end_layer = end;
          of_part[i].matrices.push_back(plan_.at(found.names[i]));
        }
      }
      groups_.insert(groups_.end(), of_part.begin(), of_part.end());
    }
    MatrixNames ends;
    model_->VisitFirst(ends);
    model_->VisitLast(ends);
    std::sort(ends.names.begin(), ends.names.end());
    ends.names.erase(std::unique(ends.names.begin(), ends.names.end()), ends.names.end());
    for (const std::string& name : ends.names) {
      if (const auto found = plan_.find(name); found != plan_.end())
        groups_.push_back({.matrices = {found->second}});
    }
  }

  // Loads what the group has matrices of, from `packed`.
  Status Load(const Group& group, const std::map<std::string, Weight>& packed) {
    if (group.end_layer == 0)
      return LoadEnds(*model_, checkpoint_, {.packed = &packed, .packed_tables = true});
    for (size_t layer = group.first_layer; layer < group.end_layer; ++layer)
      DUNNOCK_TRY_STATUS(LoadLayer(*model_, layer, checkpoint_, {.packed = &packed}));
    return {};
  }

  Result<double> LossOf(const Group& group) {
    std::map<std::string, Weight> packed = original_;
    for (const PlannedTensor* t : group.matrices) {
      DUNNOCK_TRY_STATUS(CheckCancel());
      PlannedTensor rough = *t;
      SetRowForm(&rough, WeightEncoding::kInt4, {});
      DUNNOCK_TRY(Weight rounded, RoundedToNearest(rough));
      DUNNOCK_TRY_STATUS(AddBias(rough, &rounded));
      packed[t->name] = std::move(rounded);
    }
    DUNNOCK_TRY_STATUS(Load(group, packed));
    const std::vector<float> outputs = Outputs(group.first_layer, false);
    DUNNOCK_TRY_STATUS(Load(group, original_));
    return model_->info().causal ? Divergence(outputs) : SquaredError(outputs);
  }

  // The outputs of the model as it is now, from a layer on that begins a part: logits of every
  // fourth token, or all hidden states of an encoder. `keeps` the inputs of the parts.
  std::vector<float> Outputs(size_t first_layer, bool keeps) {
    builder_.Clear();
    for (size_t i = 0; i < sequences_.size(); ++i) builder_.Add(caches_[i], sequences_[i]);
    const Batch batch = builder_.batch();
    const Pass pass{hidden_, batch, scratch_};
    model_->Embed(pass);
    for (size_t layer = first_layer; layer < model_->info().layers; ++layer) {
      const bool begins = std::ranges::find(starts_, layer) != starts_.end();
      if (begins && keeps) inputs_[layer].assign(pass.x.data, pass.x.data + pass.x.size());
      if (layer == first_layer && layer > 0) std::ranges::copy(inputs_.at(layer), pass.x.data);
      model_->RunLayer(layer, pass);
    }
    model_->Finish(pass);
    const ModelInfo& info = model_->info();
    if (!info.causal) return {pass.x.data, pass.x.data + pass.x.size()};
    std::vector<float> some;
    for (size_t i = kLogitsEvery - 1; i < tokens_; i += kLogitsEvery)
      some.insert(some.end(), pass.x[i], pass.x[i] + info.hidden_size);
    const size_t rows = some.size() / info.hidden_size;
    std::vector<float> logits(rows * info.vocab_size);
    model_->Logits({logits.data(), rows, info.vocab_size}, {some.data(), rows, info.hidden_size});
    return logits;
  }

  // The mean of sum_i p_i ln(p_i / q_i), p the reference's.
  double Divergence(const std::vector<float>& logits) const {
    const size_t size = model_->info().vocab_size, rows = logits.size() / size;
    double sum = 0;
    std::vector<float> p(size);
    for (size_t r = 0; r < rows; ++r) {
      const std::span<const float> a(&reference_[r * size], size), b(&logits[r * size], size);
      const double a_total = LogSumExp(a), b_total = LogSumExp(b);
      std::ranges::copy(a, p.begin());
      Softmax(p);
      for (size_t i = 0; i < size; ++i) sum += p[i] * ((a[i] - a_total) - (b[i] - b_total));
    }
    return std::max(0.0, sum / static_cast<double>(std::max<size_t>(rows, 1)));
  }

  double SquaredError(const std::vector<float>& states) const {
    double error = 0, square = 0;
    for (size_t i = 0; i < states.size(); ++i) {
      const double d = double{states[i]} - reference_[i];
      error += d * d;
      square += double{reference_[i]} * reference_[i];
    }
    return square > 0 ? error / square : 0;
  }

  const Checkpoint& checkpoint_;
  const SensitivityOptions& options_;
  const std::unique_ptr<Model> model_;
  std::map<std::string, const PlannedTensor*> plan_;
  std::vector<Group> groups_;
  std::vector<size_t> starts_;  // the first layer of each part
  std::map<std::string, Weight> original_;

  std::vector<std::vector<int32_t>> sequences_;
  size_t tokens_ = 0;
  BatchBuilder builder_;
  std::vector<KvCache> caches_;
  Scratch scratch_;
  AlignedBuffer hidden_memory_;
  Rows hidden_;
  std::map<size_t, std::vector<float>> inputs_;  // of the layers that begin a part
  std::vector<float> reference_;
};

}  // namespace

Result<std::map<std::string, double>> MeasureSensitivity(const Checkpoint& checkpoint,
                                                         const std::vector<PlannedTensor>& plan,
                                                         const SensitivityOptions& options) {
  std::vector<std::string> notes;
  DUNNOCK_TRY(std::unique_ptr<Model> model, MakeModel(checkpoint.config, &notes));
  DUNNOCK_CHECK(!options.sequences.empty());
  return Probe(checkpoint, plan, options, std::move(model)).Run();
}

}  // namespace dunnock
