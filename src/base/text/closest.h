#pragma once
// The known word that a misspelled one probably meant, for "did you mean".

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dunnock {

// The word with the fewest edits (insert, delete, replace, swap of neighbours), at most a third of
// its length; the first of several; none if all are farther. A known word that begins with the
// given one (three letters or more) counts as near.
std::optional<std::string> ClosestWord(std::string_view word, std::span<const std::string> known);

}  // namespace dunnock
