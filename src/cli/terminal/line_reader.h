#pragma once
// Lines from a terminal with editing and history (~/.dunnock_history), or plain ones from a pipe.

#include <histedit.h>

#include <optional>
#include <string>
#include <string_view>

namespace dunnock::cli {

// In the home folder.
inline constexpr std::string_view kHistoryFile = ".dunnock_history";

// One at a time: libedit has one prompt for all.
class LineReader {
 public:
  LineReader();
  ~LineReader();
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;

  // The next line without its end; none at the end of the input. "" where Ctrl-C dropped a line.
  std::optional<std::string> Read(const char* prompt);

 private:
  static inline char prompt_[16];
  static inline bool dropped_ = false, was_empty_ = false;
  bool first_ = true;
  EditLine* edit_ = nullptr;
  History* history_ = nullptr;
  std::string path_;
};

}  // namespace dunnock::cli
