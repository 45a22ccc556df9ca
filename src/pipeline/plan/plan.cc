#include "pipeline/plan/plan.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>

#include "base/check.h"
#include "base/str.h"
#include "kernels/activations.h"
#include "models/loading/find_tensor.h"
#include "models/loading/loader.h"
#include "models/loading/pack_tensor.h"

namespace dunnock {
namespace {

constexpr size_t kInt4Group = 32;

// 16 bits per value: the source's own, or float16 if all values fit; else float32.
DType TableDType(const Tensor& source) {
  if (source.dtype == DType::kBF16 || source.dtype == DType::kF16) return source.dtype;
  constexpr float kMostFloat16 = 65504.0f;
  std::vector<float> row(source.cols());
  for (uint64_t r = 0; r < source.rows(); ++r) {
    DUNNOCK_CHECK(DecodeRows(source, r, 1, row).has_value());
    for (const float v : row) {
      if (!(std::fabs(v) <= kMostFloat16)) return DType::kF32;
    }
  }
  return DType::kF16;
}

class Planner final : public WeightVisitor {
 public:
  // Without a format: as loaded.
  Planner(const Checkpoint& checkpoint, size_t vocabulary, std::optional<QuantizeFormat> format,
          bool calibrated)
      : checkpoint_(checkpoint),
        vocabulary_(vocabulary),
        format_(format),
        calibrated_(calibrated) {}

  void Linear(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias,
              RowSlice slice) override {
    Matrix(name, rows, cols, bias, slice, false);
  }

  // A table that the head is tied to goes into the bundle once, as the head.
  void Head(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias) override {
    if (format_) std::erase_if(plan_, [&](const PlannedTensor& t) { return t.name == name; });
    Matrix(name, rows, cols, bias, {}, true);
  }
  void Vector(const std::string& name, std::vector<float>*, size_t size) override {
    if (const Tensor* source = Find(name, {size}))
      plan_.push_back({PlannedTensor::kVector, name, source, 0, 1, size});
  }

  void Embedding(const std::string& name, Table*, size_t rows, size_t cols) override {
    const Tensor* source = Find(name + ".weight", {rows, cols});
    if (source == nullptr) return;
    PlannedTensor table{.kind = PlannedTensor::kStoredTable,
                        .name = name,
                        .source = source,
                        .rows = rows,
                        .cols = cols,
                        .outside_layers = true};
    if (format_ == QuantizeFormat::kFp16 || (format_ && rows != vocabulary_)) {
      table.kind = PlannedTensor::kTable;
      table.dtype = TableDType(*source);
    } else if (format_) {
      table.kind = PlannedTensor::kMatrix;
      SetRowForm(&table, WeightEncoding::kInt6, {});
    }
    plan_.push_back(std::move(table));
  }

  Result<std::vector<PlannedTensor>> Finish(std::vector<std::string>* notes) {
    DUNNOCK_TRY_STATUS(FaultsAsOne(faults_));
    if (!format_) NoteUnused(notes, checkpoint_, used_);
    // Loading copies the vectors: together they are in a few pages of the file.
    std::ranges::stable_partition(
        plan_, [](const PlannedTensor& t) { return t.kind == PlannedTensor::kVector; });
    return std::move(plan_);
  }

 private:
  void Matrix(const std::string& name, size_t rows, size_t cols, Bias bias, RowSlice slice,
              bool head) {
    const size_t total = slice.total == 0 ? rows : slice.total;
    const Tensor* source = Find(name + ".weight", {total, cols});
    const Tensor* bias_source = bias == Bias::kYes ? Find(name + ".bias", {rows}) : nullptr;
    if (source == nullptr) return;
    if (cols > kMostIntegerCols) {
      faults_.push_back(
          Str(name, ": ", cols, " columns, integer sums are exact up to ", kMostIntegerCols));
      return;
    }
    plan_.push_back({PlannedTensor::kMatrix, PackedName(name, rows, slice), source, slice.first,
                     rows, cols, bias_source,
                     format_ ? FormFor(head, rows, cols) : FormOf(source->dtype, rows, cols)});
    plan_.back().outside_layers = head;
  }

  const Tensor* Find(const std::string& name, std::vector<uint64_t> shape) {
    auto found = FindTensor(checkpoint_, name, shape);
    if (found) {
      used_.insert(*found);
      return *found;
    }
    faults_.push_back(found.error().message);
    return nullptr;
  }

  // A head decides between tokens by small differences, so it gets more bits than the layers. The
  // error of six bits is small compared with that of int4, but not with that of int4-grouped,
  // unless both are calibrated (docs/benchmarks.md).
  Weight FormFor(bool head, size_t rows, size_t cols) const {
    Weight form;
    form.rows = rows;
    form.cols = cols;
    form.rotation = 1;
    if (format_ == QuantizeFormat::kFp16) {
      form.encoding = WeightEncoding::kBF16;
    } else if (format_ == QuantizeFormat::kInt8) {
      form.encoding = WeightEncoding::kInt8;
    } else if (head) {
      form.encoding = format_ == QuantizeFormat::kInt4 || calibrated_ ? WeightEncoding::kInt6
                                                                      : WeightEncoding::kInt8;
    } else if (format_ == QuantizeFormat::kInt4) {
      form.encoding = WeightEncoding::kInt4;
    } else if (cols % kInt4Group == 0) {
      form.encoding = WeightEncoding::kInt4Grouped;
      form.group = form.block = kInt4Group;
      form.has_minimums = !calibrated_;
    } else {
      form.encoding = WeightEncoding::kInt8;
    }
    if (form.has_row_scales() || (form.is_grouped() && !form.has_minimums))
      form.rotation = RotationBlock(cols);
    form.panel_bytes = PanelBytesOf(form);
    return form;
  }

  const Checkpoint& checkpoint_;
  const size_t vocabulary_;  // rows of the table of words; those of positions and types are small
  const std::optional<QuantizeFormat> format_;
  const bool calibrated_;
  std::vector<PlannedTensor> plan_;
  std::vector<std::string> faults_;
  std::set<const Tensor*> used_;
};

Result<std::vector<PlannedTensor>> Plan(const Checkpoint& checkpoint,
                                        std::optional<QuantizeFormat> format, bool calibrated,
                                        std::vector<std::string>* config_notes,
                                        std::vector<std::string>* loading_notes) {
  DUNNOCK_TRY(const std::unique_ptr<Model> model, MakeModel(checkpoint.config, config_notes));
  Planner planner(checkpoint, model->info().vocab_size, format, calibrated);
  model->VisitWeights(planner);
  return planner.Finish(loading_notes);
}

}  // namespace

void SetRowForm(PlannedTensor* t, WeightEncoding encoding, const Step& step) {
  t->form = {.encoding = encoding,
             .rows = t->rows,
             .cols = t->cols,
             .rotation = RotationBlock(t->cols),
             .panels = {},
             .scales = {},
             .bias = {}};
  DUNNOCK_CHECK(t->form.has_row_scales());
  t->form.panel_bytes = PanelBytesOf(t->form);
  t->step = step;
}

Result<std::vector<PlannedTensor>> PlanBundle(const Checkpoint& checkpoint, QuantizeFormat format,
                                              bool calibrated, std::vector<std::string>* notes) {
  return Plan(checkpoint, format, calibrated, notes, notes);
}

Result<std::vector<PlannedTensor>> PlanPrepared(const Checkpoint& checkpoint,
                                                std::vector<std::string>* notes) {
  std::vector<std::string> config_notes;  // said again by whoever reads config.json
  return Plan(checkpoint, std::nullopt, false, &config_notes, notes);
}

}  // namespace dunnock
