#pragma once
// What is done with each key of a side file (config.json, generation_config.json, ...). The code
// that reads a file keeps one table of the keys that the reference implementation heeds there, and
// checks the file against it, so that no setting that would change an answer is ignored without a
// word. A key that is in no table is one that the reference does not know either: it is harmless.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

enum class Treatment {
  kDone,      // read and honoured
  kHarmless,  // changes no answer here: names, training, storage
  kNoted,     // not done: the user is told, the rest still works
  kRefused,   // not done, and the answers would be wrong without it: an error
};

struct Setting {
  std::string_view key;
  Treatment treatment;
  // Values under which a noted or refused key asks for nothing, as a JSON array: "[1, false]". Null
  // and an absent key always ask for nothing.
  std::string_view neutral = "[]";
  // What happens here instead (noted), or what is expected (refused).
  std::string_view instead = "";
};

// Checks the members of `object`, which is what the file `file` holds, against the table. A note is
// added for each noted key that asks for something; the error names the first refused one, with its
// value. An object that is null or of another type has no settings.
Status CheckSettings(std::vector<std::string>* notes, std::string_view file, const Json& object,
                     std::span<const Setting> table);

}  // namespace dunnock
