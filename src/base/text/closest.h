#pragma once
// Finds the known word that a misspelled one probably meant, for "did you mean".

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace dunnock {

// The known word that takes the fewest edits (insert, delete, replace a character, or swap two
// neighbours; "optimal string alignment"), the first of several. nullopt if all known words take
// more edits than a third of their length and more than one. A known word that begins with `word`
// (three letters or more) counts as near.
std::optional<std::string> ClosestWord(std::string_view word, std::span<const std::string> known);

}  // namespace dunnock
