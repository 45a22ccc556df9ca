#pragma once
// Upper, lower and title case as in Python's str ("ß" becomes "SS", "ΑΣ" becomes "ας").

#include <string>

namespace dunnock::jinja {

std::string UpperCase(const std::string& text);
std::string LowerCase(const std::string& text);
std::string SwappedCase(const std::string& text);
std::string Capitalized(const std::string& text);
std::string TitleCase(const std::string& text);         // str.title: after anything but a letter
std::string TitleCaseOfWords(const std::string& text);  // jinja2's filter: after spaces, brackets

bool IsUpperCase(const std::string& text);  // str.isupper: has cased letters, all of them upper
bool IsLowerCase(const std::string& text);
bool IsTitleCase(const std::string& text);

}  // namespace dunnock::jinja
