#include "quant/gptq.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/system/thread_pool.h"
#include "quant/tiles.h"

namespace dunnock {
namespace {

constexpr size_t kBlock = 32;  // columns that are rounded between two products with the factor

// Calls body(first, count) for rows in tiles of 16.
template <typename Body>
void ForRowTiles(size_t rows, const Body& body) {
  ThreadPool::Current().ParallelFor(rows, kTile, [&](size_t begin, size_t end) {
    for (size_t first = begin; first < end; first += kTile)
      body(first, std::min(kTile, rows - first));
  });
}

// Rounds 16 rows. Entries (k, r) of its tiles are of column k of the factor and row first + r.
class TileRounder {
 public:
  TileRounder(Codes& out, ConstRows weights, const HessianFactor& factor, float rms, size_t first,
              size_t count)
      : out_(out),
        factor_(factor),
        lower_(factor.lower),
        rms_(rms),
        first_(first),
        count_(count),
        weights_(out.cols * kTile),
        errors_(out.cols * kTile) {
    for (size_t k = 0; k < out.cols; ++k) {
      for (size_t r = 0; r < count; ++r)
        weights_[k * kTile + r] = weights[first + r][factor.order[k]];
    }
    if (out.grid.group != 0) return;
    for (size_t r = 0; r < count; ++r)
      out.scales[first + r] = ScaleFor(out.grid, {weights[first + r], out.cols}, rms);
  }

  void Run() {
    const size_t block = out_.grid.group == 0 ? kBlock : out_.grid.group;
    for (size_t end = out_.cols; end > 0;) {
      const size_t begin = (end - 1) / block * block;
      RoundBlock(begin, end);
      end = begin;
    }
  }

 private:
  void RoundBlock(size_t begin, size_t end) {
    const size_t cols = out_.cols;
    // What the errors of all columns that are rounded already contribute to the block's.
    std::vector<double> owed((end - begin) * kTile);
    MultiplyRows(owed.data(), errors_.data() + end * kTile, lower_, end, cols - end, begin, end);
    if (out_.grid.group != 0) ChooseScales(owed, begin, end);
    const size_t groups = cols / out_.group();
    for (size_t k = end; k-- > begin;) {
      double* const owes = &owed[(k - begin) * kTile];
      for (size_t j = k + 1; j < end; ++j) AddTo(owes, &errors_[j * kTile], lower_[j][k]);
      const size_t column = factor_.order[k];
      for (size_t r = 0; r < count_; ++r) {
        const size_t row = first_ + r;
        const double weight = weights_[k * kTile + r];
        const float scale = out_.scales[row * groups + column / out_.group()];
        const uint8_t code = CodeFor(out_.grid, weight + owes[r] / lower_[k][k], scale);
        out_.codes[row * cols + column] = code;
        errors_[k * kTile + r] = weight - double{scale} * (code - out_.grid.centre());
      }
    }
  }

  // The scales of the group at [begin, end), from its columns as the best real numbers make up for
  // `owed`: W + owed L_block^-1.
  void ChooseScales(const std::vector<double>& owed, size_t begin, size_t end) {
    std::vector<double> moved(owed);
    for (size_t k = end; k-- > begin;) {
      double* const here = &moved[(k - begin) * kTile];
      for (size_t j = k + 1; j < end; ++j) AddTo(here, &moved[(j - begin) * kTile], -lower_[j][k]);
      for (size_t r = 0; r < kTile; ++r) here[r] /= lower_[k][k];
    }
    const size_t group = out_.group(), groups = out_.cols / group;
    const size_t g = factor_.order[begin] / group;
    std::vector<float> values(group);
    for (size_t r = 0; r < count_; ++r) {
      for (size_t k = begin; k < end; ++k) {
        values[factor_.order[k] - g * group] =
            static_cast<float>(weights_[k * kTile + r] + moved[(k - begin) * kTile + r]);
      }
      out_.scales[(first_ + r) * groups + g] = ScaleFor(out_.grid, values, rms_);
    }
  }

