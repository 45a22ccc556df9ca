#pragma once
// A few sentences to compare an encoder with its original on where no other text is at hand:
// questions, statements, captions, instructions and code, most in English, some in other languages,
// followed by passages of four of them each. Written for this purpose; nothing was chosen on them.

#include <string>
#include <vector>

namespace dunnock {

std::vector<std::string> BuiltInSentences();

}  // namespace dunnock
