#include "catalogue/catalogue.h"

#include <algorithm>

#include "base/check.h"
#include "base/str.h"
#include "base/text/closest.h"

namespace dunnock {
namespace {

std::string Lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

const Json& Root() {
  static const Json root = [] {
    auto json = ParseJson(CatalogueText());
    DUNNOCK_CHECK(json.has_value() && json->contains("models") && json->contains("templates"));
    return *std::move(json);
  }();
  return root;
}

template <typename T>
T Get(const Json& object, const char* key) {
  const Json* value = FindMember(object, key);
  return value == nullptr ? T{} : value->get<T>();
}

CatalogueEntry ParseEntry(const Json& m) {
  CatalogueEntry e;
  const auto text = [&](const char* key) { return FindString(m, key).value_or(""); };
  e.id = text("id");
  e.name = text("name");
  e.family = text("family");
  e.task = text("task");
  e.licence = text("licence");
  e.open_source = FindBool(m, "open_source").value_or(true);
  e.aliases = Get<std::vector<std::string>>(m, "aliases");
  e.repo = text("repo");
  e.revision = text("revision");
  if (const Json* package = FindMember(m, "package")) {
    const auto part = [&](const char* key) { return FindString(*package, key).value_or(""); };
    e.package = {part("name"), part("version"), part("sha256"), part("folder")};
  }
  e.parameters = Get<size_t>(m, "parameters");
  e.context = Get<size_t>(m, "context");
  e.vocabulary = Get<size_t>(m, "vocabulary");
  e.template_fallback = NamedTemplate(text("template_fallback")).value_or("");
  e.stop_texts = Get<std::vector<std::string>>(m, "stop_texts");
  e.tokenizer_from = text("tokenizer_from");
  e.prompts = Get<std::map<std::string, std::string>>(m, "prompts");
  if (const Json* sampling = FindMember(m, "sampling")) e.sampling = *sampling;
  e.data = m;
  DUNNOCK_CHECK(!e.id.empty() && !e.repo.empty());
  return e;
}

}  // namespace

const std::vector<CatalogueEntry>& Catalogue() {
  static const std::vector<CatalogueEntry> entries = [] {
    std::vector<CatalogueEntry> out;
    for (const Json& m : Root().at("models")) out.push_back(ParseEntry(m));
    return out;
  }();
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

std::optional<std::string> NamedTemplate(std::string_view name) {
  return FindString(Root().at("templates"), name);
}

std::vector<std::string> TemplateNames() {
  std::vector<std::string> names;
  for (const auto& [name, source] : Root().at("templates").items()) names.push_back(name);
  return names;
}

std::string LicenceNotice(const CatalogueEntry& entry) {
  if (entry.open_source) return "";
  return Str(entry.id, " is not open source: its licence is ", entry.licence,
             ", for research; read it on the page of ", entry.repo, " before you use the model");
}

}  // namespace dunnock
