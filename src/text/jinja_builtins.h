#pragma once
// Filters, tests and methods of the template language, as jinja2 and Python have them.

#include <string>

#include "text/jinja_value.h"

namespace dunnock::jinja {

// What filters like map and select need of the interpreter.
class Builtins {
 public:
  virtual ~Builtins() = default;
  // Counts work (and memory) against the limits of the rendering.
  virtual Status Charge(size_t amount) = 0;

  // arguments.positional[0] is what stands left of "|" or "is".
  Result<Value> Filter(const std::string& name, Arguments arguments);
  Result<bool> Test(const std::string& name, const Arguments& arguments);
  // A method of a string, list or dict; Undefined if the type has none of this name.
  Value Method(const Value& object, const std::string& name);

  // object.name and object[key] of data.
  Value Attribute(const Value& object, const std::string& path);
  Result<Value> Item(const Value& object, const Value& key);

 private:
  Result<Value> ListFilter(const std::string& name, Arguments& a);
  Result<Value> TextFilter(const std::string& name, Arguments& a);
};

// The elements that a for loop over the value sees.
Result<List> Elements(const Value& value);

// Python's strip of white space, or of any of the characters given.
Text Strip(const Text& text, const std::string* characters, bool left, bool right);

}  // namespace dunnock::jinja