  static void AddTo(double* sum, const double* x, double factor) {
    for (size_t r = 0; r < kTile; ++r) sum[r] += x[r] * factor;
  }

  Codes& out_;
  const HessianFactor& factor_;
  const SquareMatrix& lower_;
  const float rms_;
  const size_t first_, count_;
  std::vector<double> weights_, errors_;  // (cols, 16)
};

// x L^T = y, then z L = x, in place of y (cols, 16): z = y (L L^T)^-1.
void Solve(const SquareMatrix& lower, double* y) {
  const size_t cols = lower.size();
  std::vector<double> rows(kTile * cols), product(kTile * kTile);
  const auto subtract = [&](size_t k, size_t j, double factor) {
    for (size_t r = 0; r < kTile; ++r) y[k * kTile + r] -= y[j * kTile + r] * factor;
  };
  const auto divide = [&](size_t k) {
    for (size_t r = 0; r < kTile; ++r) y[k * kTile + r] /= lower[k][k];
  };
  for (size_t begin = 0; begin < cols; begin += kTile) {
    const size_t end = std::min(cols, begin + kTile);
    PutTileRows(rows.data(), lower, begin, 0, begin);
    TileProduct(product.data(), rows.data(), kTile, y, kTile, begin);
    for (size_t i = 0; i < (end - begin) * kTile; ++i) y[begin * kTile + i] -= product[i];
    for (size_t k = begin; k < end; ++k) {
      for (size_t j = begin; j < k; ++j) subtract(k, j, lower[k][j]);
      divide(k);
    }
  }
  for (size_t end = cols; end > 0;) {
    const size_t begin = (end - 1) / kTile * kTile;
    MultiplyRows(product.data(), y + end * kTile, lower, end, cols - end, begin, end);
    for (size_t i = 0; i < (end - begin) * kTile; ++i) y[begin * kTile + i] -= product[i];
    for (size_t k = end; k-- > begin;) {
      for (size_t j = k + 1; j < end; ++j) subtract(k, j, lower[j][k]);
      divide(k);
    }
    end = begin;
  }
}

}  // namespace

Codes RoundCalibrated(ConstRows weights, const HessianFactor& factor, const Grid& grid) {
  DUNNOCK_CHECK(factor.lower.size() == weights.cols);
  Codes out = ZeroCodes(grid, weights.count, weights.cols);
  for (size_t k = 0; grid.group != 0 && k < weights.cols; ++k)
    DUNNOCK_CHECK(factor.order[k] / grid.group ==
                  factor.order[k / grid.group * grid.group] / grid.group);
  const float rms = grid.step.rule == Step::kMeanRms ? RmsOf(weights) : 0.0f;
  ForRowTiles(weights.count, [&](size_t first, size_t count) {
    TileRounder(out, weights, factor, rms, first, count).Run();
  });
  return out;
}

std::vector<float> CompensateDrift(ConstRows weights, const SquareMatrix& drift,
                                   const HessianFactor& factor, double share) {
  const size_t cols = weights.cols;
  DUNNOCK_CHECK(drift.size() == cols && factor.lower.size() == cols);
  SquareMatrix ordered(cols);  // its columns in the factor's order
  ThreadPool::Current().ParallelFor(cols, kTile, [&](size_t begin, size_t end) {
    for (size_t i = begin; i < end; ++i) {
      for (size_t k = 0; k < cols; ++k) ordered[i][k] = drift[i][factor.order[k]];
    }
  });
  std::vector<float> out(weights.size());
  ForRowTiles(weights.count, [&](size_t first, size_t count) {
    std::vector<double> tile(cols * kTile), moved(cols * kTile);
    for (size_t k = 0; k < cols; ++k) {
      for (size_t r = 0; r < count; ++r) tile[k * kTile + r] = weights[first + r][k];
    }
    MultiplyRows(moved.data(), tile.data(), ordered, 0, cols, 0, cols);
    Solve(factor.lower, moved.data());
    for (size_t k = 0; k < cols; ++k) {
      const size_t column = factor.order[k];
      for (size_t r = 0; r < count; ++r) {
        out[(first + r) * cols + column] =
            static_cast<float>(tile[column * kTile + r] + share * moved[k * kTile + r]);
      }
    }
  });
  return out;
}

void RefitScales(Codes& codes, ConstRows weights, const SquareMatrix& hessian) {
  const size_t cols = codes.cols, group = codes.group(), groups = cols / group;
  DUNNOCK_CHECK(weights.count == codes.rows && weights.cols == cols && hessian.size() == cols);
  const int sweeps = groups == 1 ? 1 : 2;
  ForRowTiles(codes.rows, [&](size_t first, size_t count) {
    // Of 16 rows: errors e, e H, the codes of a group less their centre, and these times H.
    std::vector<double> errors(cols * kTile), costs(cols * kTile), steps(group * kTile),
        step_costs(cols * kTile);
    for (size_t k = 0; k < cols; ++k) {
      for (size_t r = 0; r < count; ++r) {
        errors[k * kTile + r] =
            weights[first + r][k] - double{codes.scale(first + r, k)} * codes.step(first + r, k);
      }
    }
    MultiplyRows(costs.data(), errors.data(), hessian, 0, cols, 0, cols);
    for (int sweep = 0; sweep < sweeps; ++sweep) {
      for (size_t g = 0; g < groups; ++g) {
        for (size_t k = 0; k < group; ++k) {
          for (size_t r = 0; r < count; ++r)
            steps[k * kTile + r] = codes.step(first + r, g * group + k);
        }
        MultiplyRows(step_costs.data(), steps.data(), hessian, g * group, group, 0, cols);
        for (size_t r = 0; r < count; ++r) {
          double slope = 0, square = 0;  // of the loss: -2 slope * d + square * d^2 for scale + d
          for (size_t k = 0; k < group; ++k) {
            slope += costs[(g * group + k) * kTile + r] * steps[k * kTile + r];
            square += step_costs[(g * group + k) * kTile + r] * steps[k * kTile + r];
          }
          if (!(square > 0)) continue;
          float& scale = codes.scales[(first + r) * groups + g];
          const float better = StoredScale(codes.grid, scale + slope / square);
          const double change = double{better} - scale;
          if (!(better > 0.0f) || !(square * change * change < 2 * slope * change)) continue;
          scale = better;
          for (size_t k = 0; k < cols; ++k)
            costs[k * kTile + r] -= change * step_costs[k * kTile + r];
        }
      }
    }
  });
}

double LossOf(ConstRows weights, const Codes& codes, const SquareMatrix& hessian) {
  const size_t cols = codes.cols;
  DUNNOCK_CHECK(weights.count == codes.rows && weights.cols == cols && hessian.size() == cols);
  std::vector<double> lost(codes.rows), whole(codes.rows);
  ForRowTiles(codes.rows, [&](size_t first, size_t count) {
    std::vector<double> tile(cols * kTile), costs(cols * kTile);
    const auto measure = [&](std::vector<double>& out, const auto& value) {
      for (size_t k = 0; k < cols; ++k) {
        for (size_t r = 0; r < count; ++r) tile[k * kTile + r] = value(first + r, k);
      }
      MultiplyRows(costs.data(), tile.data(), hessian, 0, cols, 0, cols);
      for (size_t k = 0; k < cols; ++k) {
        for (size_t r = 0; r < count; ++r)
          out[first + r] += costs[k * kTile + r] * tile[k * kTile + r];
      }
    };
    measure(whole, [&](size_t row, size_t k) { return double{weights[row][k]}; });
    measure(lost, [&](size_t row, size_t k) {
      return weights[row][k] - double{codes.scale(row, k)} * codes.step(row, k);
    });
  });
  double error = 0, total = 0;
  for (size_t row = 0; row < codes.rows; ++row) {
    error += lost[row];
    total += whole[row];
  }
  if (total > 0) return error / total;
  return error > 0 ? INFINITY : 0;
}

}  // namespace dunnock
