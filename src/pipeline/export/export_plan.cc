#include "pipeline/export/export_plan.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/str.h"
#include "base/text/shown.h"
#include "models/config.h"
#include "models/loading/find_tensor.h"
#include "models/loading/loader.h"

namespace dunnock {
namespace {

class Planner final : public WeightVisitor {
 public:
  Planner(const Bundle& bundle, const GgufArchitecture& architecture, const ModelInfo& info)
      : bundle_(bundle), architecture_(architecture), head_dim_(info.kv.head_dim) {}

  void Linear(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias,
              RowSlice slice) override {
    Matrix(name, rows, cols, bias, slice);
  }
  // A table that the head is tied to is in the file once.
  void Head(const std::string& name, Weight*, size_t rows, size_t cols, Bias bias) override {
    const auto ggml = ToGgml(architecture_, name + ".weight", 0);
    for (ExportTensor& t : tensors_) {
      if (t.name == ggml) {
        t.head = true;
        return;
      }
    }
    if (ExportTensor* made = Matrix(name, rows, cols, bias, {})) made->head = true;
  }
  void Embedding(const std::string& name, Table*, size_t rows, size_t cols) override {
    Matrix(name, rows, cols, Bias::kNone, {});
  }
  void Vector(const std::string& name, std::vector<float>*, size_t size) override {
    if (const Tensor* source = Find(name, {size})) AddValues(name, Decoded(name, *source));
  }

  Result<std::vector<ExportTensor>> Finish() {
    DUNNOCK_TRY_STATUS(FaultsAsOne(faults_));
    return std::move(tensors_);
  }

 private:
  ExportTensor* Matrix(const std::string& name, size_t rows, size_t cols, Bias bias,
                       RowSlice slice) {
    const size_t total = slice.total == 0 ? rows : slice.total;
    ExportPart part{nullptr, nullptr, slice.first, rows};
    const auto packed = bundle_.weights.find(PackedName(name, rows, slice));
    if (packed != bundle_.weights.end()) {
      part.weight = &packed->second;
      part.first_row = 0;
      if (part.weight->rows != rows || part.weight->cols != cols) {
        faults_.push_back(Str(name, ": expected (", rows, ", ", cols, "), found (",
                              part.weight->rows, ", ", part.weight->cols, ")"));
        return nullptr;
      }
    } else {
      part.tensor = Find(name + ".weight", {total, cols});
      if (part.tensor == nullptr) return nullptr;
    }
    ExportTensor* made = Place(name, cols, slice, part);
    if (made != nullptr && bias == Bias::kYes) {
      const size_t at = static_cast<size_t>(made - tensors_.data());
      AddBias(name + ".bias", part.weight, rows);
      made = &tensors_[at];
    }
    return made;
  }

  // GGUF has all slices of a tensor as one, or its two halves as two.
  ExportTensor* Place(const std::string& name, size_t cols, RowSlice slice,
                      const ExportPart& part) {
    const std::string full = name + ".weight";
    auto ggml = ToGgml(architecture_, full, 0);
    if (!ggml && slice.total == 2 * part.rows)
      ggml = ToGgml(architecture_, full, slice.first == 0 ? 1 : 2);
    if (!ggml) {
      faults_.push_back(Str(full, ": GGUF has no name for it"));
      return nullptr;
    }
    if (!tensors_.empty() && tensors_.back().name == *ggml) {
      tensors_.back().parts.push_back(part);
      tensors_.back().shape[0] += part.rows;
      return &tensors_.back();
    }
    ExportTensor made;
    made.name = *ggml;
    made.shape = {part.rows, cols};
    made.parts = {part};
    made.head_dim = HeadDimOf(*ggml);
    tensors_.push_back(std::move(made));
    return &tensors_.back();
  }

  uint64_t HeadDimOf(std::string_view ggml) const {
    const bool rotates = ggml.find(".attn_q.") != std::string_view::npos ||
                         ggml.find(".attn_k.") != std::string_view::npos;
    return architecture_.neighbours_rotate && rotates ? head_dim_ : 0;
  }

