#pragma once
// The memory that this process had at most.

#include <cstdint>

namespace dunnock::cli {

uint64_t PeakRssBytes();

}  // namespace dunnock::cli
