#include "cli/terminal/line_reader.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "base/str.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"

namespace dunnock::cli {

LineReader::LineReader() {
  if (!StdinIsTerminal()) return;
  edit_ = el_init("dunnock", stdin, stdout, stderr);
  history_ = history_init();
  HistEvent event;
  history(history_, &event, H_SETSIZE, 500);
  const char* home = std::getenv("HOME");
  if (home != nullptr) path_ = Str(home, "/", kHistoryFile);
  if (!path_.empty()) history(history_, &event, H_LOAD, path_.c_str());
  el_set(edit_, EL_PROMPT, +[](EditLine*) -> char* { return prompt_; });
  el_set(edit_, EL_EDITOR, "emacs");
  el_set(edit_, EL_HIST, history, history_);
  el_set(edit_, EL_SIGNAL, 1);
  // While a line is edited Ctrl-C is a key: it drops the line.
  el_set(edit_, EL_SETTY, "-d", "-isig", nullptr);
  // The wide form: el_set would copy both names and never free them.
  el_wset(
      edit_, EL_ADDFN, L"drop-line", L"Drop the line", +[](EditLine* edit, int) -> unsigned char {
        const LineInfo* line = el_line(edit);
        dropped_ = true;
        was_empty_ = line->lastchar == line->buffer;
        return CC_NEWLINE;
      });
  el_set(edit_, EL_BIND, "^C", "drop-line", nullptr);
  el_source(edit_, nullptr);
}

LineReader::~LineReader() {
  if (edit_ == nullptr) return;
  HistEvent event;
  if (!path_.empty()) history(history_, &event, H_SAVE, path_.c_str());
  history_end(history_);
  el_end(edit_);
}

std::optional<std::string> LineReader::Read(const char* prompt) {
  std::string line;
  if (edit_ == nullptr) {
    if (!std::getline(std::cin, line)) return std::nullopt;
    if (line.ends_with('\r')) line.pop_back();
    if (first_ && line.starts_with("\xEF\xBB\xBF")) line.erase(0, 3);
    first_ = false;
    return line;
  }
  std::snprintf(prompt_, sizeof prompt_, "%s", prompt);
  int count = 0;
  dropped_ = false;
  el_set(edit_, EL_PREP_TERM, 1);  // before the prompt shows: Ctrl-C is a key from there on
  const char* text = el_gets(edit_, &count);
  if (dropped_) {
    Print(was_empty_ ? "\nCtrl-D or /exit leaves\n" : "\n");
    return "";
  }
  if (text == nullptr || count <= 0) return std::nullopt;
  line.assign(text, static_cast<size_t>(count));
  while (!line.empty() && line.back() == '\n') line.pop_back();
  HistEvent event;
  if (!line.empty()) history(history_, &event, H_ENTER, line.c_str());
  return line;
}

}  // namespace dunnock::cli