  void AddBias(const std::string& name, const Weight* weight, size_t rows) {
    if (weight == nullptr) {
      if (const Tensor* source = Find(name, {rows})) AddValues(name, Decoded(name, *source));
      return;
    }
    if (weight->bias.size() < rows * sizeof(float)) {
      faults_.push_back(Str(name, ": missing"));
      return;
    }
    std::vector<float> values(rows);
    std::memcpy(values.data(), weight->bias.bytes().data(), rows * sizeof(float));
    AddValues(name, std::move(values));
  }

  std::vector<float> Decoded(const std::string& name, const Tensor& source) {
    std::vector<float> values(source.cols());
    if (const Status decoded = DecodeRows(source, 0, 1, values); !decoded)
      faults_.push_back(Str(name, ": ", decoded.error().message));
    return values;
  }

  void AddValues(const std::string& name, std::vector<float> values) {
    const auto ggml = ToGgml(architecture_, name, 0);
    if (!ggml) return faults_.push_back(Str(name, ": GGUF has no name for it"));
    if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); }))
      return faults_.push_back(Str(name, ": has values that are not finite"));
    ExportTensor made;
    made.name = *ggml;
    made.shape = {values.size()};
    if (const uint64_t head_dim = HeadDimOf(*ggml); head_dim != 0) {
      std::vector<float> moved(values.size());
      for (size_t i = 0; i < moved.size(); ++i) moved[i] = values[HalfSplitRow(i, head_dim)];
      values = std::move(moved);
    }
    made.values = std::move(values);
    tensors_.push_back(std::move(made));
  }

  const Tensor* Find(const std::string& name, std::vector<uint64_t> shape) {
    auto found = FindTensor(bundle_.checkpoint, name, shape);
    if (found) return *found;
    faults_.push_back(found.error().message);
    return nullptr;
  }

  const Bundle& bundle_;
  const GgufArchitecture& architecture_;
  const uint64_t head_dim_;
  std::vector<ExportTensor> tensors_;
  std::vector<std::string> faults_;
};

DType TypeFor(const ExportTensor& t, DType type) {
  // llama.cpp adds these two as they are, and adds no float16.
  if (t.shape.size() == 1 || t.name == "position_embd.weight" || t.name == "token_types.weight")
    return DType::kF32;
  if (t.head && (type == DType::kQ4_0 || type == DType::kQ4_1)) type = DType::kQ8_0;
  return t.cols() % InfoOf(type).block_size == 0 ? type : DType::kF16;
}

uint32_t Narrow(uint64_t value) { return static_cast<uint32_t>(value); }

// Numbers that no shape shows, by their keys in config.json, with what each architecture takes
// where the file is silent (models/).
struct Constants {
  std::string_view architecture;
  std::string_view epsilon_key;  // of the norms; empty: config.json has no key for it
  float epsilon;
  std::string_view theta_key;  // of rotary positions; empty: there are none
  double theta;
};
constexpr Constants kConstants[] = {{"llama", "rms_norm_eps", 1e-6f, "rope_theta", 10000},
                                    {"smollm3", "rms_norm_eps", 1e-6f, "rope_theta", 2e6},
                                    {"openelm", "", 1e-6f, "rope_freq_constant", 10000},
                                    {"bert", "layer_norm_eps", 1e-12f, "", 0}};

Status ReadConstants(GgufShape* shape, const GgufArchitecture& architecture, const Json& config) {
  const Constants* c = std::ranges::find(kConstants, architecture.name, &Constants::architecture);
  DUNNOCK_CHECK(c != std::end(kConstants));
  shape->norm_epsilon = c->epsilon;
  if (!c->epsilon_key.empty()) {
    DUNNOCK_TRY(shape->norm_epsilon, ConfigEpsilon(config, c->epsilon_key, c->epsilon));
  }
  if (c->theta_key.empty()) return {};
  DUNNOCK_TRY(const double theta, ConfigRopeTheta(config, c->theta_key, c->theta));
  shape->rope_theta = static_cast<float>(theta);
  return {};
}

