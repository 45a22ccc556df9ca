#pragma once
// Settings: what is done with each key of a side file (config.json, generation_config.json, ...).
// The code that reads a file has one table of the keys that the reference implementation obeys, and
// checks the file against it, so that no setting that would change an answer is ignored silently. A
// key that is not in the table is unknown to the reference as well, and harmless.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/result.h"

namespace dunnock {

enum class Treatment {
  kDone,      // read and obeyed
  kHarmless,  // changes no answer here: names, training, storage
  kNoted,     // not implemented: the user is told, the rest still works
  kRefused,   // not implemented, and answers would be wrong without it: an error
};

struct Setting {
  std::string_view key;
  Treatment treatment;
  // Values with which a noted or refused key has no effect, as a JSON array: "[1, false]". A key
  // that is null or absent never has any.
  std::string_view neutral = "[]";
  // What happens here instead (kNoted), or what is expected (kRefused), for the message.
  std::string_view instead = "";
};

// Checks the members of `object`, the content of the file named `file`, against the table. Adds a
// note for each kNoted key with a value that is not neutral; kUnsupported, with key and value, for
// the first kRefused one. Anything but an object has no settings.
Status CheckSettings(std::vector<std::string>* notes, std::string_view file, const Json& object,
                     std::span<const Setting> table);

}  // namespace dunnock
