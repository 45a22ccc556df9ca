#pragma once
// What the template language brings along, as jinja2 and Python have it: filters, tests ("is"),
// methods, global functions. One file each.

#include <string>

#include "jinja/limits.h"
#include "jinja/value.h"

namespace dunnock::jinja {

// arguments.positional[0] is what stands left of "|" or "is".
Result<Value> ApplyFilter(Limits& limits, const std::string& name, Arguments arguments);
Result<bool> ApplyTest(Limits& limits, const std::string& name, const Arguments& arguments);
bool IsFilter(const std::string& name);
bool IsTest(const std::string& name);
// A method of a string, list or dict; Undefined if the type has none of this name.
Value FindMethod(Limits& limits, const Value& object, const std::string& name);
// True: it exists in Python, but would change the object, which templates may not.
bool IsHiddenMethod(const Value& object, const std::string& name);
bool IsHashable(const Value& value);  // can be a key
// range, namespace, raise_exception, ... Undefined if there is none of this name.
Value FindGlobal(Limits& limits, const std::string& name);

// object[key], and object.a.b as the filters' attribute= has it. Undefined if it is not there.
Result<Value> GetItem(const Value& object, const Value& key);
Result<Value> GetPath(const Value& object, const Value& path);
// What a for loop over the value sees. It empties a generator.
Result<List> Elements(const Value& value);

// Texts, counted in characters.
size_t CountCharacters(const std::string& text);
Text TextSlice(const Text& text, size_t begin, size_t end);
// Python's strip of white space, or of any of the characters given.
Text Strip(const Text& text, const std::string* characters, bool left, bool right);
Status CheckReplaced(Limits& limits, const Text& text, const Text& from, const Text& to);
Text Replace(const Text& text, const Text& from, const Text& to, int64_t most);
List Split(const Text& text, const std::string* separator, int64_t most, bool from_right);
List SplitLines(const Text& text, bool keep_ends);
Text EscapeHtml(const Text& text);

std::unexpected<Error> WrongType(const std::string& where, const Value& found, const char* wanted);

}  // namespace dunnock::jinja
