#include "hub/catalogue.h"

#include <algorithm>

#include "base/check.h"
#include "base/closest.h"
#include "base/json.h"

namespace dunnock {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

std::vector<CatalogueEntry> Parse() {
  const auto json = ParseJson(CatalogueText());
  DUNNOCK_CHECK(json.has_value() && json->contains("models"));
  const Json& templates = json->at("templates");
  std::vector<CatalogueEntry> out;
  for (const Json& m : json->at("models")) {
    CatalogueEntry e;
    const auto text = [&](const char* key) { return FindString(m, key).value_or(""); };
    e.id = text("id");
    e.name = text("name");
    e.family = text("family");
    e.task = text("task");
    e.licence = text("licence");
    e.repo = text("repo");
    e.revision = text("revision");
    if (const Json* aliases = FindMember(m, "aliases"))
      e.aliases = aliases->get<std::vector<std::string>>();
    if (const Json* package = FindMember(m, "package")) {
      const auto part = [&](const char* key) { return FindString(*package, key).value_or(""); };
      e.package = {part("name"), part("version"), part("sha256"), part("folder")};
    }
    e.parameters = static_cast<size_t>(FindInt(m, "parameters").value_or(0));
    e.context = static_cast<size_t>(FindInt(m, "context").value_or(0));
    e.template_fallback = FindString(templates, text("template_fallback")).value_or("");
    DUNNOCK_CHECK(!e.id.empty() && !e.repo.empty());
    out.push_back(std::move(e));
  }
  return out;
}

}  // namespace

const std::vector<CatalogueEntry>& Catalogue() {
  static const std::vector<CatalogueEntry> entries = Parse();
  return entries;
}

const CatalogueEntry* FindInCatalogue(std::string_view name) {
  const std::string wanted = Lower(name);
  for (const CatalogueEntry& e : Catalogue()) {
    if (e.id == wanted || Lower(e.repo) == wanted) return &e;
    if (std::any_of(e.aliases.begin(), e.aliases.end(),
                    [&](const auto& a) { return Lower(a) == wanted; }))
      return &e;
  }
  return nullptr;
}

std::optional<std::string> ClosestInCatalogue(std::string_view name) {
  std::vector<std::string> names;
  for (const CatalogueEntry& e : Catalogue()) {
    names.push_back(e.id);
    names.insert(names.end(), e.aliases.begin(), e.aliases.end());
  }
  return ClosestWord(Lower(name), names);
}

}  // namespace dunnock
