#pragma once
// The memory that this process had at most, pages of mapped files counted, native only.

#include <cstdint>

namespace dunnock {

// In bytes, since the process began or since the last ResetPeakRss() that succeeded.
uint64_t PeakRssBytes();
// Lets the peak begin anew at what is in memory now. False where the system cannot do that.
bool ResetPeakRss();

}  // namespace dunnock
