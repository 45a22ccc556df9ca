#include "pipeline/calibration/calibration.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "base/check.h"
#include "base/str.h"
#include "base/system/thread_pool.h"
#include "kernels/packing/pack.h"
#include "models/forward.h"
#include "models/loading/loader.h"
#include "pipeline/calibration/finished_layers.h"
#include "pipeline/calibration/product_inputs.h"
#include "pipeline/calibration/rounding.h"
#include "pipeline/plan/nearest.h"

namespace dunnock {
namespace {

constexpr size_t kBatchTokens = 1024;

// A batch of sequences: which they are, and where their rows are in a stream.
struct TokenBatch {
  size_t first_sequence = 0, sequences = 0;
  size_t first_row = 0, rows = 0;
};

std::vector<TokenBatch> BatchesOf(const std::vector<std::vector<int32_t>>& sequences) {
  std::vector<TokenBatch> out;
  size_t row = 0;
  for (size_t i = 0; i < sequences.size(); ++i) {
    if (out.empty() || out.back().rows + sequences[i].size() > kBatchTokens)
      out.push_back({i, 0, row, 0});
    ++out.back().sequences;
    out.back().rows += sequences[i].size();
    row += sequences[i].size();
  }
  return out;
}

// The matrices of one part of a model, by the names of the plan.
class Names final : public WeightVisitor {
 public:
  void Linear(const std::string& name, Weight* weight, size_t rows, size_t, Bias,
              RowSlice slice) override {
    names.emplace(weight, PackedName(name, rows, slice));
  }
  void Head(const std::string& name, Weight*, size_t, size_t, Bias) override { head = name; }
  void Vector(const std::string&, std::vector<float>*, size_t) override {}
  void Embedding(const std::string& name, Table*, size_t, size_t) override { table = name; }

  std::map<const Weight*, std::string> names;
  std::string head, table;
};

class Calibrator {
 public:
  Calibrator(const Checkpoint& checkpoint, const std::vector<PlannedTensor>& plan,
             const CalibrationOptions& options, std::unique_ptr<Model> model)
      : checkpoint_(checkpoint),
        options_(options),
        model_(std::move(model)),
        batches_(BatchesOf(options.sequences)) {
    for (const PlannedTensor& t : plan) {
      if (t.kind == PlannedTensor::kMatrix) plan_.emplace(t.name, &t);
    }
    size_t most_sequences = 0, most_tokens = 0, most_rows = 0;
    for (const TokenBatch& b : batches_) {
      most_sequences = std::max(most_sequences, b.sequences);
      most_rows = std::max(most_rows, b.rows);
      out_.tokens += b.rows;
    }
    for (const auto& ids : options.sequences) most_tokens = std::max(most_tokens, ids.size());
    const ModelInfo& info = model_->info();
    for (size_t i = 0; i < most_sequences; ++i)
      caches_.emplace_back(info.kv, most_tokens, KvEncoding::kInt8);
    rounded_ = ReserveRows(rounded_memory_, out_.tokens, info.hidden_size);
    size_t original_rows = 0;
    for (size_t b = 0; b < batches_.size(); ++b) {
      original_at_.push_back(original_rows);
      if (InOriginal(b)) original_rows += batches_[b].rows;
    }
    original_ = ReserveRows(original_memory_, original_rows, info.hidden_size);
    hidden_ = ReserveRows(hidden_memory_, most_rows, info.hidden_size);
    total_ = info.layers * (2 * out_.tokens + original_rows);
  }

  Result<Calibrated> Run() {
    DUNNOCK_TRY(FinishedLayers finished,
                FinishedLayers::Open(options_.folder, checkpoint_, Fingerprint()));
    DUNNOCK_TRY_STATUS(LoadEnds(*model_, checkpoint_, {}));
    DUNNOCK_TRY_STATUS(Embed());
    for (size_t layer = 0; layer < model_->info().layers; ++layer) {
      Names names;
      model_->VisitLayer(layer, names);
      DUNNOCK_TRY_STATUS(LoadOriginal(layer, names));
      DUNNOCK_TRY(std::optional<RoundedLayer> rounded, finished.Read(layer));
      if (!rounded) {
        ProductInputs inputs;
        DUNNOCK_TRY_STATUS(Gather(layer, inputs));
        rounded.emplace();
        DUNNOCK_TRY_STATUS(Round(inputs, names, *rounded));
        DUNNOCK_TRY_STATUS(finished.Write(layer, *rounded));
      } else {
        DUNNOCK_TRY_STATUS(AdvanceOriginal(layer, nullptr));
        done_ += out_.tokens;
      }
      DUNNOCK_TRY_STATUS(LoadLayer(*model_, layer, checkpoint_, {.packed = &rounded->weights}));
      DUNNOCK_TRY_STATUS(AdvanceRounded(layer));
      DropLayer(*model_, layer);
      out_.weights.merge(rounded->weights);
      out_.losses.merge(rounded->losses);
    }
    if (model_->info().causal) {
      if (options_.before_head) DUNNOCK_TRY_STATUS(options_.before_head(out_.weights));
      DUNNOCK_TRY_STATUS(RoundHead(finished));
    }
    return std::move(out_);
  }

