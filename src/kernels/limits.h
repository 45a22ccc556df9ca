#pragma once
// What this machine can do at most, measured: the rate of the integer dot instruction alone and of
// reading memory, on all threads of the current pool. Benchmarks quote their results as fractions
// of these limits, measured in the same minute, because clock rate and other load change them.

#include <cstddef>

namespace dunnock {

// int8 operations per second with all operands in registers; a multiply and an add count as two.
// The best of several runs, about 0.2 seconds in all.
double MeasureInt8Rate();

// Bytes read per second while each thread reads a contiguous part of its own of `bytes` of memory.
// The best of several runs, about 0.3 seconds in all. Throws OutOfMemory.
double MeasureReadRate(size_t bytes);

}  // namespace dunnock