GgufShape ShapeOf(const ModelInfo& info, const std::vector<ExportTensor>& tensors) {
  GgufShape out{};
  out.hidden = Narrow(info.hidden_size);
  out.context = Narrow(info.context_length);
  out.vocab = Narrow(info.vocab_size);
  out.head_dim = Narrow(info.kv.head_dim);
  out.causal = info.causal;
  out.token_types = Narrow(info.token_types);
  out.labels = Narrow(info.labels);
  // Heads and widths are those of the matrices.
  const auto rows = [&](size_t layer, std::string_view name) -> uint64_t {
    const auto it =
        std::ranges::find(tensors, Str("blk.", layer, ".", name, ".weight"), &ExportTensor::name);
    return it == tensors.end() ? 0 : it->rows();
  };
  for (size_t i = 0; i < info.layers; ++i) {
    const uint32_t kv = info.kv.kv_heads[std::min(i, info.kv.kv_heads.size() - 1)];
    const uint64_t fused = rows(i, "attn_qkv");
    const uint64_t q = fused == 0 ? rows(i, "attn_q") : fused - 2 * uint64_t{kv} * out.head_dim;
    out.heads.push_back(Narrow(q / out.head_dim));
    out.kv_heads.push_back(kv);
    out.ffn.push_back(Narrow(rows(i, "ffn_up")));
  }
  return out;
}

// What llama.cpp has no key or no tensor for.
Status CheckLlamaCpp(const ExportPlan& plan, const Json& config) {
  if (plan.architecture->name != "smollm3") return {};
  const size_t layers = plan.shape.heads.size();
  DUNNOCK_TRY(const std::vector<bool> rotated, ConfigRotatedLayers(config, layers));
  for (size_t i = 0; i < layers; ++i) {
    if (rotated[i] == ((i + 1) % 4 != 0)) continue;
    return Unsupported(Str("layer ", i, rotated[i] ? " rotates" : " does not rotate",
                           " positions: llama.cpp rotates those of a smollm3 in all layers but "
                           "every fourth"));
  }
  for (const ExportTensor& t : plan.tensors) {
    if (t.name.ends_with(".bias") && t.name.find(".attn_q.") == std::string::npos &&
        t.name.find(".attn_k.") == std::string::npos &&
        t.name.find(".attn_v.") == std::string::npos)
      return Unsupported(Str(t.name, ": llama.cpp has no such tensor of a smollm3"));
  }
  return {};
}

}  // namespace

Result<ExportPlan> PlanExport(const Bundle& bundle, DType type, std::vector<std::string>* notes) {
  const Json& config = bundle.checkpoint.config;
  DUNNOCK_TRY(const std::unique_ptr<Model> model, MakeModel(config, notes));
  ExportPlan plan{};
  plan.architecture = FindGgufArchitectureOf(model->info().model_type);
  if (plan.architecture == nullptr) {
    return Unsupported(Str("model_type ", Shown(model->info().model_type), ": expected one of ",
                           KnownGgufArchitectures()));
  }
  Planner planner(bundle, *plan.architecture, model->info());
  model->VisitWeights(planner);
  DUNNOCK_TRY(plan.tensors, planner.Finish());
  plan.shape = ShapeOf(model->info(), plan.tensors);
  DUNNOCK_TRY_STATUS(ReadConstants(&plan.shape, *plan.architecture, config));
  DUNNOCK_TRY_STATUS(CheckLlamaCpp(plan, config));
  size_t odd = 0;
  for (ExportTensor& t : plan.tensors) {
    t.dtype = TypeFor(t, type);
    odd += t.dtype == DType::kF16 && type != DType::kF16;
  }
  if (odd > 0) {
    notes->push_back(Str(odd, " matrices have rows that are no whole blocks of ",
                         InfoOf(type).block_size, ": they are F16"));
  }
  return plan;
}

}  // namespace dunnock
