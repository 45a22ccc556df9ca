#pragma once
// Makes text from files, models and the network safe to show on a terminal: nothing in it can move
// the cursor, change colours or hide other text.

#include <string>
#include <string_view>

namespace dunnock {

// Control characters, marks that turn the direction of text and bytes that are not UTF-8 become
// "\x1b" or "\u202e". Characters of `keep` stay as they are: "\n\t" for text of several lines.
std::string Printable(std::string_view text, std::string_view keep = "");

// A message whose words of hostile length are cut: a name of a megabyte must not fill the screen.
std::string Shortened(std::string_view message);

}  // namespace dunnock
