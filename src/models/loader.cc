#include "models/loader.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "base/str.h"
#include "kernels/pack.h"

namespace dunnock {
namespace {

std::string ShapeText(std::span<const uint64_t> shape) {
  std::string out = "(";
  for (size_t i = 0; i < shape.size(); ++i) out += Str(i == 0 ? "" : ", ", shape[i]);
  return out + ")";
}

// Hugging Face saves a base model inside a task model (BertForSequenceClassification) under this
// prefix, and plain without.
constexpr std::string_view kBasePrefix = "bert.";

class Loader final : public WeightVisitor {
 public:
  Loader(const Checkpoint& checkpoint, const LoadOptions& options)
      : checkpoint_(checkpoint), options_(options) {}

  void Linear(const std::string& name, Weight* weight, size_t rows, size_t cols,
              Bias bias) override {
    const Tensor* tensor = Find(name + ".weight", {rows, cols});
    if (tensor != nullptr) *weight = Pack(*tensor);
    if (bias == Bias::kYes) {
      std::vector<float> values;
      Vector(name + ".bias", &values, rows);
      if (tensor != nullptr && !values.empty()) SetBias(weight, values);
    }
  }

  void Vector(const std::string& name, std::vector<float>* vector, size_t size) override {
    const Tensor* tensor = Find(name, {size});
    if (tensor == nullptr) return;
    vector->resize(size);
    if (const Status decoded = DecodeRows(*tensor, 0, 1, *vector); !decoded) {
      faults_.push_back(Str(name, ": ", decoded.error().message));
    }
  }

  void Embedding(const std::string& name, Table* table, size_t rows, size_t cols) override {
    const Tensor* tensor = Find(name + ".weight", {rows, cols});
    if (tensor != nullptr) *table = {*tensor, checkpoint_.storage};
  }

  Status Finish() const {
    if (faults_.empty()) return {};
    constexpr size_t kShown = 8;
    std::string message = Str("the checkpoint does not fit its config.json, ", faults_.size(),
                              faults_.size() == 1 ? " fault:" : " faults:");
    for (size_t i = 0; i < std::min(faults_.size(), kShown); ++i) message += "\n  " + faults_[i];
    if (faults_.size() > kShown) message += Str("\n  and ", faults_.size() - kShown, " more");
    return Invalid(message);
  }

 private:
  // Null, with a fault noted, unless the tensor is there with this shape and a type that decodes.
  const Tensor* Find(const std::string& name, std::vector<uint64_t> shape) {
    if (options_.progress)
      options_.progress(
          {"loading", checkpoint_.tensors.size() > seen_ ? seen_ : 0, checkpoint_.tensors.size()});
    ++seen_;
    auto it = checkpoint_.tensors.find(name);
    if (it == checkpoint_.tensors.end())
      it = checkpoint_.tensors.find(std::string(kBasePrefix) + name);
    if (it == checkpoint_.tensors.end()) {
      faults_.push_back(Str(name, " is missing, expected ", ShapeText(shape)));
      return nullptr;
    }
    if (it->second.shape != shape) {
      faults_.push_back(
          Str(name, ": expected ", ShapeText(shape), ", found ", ShapeText(it->second.shape)));
      return nullptr;
    }
    if (!IsFloatType(it->second.dtype) && !IsBlockType(it->second.dtype)) {
      faults_.push_back(Str(name, ": expected floats, found ", InfoOf(it->second.dtype).name));
      return nullptr;
    }
    return &it->second;
  }

  // Blocks with a scale and a minimum are kept as they are; everything else is rounded to rotated
  // int8, which costs least (docs/architecture.md).
  Weight Pack(const Tensor& tensor) const {
    const size_t rows = tensor.rows(), cols = tensor.cols();
    if (options_.compute == Compute::kF32 || !IsAffine(tensor.dtype)) {
      const WeightEncoding encoding =
          options_.compute == Compute::kF32 ? WeightEncoding::kF32 : WeightEncoding::kInt8;
      return PackRows(encoding, rows, cols, [&](size_t row, std::span<float> out) {
        DUNNOCK_CHECK(DecodeRows(tensor, row, 1, out).has_value());
      });
    }
    const bool four_bits = AffineCodeBits(tensor.dtype) <= 4;
    const bool centred = AffineCodeBits(tensor.dtype) == 8;  // Q8_0: code 128 stands for zero
    return PackGrouped(four_bits ? WeightEncoding::kInt4Grouped : WeightEncoding::kInt8Grouped,
                       rows, cols, AffineGroupSize(tensor.dtype),
                       [&](size_t row, const GroupedRow& out) {
                         DecodeAffineRow(tensor, row, out.codes, out.scales, out.minimums);
                         if (four_bits) return;
                         for (uint8_t& code : out.codes)
                           code = static_cast<uint8_t>(centred ? code : code + 128);
                         // value = scale * (code - 128) + minimum in both cases
                         const size_t group = AffineGroupSize(tensor.dtype);
                         for (size_t g = 0; centred && g < cols / group; ++g)
                           out.minimums[g] += 128 * out.scales[g];
                       });
  }

  const Checkpoint& checkpoint_;
  const LoadOptions& options_;
  std::vector<std::string> faults_;
  size_t seen_ = 0;
};

}  // namespace

Status LoadWeights(Model& model, const Checkpoint& checkpoint, const LoadOptions& options) {
  Loader loader(checkpoint, options);
  model.VisitWeights(loader);
  return loader.Finish();
}

void Table::Lookup(Rows out, std::span<const int32_t> ids) const {
  DUNNOCK_CHECK(out.count == ids.size() && out.cols == tensor.cols());
  for (size_t i = 0; i < ids.size(); ++i) {
    DUNNOCK_CHECK(
        DecodeRows(tensor, static_cast<uint64_t>(ids[i]), 1, {out[i], out.cols}).has_value());
  }
}

void Table::LookupAdd(Rows out, std::span<const int32_t> ids) const {
  std::vector<float> row(out.cols);
  for (size_t i = 0; i < ids.size(); ++i) {
    Lookup({row.data(), 1, out.cols}, ids.subspan(i, 1));
    for (size_t d = 0; d < out.cols; ++d) out[i][d] += row[d];
  }
}

// Generous, but far from overflowing any product of two.
constexpr int64_t kMostOfAnything = 1 << 24;

Result<size_t> ConfigSize(const Json& config, std::string_view key) {
  auto value = RequiredInt(config, key, 1, kMostOfAnything);
  if (!value) return In("config.json", std::move(value).error());
  return static_cast<size_t>(*value);
}

Result<size_t> ConfigSize(const Json& config, std::string_view key, size_t fallback) {
  if (FindMember(config, key) == nullptr) return fallback;
  return ConfigSize(config, key);
}

Status RequireActivation(const Json& config, std::span<const std::string_view> names) {
  const std::string found = FindString(config, "hidden_act").value_or(std::string(names.front()));
  for (const std::string_view name : names) {
    if (found == name) return {};
  }
  return Unsupported(
      Str("config.json: hidden_act \"", found, "\": expected \"", names.front(), "\""));
}

}  // namespace dunnock
