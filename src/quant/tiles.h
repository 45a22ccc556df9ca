#pragma once
// Tiles of 16 rows or columns, the operands of TileProduct, and what is computed with them. In a
// tile of rows, entry i of row `first + i` and column t is tile[t * 16 + i]; rows beyond the end of
// the matrix are zeros. All functions are for one thread.

#include <cstddef>

#include "kernels/tile_product.h"
#include "quant/matrix.h"
#include "tensor/rows.h"

namespace dunnock {

inline constexpr size_t TilesOf(size_t size) { return (size + kTile - 1) / kTile; }

// Puts rows [first, first + 16) and columns [begin, end) into a tile (end - begin, 16).
void PutTileRows(double* tile, const SquareMatrix& a, size_t first, size_t begin, size_t end);

// a[i + r][j + c] -= sum over t < steps of rows[t * 16 + r] * cols[t * 16 + c], for what lies
// inside of the matrix and left of column `end`.
void SubtractTile(SquareMatrix& a, size_t i, size_t j, size_t end, const double* rows,
                  const double* cols, size_t steps);

// out (cols of `a`, 16) as a tile: the rows of the tile x (steps, 16) times rows
// [first, first + steps) of `a`, for columns [begin, end) of `a`. out[(j - begin) * 16 + r].
void MultiplyRows(double* out, const double* x, const SquareMatrix& a, size_t first, size_t steps,
                  size_t begin, size_t end);

}  // namespace dunnock
