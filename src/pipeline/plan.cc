#include "pipeline/plan.h"

#include <algorithm>

#include "models/loader.h"

namespace dunnock {
namespace {

class Planner final : public WeightVisitor {
 public:
  Planner(const Checkpoint& checkpoint, QuantizeFormat format)
      : checkpoint_(checkpoint), format_(format) {}

  void Linear(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias,
              RowSlice slice) override {
    const size_t total = slice.total == 0 ? rows : slice.total;
    const Tensor* source = Find(name + ".weight", {total, cols});
    const Tensor* bias_source = bias == Bias::kYes ? Find(name + ".bias", {rows}) : nullptr;
    if (source == nullptr) return;
    const auto table = std::find_if(plan_.begin(), plan_.end(), [&](const PlannedTensor& t) {
      return t.kind == PlannedTensor::kTable && t.name == name;
    });
    const bool tied = table != plan_.end();
    if (tied) plan_.erase(table);
    const bool head = tied || name == "lm_head" || name == "classifier";
    plan_.push_back({PlannedTensor::kMatrix, PackedName(name, rows, slice), source, slice.first,
                     rows, cols, bias_source, EncodingFor(head, cols)});
  }

  void Vector(const std::string& name, std::vector<float>*, size_t size) override {
    if (const Tensor* source = Find(name, {size}))
      plan_.push_back({PlannedTensor::kVector, name, source, 0, 1, size, nullptr, {}});
  }

  void Embedding(const std::string& name, Table*, size_t rows, size_t cols) override {
    if (const Tensor* source = Find(name + ".weight", {rows, cols}))
      plan_.push_back({PlannedTensor::kTable, name, source, 0, rows, cols, nullptr, {}});
  }

  Result<std::vector<PlannedTensor>> Finish() {
    DUNNOCK_TRY_STATUS(FaultsAsOne(faults_));
    return std::move(plan_);
  }

 private:
  const Tensor* Find(const std::string& name, std::vector<uint64_t> shape) {
    auto found = FindTensor(checkpoint_, name, shape);
    if (found) return *found;
    faults_.push_back(found.error().message);
    return nullptr;
  }

  // A head decides between neighbours by small differences: 8 bits.
  WeightEncoding EncodingFor(bool head, size_t cols) const {
    if (head || format_ == QuantizeFormat::kInt8) return WeightEncoding::kInt8;
    if (format_ == QuantizeFormat::kInt4) return WeightEncoding::kInt4;
    return cols % kInt4Group == 0 ? WeightEncoding::kInt4Grouped : WeightEncoding::kInt8;
  }

  const Checkpoint& checkpoint_;
  const QuantizeFormat format_;
  std::vector<PlannedTensor> plan_;
  std::vector<std::string> faults_;
};

}  // namespace

Result<std::vector<PlannedTensor>> PlanBundle(const Checkpoint& checkpoint, QuantizeFormat format) {
  DUNNOCK_TRY(const std::unique_ptr<Model> model, MakeModel(checkpoint.config));
  Planner planner(checkpoint, format);
  model->VisitWeights(planner);
  return planner.Finish();
}

}  // namespace dunnock
