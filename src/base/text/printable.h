#pragma once
// Text from files, models and the network as it may be shown: nothing in it can move a cursor,
// change a colour or hide what stands beside it.

#include <string>
#include <string_view>

namespace dunnock {

// Control characters, marks that turn the direction of text and bytes that are not UTF-8 become
// "\x1b" or "\u202e". Characters of `keep` stay as they are: "\n\t" for text of several lines.
std::string Printable(std::string_view text, std::string_view keep = "");

// A message whose words of hostile length are cut: a name of a megabyte must not fill the screen.
std::string Shortened(std::string_view message);

}  // namespace dunnock
