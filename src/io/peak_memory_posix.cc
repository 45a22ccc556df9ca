#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>

#include "io/file.h"
#include "io/peak_memory.h"

namespace dunnock {

uint64_t PeakRssBytes() {
  // What getrusage says began with the process that started this one.
  if (const auto status = ReadTextFile("/proc/self/status")) {
    constexpr std::string_view kPeak = "VmHWM:";
    if (const size_t at = status->find(kPeak); at != std::string::npos)
      return std::strtoull(status->c_str() + at + kPeak.size(), nullptr, 10) * 1024;
  }
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<uint64_t>(usage.ru_maxrss) * 1024;
}

bool ResetPeakRss() {
  const int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
  if (file < 0) return false;
  const bool done = write(file, "5", 1) == 1;
  close(file);
  return done;
}

}  // namespace dunnock
