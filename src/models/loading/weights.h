#pragma once
// What a model is made of, and the visitor that sees each part once by its Hugging Face name.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/progress.h"
#include "models/loading/table.h"
#include "tensor/weight.h"

namespace dunnock {

enum class Bias { kNone, kYes };

// Where a weight lies in a tensor that holds several, one above the other (a fused q, k and v).
struct RowSlice {
  size_t first = 0;
  size_t total = 0;  // rows of the tensor; 0: the weight is all of it
};

// What a bundle calls the packed form of a weight: NAME, or NAME.FIRST-END for a slice.
std::string PackedName(const std::string& name, size_t rows, RowSlice slice);

class WeightVisitor {
 public:
  virtual ~WeightVisitor() = default;
  // NAME.weight (rows, cols) and, with Bias::kYes, NAME.bias (rows); or a slice of its rows.
  virtual void Linear(const std::string& name, Weight* weight, size_t rows, size_t cols,
                      Bias bias = Bias::kNone, RowSlice slice = {}) = 0;
  // The same for the matrix that makes logits or labels of the last hidden state. NAME is that of
  // an embedding table where the model ties the two.
  virtual void Head(const std::string& name, Weight* weight, size_t rows, size_t cols,
                    Bias bias = Bias::kNone) {
    Linear(name, weight, rows, cols, bias);
  }
  // NAME (size), always float32.
  virtual void Vector(const std::string& name, std::vector<float>* vector, size_t size) = 0;
  // NAME.weight (rows, cols).
  virtual void Embedding(const std::string& name, Table* table, size_t rows, size_t cols) = 0;
};

}  // namespace dunnock
