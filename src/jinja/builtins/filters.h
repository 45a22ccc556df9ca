#pragma once
// The tables of filters; ApplyFilter (builtins.h) finds them by name.

#include <span>
#include <string_view>

#include "jinja/builtins/builtins.h"

namespace dunnock::jinja {

struct NamedFilter {
  std::string_view name;
  size_t most_arguments;  // including the value itself
  Result<Value> (*call)(Limits& limits, const Arguments& a);
};

std::span<const NamedFilter> ValueFilters();  // default, tojson, int, ...: filters.cc
std::span<const NamedFilter> TextFilters();   // trim, replace, indent, ...: text_filters.cc
std::span<const NamedFilter> ListFilters();   // map, select, sort, ...: list_filters.cc

// Reads an argument that has to be an integer, or true or false.
Result<int64_t> IntegerArgument(const std::string& filter, const Value* v, int64_t fallback);
bool FlagArgument(const Value* v, bool fallback);

}  // namespace dunnock::jinja
