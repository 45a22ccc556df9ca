#include "kernels/matmul.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/matmul.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <optional>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "kernels/activations.h"
#include "kernels/norm.h"
#include "kernels/observer.h"
#include "kernels/simd/gemm-inl.h"
#include "kernels/simd/math-inl.h"
#include "kernels/simd/tiles-inl.h"

#ifndef DUNNOCK_MATMUL_ONCE
#define DUNNOCK_MATMUL_ONCE
namespace dunnock {

enum class Epilogue { kStore, kAdd, kGelu, kTanh };

}  // namespace dunnock
#endif

HWY_BEFORE_NAMESPACE();
namespace dunnock::HWY_NAMESPACE {

// Writes the outputs [16 p, 16 p + 16) of n tokens: of(i, to, valid) gives those of token + i, of
// which the first `valid` exist and `to` points to where they go.
template <typename Of>
HWY_INLINE void ForTile(const Rows& out, size_t p, size_t token, size_t n, const Of& of) {
  const size_t row = p * kPanelRows, valid = std::min(out.cols - row, kPanelRows);
  float* to = out[token] + row;
  for (size_t i = 0; i < n; ++i, to += out.cols) {
    // Rows of `out` may lie on different pages: prefetch those of the next tile.
    if (token + n + i < out.count) __builtin_prefetch(to + n * out.cols, 1);
    StoreFirst(of(i, to, valid), to, valid);
  }
}

HWY_NOINLINE void StoreTile(const Rows& out, size_t p, size_t token, size_t n,
                            const FloatLanes* values, Epilogue epilogue) {
  switch (epilogue) {
    case Epilogue::kStore:
      return ForTile(out, p, token, n,
                     [&](size_t i, const float*, size_t) HWY_ATTR { return values[i]; });
    case Epilogue::kAdd:
      return ForTile(out, p, token, n, [&](size_t i, const float* to, size_t valid) HWY_ATTR {
        return Add(LoadFirst(to, valid), values[i]);
      });
    case Epilogue::kGelu:
      return ForTile(out, p, token, n,
                     [&](size_t i, const float*, size_t) HWY_ATTR { return Gelu(values[i]); });
    case Epilogue::kTanh:
      return ForTile(out, p, token, n,
                     [&](size_t i, const float*, size_t) HWY_ATTR { return Tanh(values[i]); });
  }
}

HWY_NOINLINE void StoreSwiGlu(const Rows& out, size_t p, size_t token, size_t n,
                              const FloatLanes* gate, const FloatLanes* up) {
  ForTile(out, p, token, n,
          [&](size_t i, const float*, size_t) HWY_ATTR { return Mul(Silu(gate[i]), up[i]); });
}

// Computes the outputs of panels [begin, end) for all tokens. If a token is two rows of codes, the
// product of the second is added to that of the first.
void ProjectPanels(const Rows& out, const Weight& weight, const Operand& x, Epilogue epilogue,
                   size_t begin, size_t end) {
  const bool fine = x.quantized != nullptr && x.quantized->passes() == 2;
  const size_t rows = fine ? 2 * out.count : out.count;
  const auto store = [&](size_t p, size_t row, size_t n, const FloatLanes* values) HWY_ATTR {
    if (!fine) return StoreTile(out, p, row, n, values, epilogue);
    for (size_t i = row; i < row + n; ++i)
      StoreTile(out, p, i / 2, 1, values++, i % 2 == 0 ? epilogue : Epilogue::kAdd);
  };
  if (UsesGemm(weight, rows)) {
    const auto pair_at = [&](size_t i) -> PanelPair {
      const size_t p = begin + 2 * i;  // a last panel without a partner is paired with itself
      return {{&weight, p}, {&weight, p + 1 < end ? p + 1 : p}};
    };
    Gemm((end - begin + 1) / 2, pair_at, *x.quantized, rows,
         [&](size_t i, size_t row, size_t n, const FloatLanes* one, const FloatLanes* other)
             HWY_ATTR {
               const size_t p = begin + 2 * i;
               store(p, row, n, one);
               if (p + 1 < end) store(p + 1, row, n, other);
             });
    return;
  }
  for (size_t p = begin; p < end; ++p) {
    ForTiles(rows, [&](size_t row, auto size) HWY_ATTR {
      constexpr size_t kTokens = decltype(size)::value;
      store(p, row, kTokens, ComputeTile<kTokens>(weight, p, x, row).value);
    });
  }
}

void SwiGluPanels(const Rows& out, const Weight& gate, const Operand& gate_x, const Weight& up,
                  const Operand& up_x, size_t begin, size_t end) {
  if (UsesGemm(gate, out.count) && gate.encoding == up.encoding &&
      gate_x.quantized == up_x.quantized) {
    const auto pair_at = [&](size_t i) -> PanelPair {
      return {{&gate, begin + i}, {&up, begin + i}};
    };
    Gemm(end - begin, pair_at, *gate_x.quantized, out.count,
         [&](size_t i, size_t token, size_t n, const FloatLanes* g, const FloatLanes* u)
             HWY_ATTR { StoreSwiGlu(out, begin + i, token, n, g, u); });
    return;
  }
  for (size_t p = begin; p < end; ++p) {
    ForTiles(out.count, [&](size_t token, auto size) HWY_ATTR {
      constexpr size_t kTokens = decltype(size)::value;
      const Tile<kTokens> g = ComputeTile<kTokens>(gate, p, gate_x, token);
      const Tile<kTokens> u = ComputeTile<kTokens>(up, p, up_x, token);
      StoreSwiGlu(out, p, token, kTokens, g.value, u.value);
    });
  }
}

}  // namespace dunnock::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace dunnock {