 private:
  bool InOriginal(size_t batch) const {
    return options_.drift_share > 0 && batch % options_.drift_every == 0;
  }
  Rows RoundedRows(const TokenBatch& b) const {
    return rounded_.Part(b.first_row, b.first_row + b.rows);
  }
  Rows OriginalRows(size_t batch) const {
    return original_.Part(original_at_[batch], original_at_[batch] + batches_[batch].rows);
  }

  // What decides every bit of the result, the checkpoint apart.
  std::string Fingerprint() const {
    std::string out = Str("calibration 1; damping ", options_.damping, "; drift ",
                          options_.drift_share, " of every ", options_.drift_every, "\n");
    for (const auto& [name, t] : plan_)
      out += Str(name, " ", NameOf(t->form.encoding), " ", t->form.group, " ", t->step.rule, " ",
                 t->step.size, "\n");
    for (const auto& ids : options_.sequences) {
      out += Str(ids.size(), ":");
      out.append(reinterpret_cast<const char*>(ids.data()), ids.size() * sizeof(ids[0]));
    }
    return out;
  }

  Status Step(size_t tokens) {
    if (options_.progress) options_.progress({"calibrating", done_, total_});
    done_ += tokens;
    if (options_.cancel == nullptr || !options_.cancel->load()) return {};
    return Fail(ErrorCode::kCancelled,
                Str("interrupted: the layers that are done are kept in ", options_.folder,
                    ", and the same command goes on from there"));
  }

  // The layer as it is, all matrices rotated to int8, whatever the checkpoint has: the fastest form
  // whose error does not matter here.
  Status LoadOriginal(size_t layer, const Names& names) {
    std::map<std::string, Weight> weights;
    for (const auto& [weight, name] : names.names) {
      const auto planned = plan_.find(name);
      DUNNOCK_CHECK(planned != plan_.end());
      DUNNOCK_TRY(Weight packed, RoundedToInt8(*planned->second));
      weights.emplace(name, std::move(packed));
    }
    return LoadLayer(*model_, layer, checkpoint_, {.packed = &weights});
  }

  Pass PassOf(const TokenBatch& b) {
    builder_.Clear();
    for (size_t i = 0; i < b.sequences; ++i)
      builder_.Add(caches_[i], options_.sequences[b.first_sequence + i]);
    batch_ = builder_.batch();
    const Pass pass{hidden_.Part(0, b.rows), batch_, scratch_};
    model_->Embed(pass);  // lays out what the layers share: positions
    return pass;
  }

  Status Embed() {
    for (size_t i = 0; i < batches_.size(); ++i) {
      const Pass pass = PassOf(batches_[i]);
      Copy(RoundedRows(batches_[i]), pass.x);
      if (InOriginal(i)) Copy(OriginalRows(i), pass.x);
    }
    return {};
  }

  static void Copy(Rows to, ConstRows from) {
    std::memcpy(to.data, from.data, from.size() * sizeof(float));
  }

  // Runs the layer on rows of a stream; the result is in the pass.
  Pass RunLayer(size_t layer, const TokenBatch& b, ConstRows rows, ProductObserver* observer) {
    const Pass pass = PassOf(b);
    Copy(pass.x, rows);
    const ObserveProducts observe(observer);
    model_->RunLayer(layer, pass);
    return pass;
  }

  Status AdvanceOriginal(size_t layer, ProductInputs* inputs) {
    for (size_t i = 0; i < batches_.size(); ++i) {
      if (!InOriginal(i)) continue;
      DUNNOCK_TRY_STATUS(Step(batches_[i].rows));
      Copy(OriginalRows(i), RunLayer(layer, batches_[i], OriginalRows(i), inputs).x);
    }
    return {};
  }

  Status AdvanceRounded(size_t layer) {
    for (const TokenBatch& b : batches_) {
      DUNNOCK_TRY_STATUS(Step(b.rows));
      Copy(RoundedRows(b), RunLayer(layer, b, RoundedRows(b), nullptr).x);
    }
    return {};
  }

