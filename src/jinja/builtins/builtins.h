#pragma once
// The built-in filters, tests ("is"), methods and global functions of the template language, as in
// jinja2 and Python. Errors of all functions: kInvalid as Python would raise, kUnsupported for a
// name that is not known, kLimit beyond the limits.

#include <string>

#include "jinja/limits.h"
#include "jinja/value.h"

namespace dunnock::jinja {

// arguments.positional[0] is the value to the left of "|" or "is".
Result<Value> ApplyFilter(Limits& limits, const std::string& name, Arguments arguments);
Result<bool> ApplyTest(Limits& limits, const std::string& name, const Arguments& arguments);
bool IsFilter(const std::string& name);
bool IsTest(const std::string& name);
// A method of a string, list or dict; Undefined if the type has no method of this name.
Value FindMethod(Limits& limits, const Value& object, const std::string& name);
// Whether the method exists in Python but would change the object, which templates may not do.
bool IsHiddenMethod(const Value& object, const std::string& name);
bool IsHashable(const Value& value);  // whether it can be a key
// The function range, namespace, raise_exception, ...; Undefined if there is none of this name.
Value FindGlobal(Limits& limits, const std::string& name);

// object[key], and object.a.b as the attribute= of filters names it. Undefined if it is not there.
Result<Value> GetItem(const Value& object, const Value& key);
Result<Value> GetPath(const Value& object, const Value& path);
// The elements that a for loop over the value would visit. Empties a generator.
Result<List> Elements(const Value& value);

// Lengths and positions in characters, not bytes.
size_t CountCharacters(const std::string& text);
Text TextSlice(const Text& text, size_t begin, size_t end);
// Python's str.strip, lstrip and rstrip: of white space, or of any of the given characters.
Text Strip(const Text& text, const std::string* characters, bool left, bool right);
Status CheckReplaced(Limits& limits, const Text& text, const Text& from, const Text& to);
Text Replace(const Text& text, const Text& from, const Text& to, int64_t most);
List Split(const Text& text, const std::string* separator, int64_t most, bool from_right);
List SplitLines(const Text& text, bool keep_ends);
Text EscapeHtml(const Text& text);

std::unexpected<Error> WrongType(const std::string& where, const Value& found, const char* wanted);

}  // namespace dunnock::jinja
