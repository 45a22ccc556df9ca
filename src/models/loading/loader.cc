#include "models/loading/loader.h"

#include <algorithm>
#include <array>
#include <set>

#include "base/check.h"
#include "base/str.h"
#include "kernels/norm.h"
#include "kernels/packing/pack.h"
#include "models/loading/find_tensor.h"
#include "models/loading/pack_tensor.h"

namespace dunnock {
namespace {

// Left out without a word: tables that are computed, and heads that an encoder without a classifier
// does not use. Pieces of names.
constexpr std::string_view kNeverUsed[] = {
    "position_ids",  "rotary_emb.inv_freq", "rope.inv_freq",
    "pooler.dense.", "cls.predictions.",    "cls.seq_relationship.",
};

class Loader final : public WeightVisitor {
 public:
  Loader(const Checkpoint& checkpoint, const LoadOptions& options)
      : checkpoint_(checkpoint), options_(options) {}

  void Linear(const std::string& name, Weight* weight, size_t rows, size_t cols, Bias bias,
              RowSlice slice) override {
    const size_t total = slice.total == 0 ? rows : slice.total;
    DUNNOCK_CHECK(slice.first + rows <= total && (bias == Bias::kNone || slice.total == 0));
    if (cols > kMostIntegerCols && options_.compute != Compute::kF32) {
      return Fault(Str(name, ": ", cols, " columns, integer sums are exact up to ",
                       kMostIntegerCols, ": compute in float32"));
    }
    const std::string packed_name = PackedName(name, rows, slice);
    if (const Weight* packed = FindPacked(packed_name)) {
      if (!HasShape(packed_name, *packed, rows, cols)) return;
      if ((bias == Bias::kYes) != (packed->bias.size() > 0))
        return Fault(Str(name, ": expected ", bias == Bias::kYes ? "a" : "no", " bias"));
      *weight = options_.compute == Compute::kF32 ? Unpacked(*packed) : *packed;
      return;
    }
    const Tensor* tensor = Find(name + ".weight", {total, cols});
    if (tensor == nullptr) return;
    std::optional<size_t> broken;
    *weight = options_.compute == Compute::kF32
                  ? PackTensorToF32(*tensor, slice.first, rows, &broken)
                  : PackTensor(*tensor, slice.first, rows, &broken);
    if (broken)
      return Fault(Str(name, ".weight: row ", *broken, " has values that are not finite"));
    if (bias == Bias::kYes) {
      std::vector<float> values;
      Vector(name + ".bias", &values, rows);
      if (!values.empty()) SetBias(weight, values);
    }
  }

  void Vector(const std::string& name, std::vector<float>* vector, size_t size) override {
    const Tensor* tensor = Find(name, {size});
    if (tensor == nullptr) return;
    vector->resize(size);
    if (const Status decoded = DecodeRows(*tensor, 0, 1, *vector); !decoded) {
      Fault(Str(name, ": ", decoded.error().message));
    } else if (!AllFinite(*vector)) {
      Fault(Str(name, ": has values that are not finite"));
    }
  }

  void Embedding(const std::string& name, Table* table, size_t rows, size_t cols) override {
    const Weight* packed = FindPacked(name);
    // A prepared model has the source's table beside the panels of the head that is tied to it.
    if (packed != nullptr &&
        (options_.packed_tables || !checkpoint_.tensors.contains(name + ".weight"))) {
      if (HasShape(name, *packed, rows, cols)) table->panels = *packed;
      return;
    }
    const Tensor* tensor = Find(name + ".weight", {rows, cols});
    if (tensor != nullptr) *table = {*tensor, checkpoint_.storage};
  }

  Status Finish() const { return FaultsAsOne(faults_); }
  const std::set<const Tensor*>& used() const { return used_; }

 private:
  void Fault(std::string what) { faults_.push_back(std::move(what)); }

  void Count() {
    const size_t total =
        checkpoint_.tensors.size() + (options_.packed ? options_.packed->size() : 0);
    if (options_.progress) options_.progress({"loading", std::min(seen_, total), total});
    ++seen_;
  }

