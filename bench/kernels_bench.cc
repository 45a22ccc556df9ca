// Matrix products at the shapes of the models, as fractions of what the machine can do in the same
// minute: of the bare rate of the integer dot for prompts, of the reading rate for one token.
//   build/release/bench/kernels_bench [--benchmark_filter=...]; DUNNOCK_THREADS and DUNNOCK_CPU

#include <benchmark/benchmark.h>

#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "base/system/thread_pool.h"
#include "kernels/limits.h"
#include "kernels/matmul.h"
#include "kernels/packing/pack.h"
#include "kernels/target.h"

namespace dunnock {
namespace {

struct Limits {
  double int8_rate, read_rate;
};

std::vector<float> Random(size_t n) {
  std::mt19937 random(1);
  std::vector<float> out(n);
  for (float& v : out) v = static_cast<float>(random() % 2001) / 1000.0f - 1.0f;
  return out;
}

Weight Make(WeightEncoding encoding, size_t rows, size_t cols) {
  const std::vector<float> row = Random(cols);
  if (encoding == WeightEncoding::kInt8 || encoding == WeightEncoding::kInt4) {
    return PackRows(encoding, rows, cols, [&](size_t, std::span<float> out) {
      std::copy(row.begin(), row.end(), out.begin());
    });
  }
  return PackGrouped({CodeBits(encoding), 32, 32, true}, rows, cols,
                     [&](size_t r, const AffineRow& out) {
                       for (size_t k = 0; k < cols; ++k)
                         out.codes[k] = static_cast<uint8_t>((k * 7 + r) % 16);
                       for (float& s : out.scales) s = 0.5f;
                       for (float& m : out.minimums) m = -4.0f;
                     });
}

void Product(benchmark::State& state, ThreadPool& pool, const Limits& limits,
             WeightEncoding encoding, size_t rows, size_t cols, size_t tokens) {
  const ThreadPool::Use use(pool);
  const Weight weight = Make(encoding, rows, cols);
  const std::vector<float> x = Random(tokens * cols);
  std::vector<float> out(tokens * rows);
  for (auto _ : state) {
    MatMul({out.data(), tokens, rows}, ConstRows{x.data(), tokens, cols}, weight);
    benchmark::ClobberMemory();
  }
  const double runs = static_cast<double>(state.iterations());
  const double operations = 2.0 * static_cast<double>(rows * cols * tokens);
  state.counters["GOP/s"] =
      benchmark::Counter(runs * operations / 1e9, benchmark::Counter::kIsRate);
  state.counters["of int8"] =
      benchmark::Counter(runs * operations / limits.int8_rate, benchmark::Counter::kIsRate);
  state.counters["of read"] =
      benchmark::Counter(runs * static_cast<double>(weight.size_bytes()) / limits.read_rate,
                         benchmark::Counter::kIsRate);
}

}  // namespace
}  // namespace dunnock

int main(int argc, char** argv) {
  using namespace dunnock;
  const char* threads = std::getenv("DUNNOCK_THREADS");
  ThreadPool pool(threads != nullptr ? std::stoul(threads) : ThreadPool::DefaultThreads());
  const ThreadPool::Use use(pool);
  if (const char* cpu = std::getenv("DUNNOCK_CPU")) {
    if (const Status forced = ForceTarget(cpu); !forced) {
      std::fprintf(stderr, "%s\n", forced.error().message.c_str());
      return 1;
    }
  }
  const Limits limits{MeasureInt8Rate(), MeasureReadRate(size_t{256} << 20)};
  benchmark::AddCustomContext("kernels", CurrentTarget());
  benchmark::AddCustomContext("int8 GOP/s", std::to_string(limits.int8_rate / 1e9));
  benchmark::AddCustomContext("read GB/s", std::to_string(limits.read_rate / 1e9));
  constexpr struct {
    const char* name;
    size_t rows, cols;
  } kShapes[] = {{"135M.qkv", 960, 576},   {"135M.up", 3072, 576},    {"135M.down", 576, 1536},
                 {"360M.up", 5120, 960},   {"1.1B.qkv", 4096, 2048},  {"1.1B.down", 2048, 5632},
                 {"MiniLM.up", 1536, 384}, {"MiniLM.down", 384, 1536}};
  for (const WeightEncoding encoding :
       {WeightEncoding::kInt4, WeightEncoding::kInt8, WeightEncoding::kInt4Grouped}) {
    for (const auto& shape : kShapes) {
      for (const size_t tokens : {1, 4, 16, 128, 512}) {
        const std::string name =
            std::string(NameOf(encoding)) + "/" + shape.name + "/" + std::to_string(tokens);
        benchmark::RegisterBenchmark(name.c_str(),
                                     [&, encoding, shape, tokens](benchmark::State& state) {
                                       Product(state, pool, limits, encoding, shape.rows,
                                               shape.cols, tokens);
                                     })
            ->UseRealTime()
            ->Unit(benchmark::kMicrosecond);
      }
    }
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
}
