#pragma once
// What the program says: data on stdout, notes and errors on stderr.

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock::cli {

struct Common;

void PrintJson(const OrderedJson& json);  // one line
void Print(std::string_view text);        // to stdout, flushed
// Text of a model or a file: as it is into a pipe, and Printable on a terminal.
void PrintText(std::string_view text);
Status FinishOutput();  // an error if any of the output could not be written
// To stderr as a line, Printable. A note is said once, and not with --quiet.
void Complain(std::string_view text);
void Note(const Common& common, const std::string& text);

// Texts of which the model could not read all, to be told in one note.
struct CutTexts {
  std::vector<size_t> left_out;  // tokens of each text
  size_t most = 0;               // that the model read of one
  void Add(size_t read, size_t cut) {
    left_out.push_back(cut);
    most = std::max(most, read);
  }
};
void NoteCut(const Common& common, const CutTexts& texts, std::string_view what);

}  // namespace dunnock::cli
