#include "pipeline/plan.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/str.h"
#include "kernels/activations.h"
#include "models/loading/find_tensor.h"
#include "models/loading/loader.h"

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
  Planner(const Checkpoint& checkpoint, QuantizeFormat format)
      : checkpoint_(checkpoint), format_(format) {}

  void Linear(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias,
              RowSlice slice) override {
    Matrix(name, rows, cols, bias, slice, false);
  }

  // A table that the head is tied to goes into the bundle once, as the head.
  void Head(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias) override {
    std::erase_if(plan_, [&](const PlannedTensor& t) {
      return t.kind == PlannedTensor::kTable && t.name == name;
    });
    Matrix(name, rows, cols, bias, {}, true);
  }
  void Vector(const std::string& name, std::vector<float>*, size_t size) override {
    if (const Tensor* source = Find(name, {size}))
      plan_.push_back({PlannedTensor::kVector, name, source, 0, 1, size});
  }

  void Embedding(const std::string& name, Table*, size_t rows, size_t cols) override {
    if (const Tensor* source = Find(name + ".weight", {rows, cols}))
      plan_.push_back(
          {PlannedTensor::kTable, name, source, 0, rows, cols, nullptr, {}, TableDType(*source)});
  }

  Result<std::vector<PlannedTensor>> Finish() {
    DUNNOCK_TRY_STATUS(FaultsAsOne(faults_));
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
                     rows, cols, bias_source, FormFor(head, rows, cols)});
  }

  const Tensor* Find(const std::string& name, std::vector<uint64_t> shape) {
    auto found = FindTensor(checkpoint_, name, shape);
    if (found) return *found;
    faults_.push_back(found.error().message);
    return nullptr;
  }

  // A head decides between tokens by small differences, so it gets more bits than the layers. The
  // error of six bits is small compared with that of int4, but not with that of int4-grouped
  // (docs/benchmarks.md).
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
      form.encoding =
          format_ == QuantizeFormat::kInt4 ? WeightEncoding::kInt6 : WeightEncoding::kInt8;
    } else if (format_ == QuantizeFormat::kInt4) {
      form.encoding = WeightEncoding::kInt4;
    } else if (cols % kInt4Group == 0) {
      form.encoding = WeightEncoding::kInt4Grouped;
      form.group = form.block = kInt4Group;
      form.has_minimums = true;
    } else {
      form.encoding = WeightEncoding::kInt8;
    }
    if (form.has_row_scales()) form.rotation = RotationBlock(cols);
    form.panel_bytes = PanelBytesOf(form);
    return form;
  }

  const Checkpoint& checkpoint_;
  const QuantizeFormat format_;
  std::vector<PlannedTensor> plan_;
  std::vector<std::string> faults_;
};

}  // namespace

Result<std::vector<PlannedTensor>> PlanBundle(const Checkpoint& checkpoint, QuantizeFormat format,
                                              std::vector<std::string>* notes) {
  DUNNOCK_TRY(const std::unique_ptr<Model> model, MakeModel(checkpoint.config, notes));
  Planner planner(checkpoint, format);
  model->VisitWeights(planner);
  return planner.Finish();
}

}  // namespace dunnock
