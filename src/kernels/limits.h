#pragma once
// What this machine can do, measured: the bare rate of the integer dot instruction and of reading
// memory on all threads of the current pool. Benchmarks quote their results as fractions of these,
// taken in the same minute: both change with clock, neighbours and load.

#include <cstddef>

namespace dunnock {

// int8 operations (a multiply and an add are two) a second, from registers.
double MeasureInt8Rate();

// Bytes read a second when all threads stream disjoint, contiguous parts of `bytes` of memory.
double MeasureReadRate(size_t bytes);

}  // namespace dunnock
