// What calibrated rounding gains on the matrices of one layer, and what it costs: the relative loss
// of the outputs on the text that was calibrated on and on text that was not, the entropy of the
// codes, and seconds.
//
//   calibration_bench MODEL TEXT LAYER [TOKENS]
//
// MODEL: a GGUF file or a checkpoint folder of a decoder, computed in float32. TEXT: a file of
// plain text. Of its first TOKENS tokens (4096), in windows of 512, every fourth window is held
// out. LAYER: an index from 0.

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <span>

#include "base/str.h"
#include "io/file.h"
#include "kernels/activations.h"
#include "kernels/packing/pack.h"
#include "models/forward.h"
#include "quant/gptq.h"
#include "runtime/engine.h"

using namespace dunnock;

namespace {

constexpr size_t kWindow = 512;

// The Hessians of the products of one layer, of the windows that are calibrated on and of the
// others.
class Gather final : public ProductObserver, public WeightVisitor {
 public:
  struct Product {
    std::string name;
    Hessian calibration, held_out;
  };

  Gather(Model& model, size_t layer) : layer_(Str(".", layer, ".")) { model.VisitWeights(*this); }

  void Linear(const std::string& name, Weight* weight, size_t, size_t cols, Bias,
              RowSlice slice) override {
    if (name.find(layer_) == std::string::npos) return;
    const size_t rotation = RotationBlock(cols);
    products.emplace(weight, Product{PackedName(name, weight->rows, slice), Hessian(cols, rotation),
                                     Hessian(cols, rotation)});
  }
  void Vector(const std::string&, std::vector<float>*, size_t) override {}
  void Embedding(const std::string&, Table*, size_t, size_t) override {}

  void See(std::span<const Weight* const> weights, ConstRows x) override {
    const auto start = std::chrono::steady_clock::now();
    for (const Weight* weight : weights) {
      const auto it = products.find(weight);
      if (it != products.end()) (hold_out ? it->second.held_out : it->second.calibration).Add(x);
    }
    seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  }

  std::map<const Weight*, Product> products;
  bool hold_out = false;
  double seconds = 0;  // in Hessians

 private:
  std::string layer_;
};

void Compare(const Weight& weight, Gather::Product& product) {
  std::vector<float> values(weight.rows * weight.cols);
  const size_t block = RotationBlock(weight.cols);
  for (size_t row = 0; row < weight.rows; ++row) {
    const std::span<float> to(&values[row * weight.cols], weight.cols);
    UnpackRow(weight, row, to);
    Rotate(to.data(), to.size(), block);
    for (float& v : to) v /= static_cast<float>(block);
  }
  const ConstRows rows(values.data(), weight.rows, weight.cols);
  const SquareMatrix& hessian = product.calibration.Sum();
  const SquareMatrix& other = product.held_out.Sum();
  std::printf("%s (%zu, %zu), %zu tokens, %zu held out\n", product.name.c_str(), weight.rows,
              weight.cols, product.calibration.tokens(), product.held_out.tokens());
  const auto print = [&](const Grid& grid, const char* method, const auto& make) {
    const auto start = std::chrono::steady_clock::now();
    const Codes codes = make();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    std::printf("  %d bits  group %4zu  %-22s loss %.6f  held out %.6f  entropy %.3f  %.2f s\n",
                grid.bits, grid.group, method, LossOf(rows, codes, hessian),
                LossOf(rows, codes, other), EntropyOf(codes.codes), seconds);
  };
  for (const Grid& grid :
       {Grid{3}, Grid{4}, Grid{5}, Grid{4, 32}, Grid{4, 0, {Step::kRms, .42f}}}) {
    if (grid.group != 0 && weight.cols % grid.group != 0) continue;
    const auto refitted = [&](Codes codes) {
      RefitScales(codes, rows, hessian);
      return codes;
    };
    const auto calibrated = [&](bool by_diagonal) {
      const auto factor = FactorOf(hessian, {0.01, by_diagonal, grid.group});
      if (!factor) {
        std::fprintf(stderr, "error: %s\n", factor.error().message.c_str());
        std::exit(1);
      }
      return RoundCalibrated(rows, *factor, grid);
    };
    print(grid, "nearest", [&] { return RoundToNearest(rows, grid); });
    print(grid, "nearest, refitted", [&] { return refitted(RoundToNearest(rows, grid)); });
    print(grid, "in column order", [&] { return calibrated(false); });
    print(grid, "by diagonal", [&] { return calibrated(true); });
    print(grid, "by diagonal, refitted", [&] { return refitted(calibrated(true)); });
  }
}

Result<int> Measure(const std::string& path, const std::string& text_path, size_t layer,
                    size_t tokens) {
  FileSet files;
  if (path.ends_with(".gguf")) {
    DUNNOCK_TRY(files["model.gguf"], MapFile(path));
  } else {
    DUNNOCK_TRY(files, MapFolder(path));
  }
  EngineOptions options;
  options.compute = Compute::kF32;
  DUNNOCK_TRY(const auto engine, Engine::Load(std::move(files), options));
  const ThreadPool::Use use(engine->pool());
  DUNNOCK_TRY(const Blob text, MapFile(text_path));
  const ByteSpan bytes = text.bytes();
  DUNNOCK_TRY(const std::vector<int32_t> ids,
              engine->EncodeText({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  Gather gather(engine->model(), layer);
  if (gather.products.empty()) return Invalid(Str("no matrix of layer ", layer));
  const Model& model = engine->model();
  const size_t windows = std::min(tokens, ids.size()) / kWindow;
  if (windows < 4)
    return Invalid(Str("the text has ", ids.size(), " tokens, at least 2048 needed"));
  const auto start = std::chrono::steady_clock::now();
  for (size_t i = 0; i < windows; ++i) {
    gather.hold_out = i % 4 == 3;
    KvCache cache(model.info().kv, kWindow);
    BatchBuilder batch;
    batch.Add(cache, std::span(ids).subspan(i * kWindow, kWindow));
    std::vector<float> hidden(kWindow * model.info().hidden_size);
    Scratch scratch;
    Forward(model, {hidden.data(), kWindow, model.info().hidden_size}, batch.batch(), scratch,
            {.products = &gather});
  }
  std::printf("%zu windows of %zu tokens: %.2f s, of these %.2f in Hessians\n", windows, kWindow,
              std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(),
              gather.seconds);
  for (auto& [weight, product] : gather.products) Compare(*weight, product);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 4) {
    std::fprintf(stderr, "usage: calibration_bench MODEL TEXT LAYER [TOKENS]\n");
    return 2;
  }
  const auto result = Measure(argv[1], argv[2], std::strtoul(argv[3], nullptr, 10),
                              argc > 4 ? std::strtoul(argv[4], nullptr, 10) : 4096);
  if (result) return 0;
  std::fprintf(stderr, "error: %s\n", result.error().message.c_str());
  return 1;
}