  // With the original layer: the stream of the original moves on, the other one does not.
  Status Gather(size_t layer, ProductInputs& inputs) {
    for (size_t i = 0; i < batches_.size(); ++i) {
      const TokenBatch& b = batches_[i];
      DUNNOCK_TRY_STATUS(Step(InOriginal(i) ? 2 * b.rows : b.rows));
      if (InOriginal(i)) {
        inputs.BeginOriginal();
        Copy(OriginalRows(i), RunLayer(layer, b, OriginalRows(i), &inputs).x);
      }
      inputs.BeginRounded();
      RunLayer(layer, b, RoundedRows(b), &inputs);
      inputs.EndBatch();
    }
    return {};
  }

  RoundingOptions ForRounding(bool moves) const {
    return {options_.damping, moves ? options_.drift_share : 0};
  }

  Status Round(ProductInputs& inputs, const Names& names, RoundedLayer& out) {
    for (ProductInput& input : inputs.all()) {
      std::vector<const PlannedTensor*> planned;
      for (const Weight* weight : input.weights) {
        const auto found = plan_.find(names.names.at(weight));
        DUNNOCK_CHECK(found != plan_.end());
        planned.push_back(found->second);
      }
      DUNNOCK_TRY_STATUS(RoundProducts(planned, input, ForRounding(true), out));
    }
    DUNNOCK_CHECK(out.weights.size() == names.names.size());
    return {};
  }

  // The head's input is the last hidden state.
  Status RoundHead(FinishedLayers& finished) {
    Names names;
    model_->VisitFirst(names);
    model_->VisitLast(names);
    const auto planned = plan_.find(names.head);
    DUNNOCK_CHECK(planned != plan_.end());
    const size_t layers = model_->info().layers;
    DUNNOCK_TRY(std::optional<RoundedLayer> head, finished.Read(layers));
    if (!head) {
      const Weight* const whose[] = {nullptr};
      ProductInputs inputs;
      for (size_t i = 0; i < batches_.size(); ++i) {
        const TokenBatch& b = batches_[i];
        const auto see = [&](ConstRows rows) {
          const Pass pass = PassOf(b);
          Copy(pass.x, rows);
          model_->Finish(pass);
          inputs.See(whose, pass.x);
        };
        if (InOriginal(i)) {
          inputs.BeginOriginal();
          see(OriginalRows(i));
        }
        inputs.BeginRounded();
        see(RoundedRows(b));
        inputs.EndBatch();
      }
      head.emplace();
      const PlannedTensor* const one[] = {planned->second};
      // A head that is the embedding as well is not moved: look-ups want the rows as they were.
      DUNNOCK_TRY_STATUS(
          RoundProducts(one, inputs.all().front(), ForRounding(names.head != names.table), *head));
      DUNNOCK_TRY_STATUS(finished.Write(layers, *head));
    }
    out_.weights.merge(head->weights);
    out_.losses.merge(head->losses);
    return {};
  }

  const Checkpoint& checkpoint_;
  const CalibrationOptions& options_;
  const std::unique_ptr<Model> model_;
  const std::vector<TokenBatch> batches_;
  std::map<std::string, const PlannedTensor*> plan_;
  Calibrated out_;

  BatchBuilder builder_;
  Batch batch_;  // that the passes refer to
  std::vector<KvCache> caches_;
  Scratch scratch_;
  AlignedBuffer rounded_memory_, original_memory_, hidden_memory_;
  Rows rounded_, original_;          // the streams: (tokens | those of the original, hidden_size)
  Rows hidden_;                      // of the batch that is run
  std::vector<size_t> original_at_;  // per batch: its first row in original_
  uint64_t done_ = 0, total_ = 0;
};

}  // namespace

Result<Calibrated> Calibrate(const Checkpoint& checkpoint, const std::vector<PlannedTensor>& plan,
                             const CalibrationOptions& options) {
  std::vector<std::string> notes;
  DUNNOCK_TRY(std::unique_ptr<Model> model, MakeModel(checkpoint.config, &notes));
  const ModelInfo& info = model->info();
  if (options.sequences.empty())
    return Invalid("calibration: no text: expected at least one sequence of tokens");
  for (const auto& ids : options.sequences) {
    if (ids.empty() || ids.size() > info.context_length) {
      return Invalid(Str("calibration: a sequence of ", ids.size(), " tokens: expected 1 to ",
                         info.context_length));
    }
    for (const int32_t id : ids) {
      if (id < 0 || static_cast<size_t>(id) >= info.vocab_size) {
        return Invalid(Str("calibration: token id ", id, ": expected 0 to ", info.vocab_size - 1));
      }
    }
  }
  return Calibrator(checkpoint, plan, options, std::move(model)).Run();
}

}  // namespace dunnock