HWY_EXPORT(ProjectPanels);
HWY_EXPORT(SwiGluPanels);

namespace {

constexpr size_t kMostForms = 3;  // in a mixed GGUF file q, k and v may each need their own

// One left operand in all the forms that its weights need, each made once, on demand. The memory is
// the calling thread's and is kept for the next product.
class Operands {
 public:
  explicit Operands(const LeftOperand& x) : x_(x) {}

  Operand For(const Weight& weight) {
    DUNNOCK_CHECK(weight.cols == x_.x.cols);
    ActivationForm form = FormFor(weight);
    if (!form.quantized) return {Floats(), nullptr};
    form.passes = x_.fine ? 2 : 1;
    for (size_t i = 0; i < used_; ++i) {
      if (made_[i]->form() == form) return {x_.x, &*made_[i]};
    }
    DUNNOCK_CHECK(used_ < kMostForms);
    made_[used_].emplace(ThreadScratch(SlotOf(used_))).Quantize(x_, form);
    return {x_.x, &*made_[used_++]};
  }

  // The rows that are multiplied, after the norm and before any rounding.
  ConstRows Floats() {
    if (x_.norm.empty()) return x_.x;
    if (normed_.data != nullptr) return normed_;
    const Rows out = ReserveRows(ThreadScratch(ScratchSlot::kNorm), x_.x.count, x_.x.cols);
    RmsNorm(out, x_.x, x_.norm, x_.epsilon);
    return normed_ = out;
  }

 private:
  static ScratchSlot SlotOf(size_t form) {
    return static_cast<ScratchSlot>(static_cast<size_t>(ScratchSlot::kActivations) + form);
  }

  const LeftOperand& x_;
  ConstRows normed_;
  std::optional<Activations> made_[kMostForms];
  size_t used_ = 0;
};

void Project(std::initializer_list<Projection> projections, const LeftOperand& x,
             Epilogue epilogue) {
  constexpr size_t kMost = 3;
  DUNNOCK_CHECK(projections.size() <= kMost);
  Operands operands(x);
  Operand operand[kMost];
  const Weight* weights[kMost];
  size_t panels = 0, n = 0;
  for (const Projection& p : projections) {
    DUNNOCK_CHECK(p.out.count == x.x.count && p.out.cols == p.weight.rows);
    DUNNOCK_CHECK(!x.fine || (p.weight.bias.size() == 0 && epilogue == Epilogue::kStore));
    weights[n] = &p.weight;
    operand[n++] = operands.For(p.weight);
    panels += p.weight.panel_count();
  }
  if (ProductObserver* observer = CurrentProductObserver())
    observer->See({weights, n}, operands.Floats());
  // One loop over the panels of all weights, so a thread's share may span two of them. Gemm works
  // on pairs of panels.
  const size_t granule = x.x.count < kFewestGemmTokens ? 1 : 2;
  ThreadPool::Current().ParallelFor(panels, granule, [&](size_t begin, size_t end) {
    const auto project = HWY_DYNAMIC_DISPATCH(ProjectPanels);
    size_t first = 0, i = 0;
    for (const Projection& p : projections) {
      const size_t count = p.weight.panel_count();
      const size_t from = begin > first ? begin - first : 0;
      const size_t to = end < first + count ? end - first : count;
      if (end > first && from < to) project(p.out, p.weight, operand[i], epilogue, from, to);
      first += count;
      ++i;
    }
  });
}

}  // namespace

void MatMul(Rows out, const LeftOperand& x, const Weight& weight) {
  Project({{out, weight}}, x, Epilogue::kStore);
}

void MatMul(std::initializer_list<Projection> projections, const LeftOperand& x) {
  Project(projections, x, Epilogue::kStore);
}

void MatMulAdd(Rows out, ConstRows x, const Weight& weight) {
  Project({{out, weight}}, x, Epilogue::kAdd);
}

void GeluMatMul(Rows out, ConstRows x, const Weight& weight) {
  Project({{out, weight}}, x, Epilogue::kGelu);
}

void TanhMatMul(Rows out, ConstRows x, const Weight& weight) {
  Project({{out, weight}}, x, Epilogue::kTanh);
}

void SwiGluMatMul(Rows out, const LeftOperand& x, const Weight& gate, const Weight& up) {
  DUNNOCK_CHECK(gate.rows == up.rows && out.count == x.x.count && out.cols == gate.rows);
  Operands operands(x);
  const Operand gate_x = operands.For(gate), up_x = operands.For(up);
  if (ProductObserver* observer = CurrentProductObserver()) {
    const Weight* const weights[] = {&gate, &up};
    observer->See(weights, operands.Floats());
  }
  ThreadPool::Current().ParallelFor(gate.panel_count(), 1, [&](size_t begin, size_t end) {
    HWY_DYNAMIC_DISPATCH(SwiGluPanels)(out, gate, gate_x, up, up_x, begin, end);
  });
}

}  // namespace dunnock
#endif