  const Weight* FindPacked(const std::string& name) const {
    if (options_.packed == nullptr) return nullptr;
    const auto it = options_.packed->find(name);
    return it == options_.packed->end() ? nullptr : &it->second;
  }

  bool HasShape(const std::string& name, const Weight& packed, size_t rows, size_t cols) {
    Count();
    if (packed.rows == rows && packed.cols == cols) return true;
    Fault(Str(name, ": expected (", rows, ", ", cols, "), found (", packed.rows, ", ", packed.cols,
              ")"));
    return false;
  }

  static Weight Unpacked(const Weight& packed) {
    Weight out =
        PackRows(WeightEncoding::kF32, packed.rows, packed.cols,
                 [&](size_t row, std::span<float> values) { UnpackRow(packed, row, values); });
    out.bias = packed.bias;
    return out;
  }

  // Null, with a fault noted, unless the tensor is there with this shape and a type that decodes.
  const Tensor* Find(const std::string& name, std::vector<uint64_t> shape) {
    Count();
    auto found = FindTensor(checkpoint_, name, shape);
    if (found) {
      used_.insert(*found);
      return *found;
    }
    Fault(found.error().message);
    return nullptr;
  }

  const Checkpoint& checkpoint_;
  const LoadOptions& options_;
  std::vector<std::string> faults_;
  std::set<const Tensor*> used_;
  size_t seen_ = 0;
};

class Dropper final : public WeightVisitor {
 public:
  void Linear(const std::string&, Weight* weight, size_t, size_t, Bias, RowSlice) override {
    *weight = {};
  }
  void Vector(const std::string&, std::vector<float>* vector, size_t) override { *vector = {}; }
  void Embedding(const std::string&, Table* table, size_t, size_t) override { *table = {}; }
};

}  // namespace

void NoteUnused(std::vector<std::string>* notes, const Checkpoint& checkpoint,
                const std::set<const Tensor*>& used) {
  size_t count = 0;
  std::string first;
  for (const auto& [name, tensor] : checkpoint.tensors) {
    const auto names = [&](std::string_view piece) {
      return name.find(piece) != std::string::npos;
    };
    if (used.contains(&tensor) || std::any_of(std::begin(kNeverUsed), std::end(kNeverUsed), names))
      continue;
    if (count++ == 0) first = name;
  }
  if (count > 0) {
    notes->push_back(Str(count, count == 1 ? " tensor is" : " tensors are",
                         " not used by this model, the first is \"", first, "\""));
  }
}

Status FaultsAsOne(std::span<const std::string> faults) {
  if (faults.empty()) return {};
  constexpr size_t kShown = 8;
  std::string message = Str("the checkpoint does not fit its config.json, ", faults.size(),
                            faults.size() == 1 ? " fault:" : " faults:");
  for (size_t i = 0; i < std::min(faults.size(), kShown); ++i) message += "\n  " + faults[i];
  if (faults.size() > kShown) message += Str("\n  and ", faults.size() - kShown, " more");
  return Invalid(message);
}

std::string PackedName(const std::string& name, size_t rows, RowSlice slice) {
  if (slice.total == 0) return name;
  return Str(name, ".", slice.first, "-", slice.first + rows);
}

Status LoadWeights(Model& model, const Checkpoint& checkpoint, const LoadOptions& options,
                   std::vector<std::string>* notes) {
  Loader loader(checkpoint, options);
  model.VisitWeights(loader);
  DUNNOCK_TRY_STATUS(loader.Finish());
  NoteUnused(notes, checkpoint, loader.used());
  return {};
}

Status LoadEnds(Model& model, const Checkpoint& checkpoint, const LoadOptions& options) {
  Loader loader(checkpoint, options);
  model.VisitFirst(loader);
  model.VisitLast(loader);
  return loader.Finish();
}

Status LoadLayer(Model& model, size_t layer, const Checkpoint& checkpoint,
                 const LoadOptions& options) {
  Loader loader(checkpoint, options);
  model.VisitLayer(layer, loader);
  return loader.Finish();
}

void DropLayer(Model& model, size_t layer) {
  Dropper dropper;
  model.VisitLayer(layer, dropper);
}

}  // namespace dunnock
