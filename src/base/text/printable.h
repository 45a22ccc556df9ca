#pragma once
// Makes text from files, models and the network safe to show on a terminal: nothing in it can move
// the cursor, change colours or hide other text.

#include <string>
#include <string_view>

namespace dunnock {

// Replaces control characters, marks that change the direction of text, and bytes that are not
// UTF-8 with escapes such as "\x1b" or "\u202e". Characters in `keep` stay: "\n\t" for text of
// several lines.
std::string Printable(std::string_view text, std::string_view keep = "");

// Cuts words of more than 1000 bytes in a message: a name of a megabyte must not fill the screen.
std::string Shortened(std::string_view message);

}  // namespace dunnock
