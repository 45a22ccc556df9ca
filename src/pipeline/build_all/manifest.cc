#include "pipeline/build_all/manifest.h"

#include <algorithm>
#include <filesystem>

#include "base/json.h"
#include "base/str.h"
#include "base/text/closest.h"
#include "base/text/shown.h"
#include "catalogue/catalogue.h"
#include "hub/model_name.h"
#include "io/file.h"

namespace dunnock {
namespace {

namespace fs = std::filesystem;

constexpr size_t kMostModels = 1000, kMostName = 100;
constexpr int64_t kMostTokens = int64_t{1} << 40;

bool BelongsInName(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '-' || c == '_';
}

bool IsName(std::string_view name) {
  return !name.empty() && name.size() <= kMostName && name[0] != '.' &&
         std::ranges::all_of(name, BelongsInName);
}

// Keys that set how bundles are made: for all models at the top, for one in its object.
const std::vector<std::string> kSettings = {"target",
                                            "formats",
                                            "size_mb",
                                            "bits",
                                            "codec",
                                            "calibration",
                                            "calibration_tokens",
                                            "judge",
                                            "judge_tokens",
                                            "evaluate",
                                            "min_retention"};

std::string Listed(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += Str(out.empty() ? "" : ", ", word);
  return out;
}

// Reads one object of a manifest. Errors name the place.
class Reader {
 public:
  Reader(std::string where, const Json& object, const std::string& folder)
      : where_(std::move(where)), object_(object), folder_(folder) {}

  Status CheckKeys(std::vector<std::string> known) const {
    known.insert(known.end(), kSettings.begin(), kSettings.end());
    for (const auto& [key, value] : object_.items()) {
      if (std::ranges::find(known, key) != known.end()) continue;
      const auto meant = ClosestWord(key, known);
      return Invalid(Str(where_, "unknown key ", Shown(key),
                         meant ? Str(", did you mean \"", *meant, "\"?") : "", ": expected one of ",
                         Listed(known)));
    }
    return {};
  }

  Status ReadSettings(BuildItem* item) const {
    DUNNOCK_TRY_STATUS(Read("target", "\"native\", \"wasm\" or \"both\"", [&](const Json& value) {
      item->targets =
          value.is_string() ? TargetsNamed(value.get<std::string>()) : std::vector<Target>();
      return !item->targets.empty();
    }));
    DUNNOCK_TRY_STATUS(ReadFormats(item));
    DUNNOCK_TRY_STATUS(ReadSize(item));
    DUNNOCK_TRY_STATUS(Read("codec", "\"raw\" or \"rans\"", [&](const Json& value) {
      const auto codec = value.is_string() ? CodecNamed(value.get<std::string>()) : std::nullopt;
      item->codec = codec;
      return codec.has_value();
    }));
    DUNNOCK_TRY_STATUS(ReadTexts("calibration", &item->calibration));
    DUNNOCK_TRY_STATUS(ReadTexts("judge", &item->judge));
    DUNNOCK_TRY_STATUS(ReadCount("calibration_tokens", 0, &item->calibration_tokens));
    DUNNOCK_TRY_STATUS(ReadCount("judge_tokens", 64, &item->judge_tokens));
    DUNNOCK_TRY_STATUS(Read("evaluate", "true or false", [&](const Json& value) {
      if (value.is_boolean()) item->evaluate = value.get<bool>();
      return value.is_boolean();
    }));
    return Read("min_retention", "a number from 0 to 2", [&](const Json& value) {
      if (!value.is_number()) return false;
      item->min_retention = value.get<double>();
      return item->min_retention >= 0 && item->min_retention <= 2;
    });
  }

  // take(value) is called if the key is there; false: the value is not as expected.
  template <typename Take>
  Status Read(std::string_view key, std::string_view expected, const Take& take) const {
    const auto it = object_.find(key);
    if (it == object_.end() || take(*it)) return {};
    return Invalid(Str(where_, "\"", key, "\" is ", Shown(*it), ": expected ", expected));
  }

 private:
  Status ReadFormats(BuildItem* item) const {
    std::string known;
    for (const QuantizeFormat format :
         {QuantizeFormat::kFp16, QuantizeFormat::kInt8, QuantizeFormat::kInt4,
          QuantizeFormat::kInt4Grouped, QuantizeFormat::kInt4Extreme, QuantizeFormat::kMixed})
      known += Str(known.empty() ? "" : ", ", NameOf(format));
    return Read("formats", Str("a list of formats, each once: ", known), [&](const Json& value) {
      item->formats.clear();
      if (!value.is_array() || value.empty()) return false;
      for (const Json& one : value) {
        const auto format =
            one.is_string() ? QuantizeFormatNamed(one.get<std::string>()) : std::nullopt;
        if (!format || std::ranges::find(item->formats, *format) != item->formats.end())
          return false;
        item->formats.push_back(*format);
      }
      return true;
    });
  }

  // A size stands for a mix, unless formats that have one are named.
  Status ReadSize(BuildItem* item) const {
    double megabytes = 0, bits = 0;
    const auto number = [&](double* to, double least, double most) {
      return [=](const Json& value) {
        if (!value.is_number()) return false;
        *to = value.get<double>();
        return *to >= least && *to <= most;
      };
    };
    DUNNOCK_TRY_STATUS(
        Read("size_mb", "a number from 0.001 to 1000000", number(&megabytes, 0.001, 1e6)));
    DUNNOCK_TRY_STATUS(Read("bits", "a number from 1 to 9", number(&bits, 1, 9)));
    if (megabytes > 0 && bits > 0)
      return Invalid(Str(where_, "\"size_mb\" and \"bits\": expected one of them"));
    if (megabytes > 0 || bits > 0) {
      item->folder_bytes = static_cast<uint64_t>(megabytes * 1e6);
      item->bits = bits;
      if (item->formats.empty()) item->formats.push_back(QuantizeFormat::kMixed);
    }
    for (const QuantizeFormat format : item->formats) {
      const bool sized = item->folder_bytes > 0 || item->bits > 0;
      if (format == QuantizeFormat::kMixed && !sized)
        return Invalid(Str(where_, "the format mixed: expected \"size_mb\" or \"bits\""));
    }
    return {};
  }

  Status ReadTexts(std::string_view key, std::vector<std::string>* paths) const {
    return Read(key, "a list of files", [&](const Json& value) {
      paths->clear();
      if (!value.is_array()) return false;
      for (const Json& one : value) {
        if (!one.is_string() || one.get<std::string>().empty()) return false;
        paths->push_back((fs::path(folder_) / one.get<std::string>()).string());
      }
      return true;
    });
  }

  Status ReadCount(std::string_view key, int64_t least, size_t* count) const {
    return Read(
        key, Str("a whole number from ", least, " to ", kMostTokens), [&](const Json& value) {
          const auto number = FindInt(object_, key);
          if (!value.is_number_integer() || !number || *number < least || *number > kMostTokens)
            return false;
          *count = static_cast<size_t>(*number);
          return true;
        });
  }

  const std::string where_;
  const Json& object_;
  const std::string& folder_;
};

Result<BuildItem> ReadModel(const Json& json, const std::string& where, const std::string& folder,
                            const BuildItem& base) {
  BuildItem item = base;
  if (json.is_string()) {
    item.model = json.get<std::string>();
  } else if (json.is_object()) {
    const Reader reader(where + ": ", json, folder);
    DUNNOCK_TRY_STATUS(reader.CheckKeys({"model", "name"}));
    DUNNOCK_TRY_STATUS(reader.ReadSettings(&item));
    item.model = FindString(json, "model").value_or("");
    DUNNOCK_TRY_STATUS(reader.Read(
        "name",
        Str("up to ", kMostName, " letters, digits, dots, dashes and underscores, none of ",
            "them a dot in front"),
        [&](const Json& value) {
          if (value.is_string()) item.name = value.get<std::string>();
          return IsName(item.name);
        }));
  }
  if (item.model.empty() || item.model.find('\0') != std::string::npos) {
    return Invalid(Str(where, ": found ", Shown(json),
                       ": expected a model's name, or an object with a \"model\""));
  }
  if (const std::string path = (fs::path(folder) / item.model).string();
      !folder.empty() && FileExists(path))
    item.model = path;
  if (item.name.empty()) item.name = FolderNameOf(item.model);
  return item;
}

}  // namespace

std::vector<std::string> CalibrationOf(const BuildItem& item, QuantizeFormat format) {
  return CanBeCalibrated(format) ? item.calibration : std::vector<std::string>();
}

std::string FolderNameOf(const std::string& model) {
  std::string out;
  if (FileExists(model)) {
    const fs::path path = fs::absolute(model).lexically_normal();
    out = (path.has_filename() ? path : path.parent_path()).filename().string();
    if (out.ends_with(".gguf")) out.resize(out.size() - 5);
  } else {
    const ModelName name = SplitModelName(model);
    const CatalogueEntry* const entry = FindInCatalogue(name.plain);
    out = entry != nullptr ? entry->id : fs::path(name.plain).filename().string();
    if (!name.revision.empty()) out += "-" + name.revision;
    if (!name.part.empty()) out += "-" + name.part;
  }
  for (char& c : out) c = BelongsInName(c) ? c : '-';
  out.erase(0, std::min(out.find_first_not_of('.'), out.size()));
  out.resize(std::min(out.size(), kMostName));
  return out.empty() ? "model" : out;
}

std::vector<Target> TargetsNamed(std::string_view word) {
  if (word == "native") return {Target::kNative};
  if (word == "wasm") return {Target::kWasm};
  if (word == "both") return {Target::kNative, Target::kWasm};
  return {};
}

Result<std::vector<BuildItem>> ParseBuildManifest(std::string_view text,
                                                  const std::string& folder) {
  DUNNOCK_TRY(const Json json, ParseJson(text));
  if (!json.is_object()) return Invalid(Str("found ", Shown(json), ": expected an object"));
  if (FindString(json, "format") != "dunnock-build") {
    return Invalid(
        Str("\"format\" is ", Shown(json.value("format", Json())), ": expected \"dunnock-build\""));
  }
  if (FindInt(json, "version") != 1) {
    return Unsupported(Str("\"version\" is ", Shown(json.value("version", Json())),
                           ": this program reads version 1"));
  }
  BuildItem base;
  const Reader reader("", json, folder);
  DUNNOCK_TRY_STATUS(reader.CheckKeys({"format", "version", "models"}));
  DUNNOCK_TRY_STATUS(reader.ReadSettings(&base));
  std::vector<BuildItem> items;
  const Json* const models = FindMember(json, "models");
  if (models == nullptr || !models->is_array() || models->empty() || models->size() > kMostModels) {
    return Invalid(Str("\"models\" is ", models == nullptr ? "missing" : Shown(*models),
                       ": expected a list of 1 to ", kMostModels, " models"));
  }
  for (size_t i = 0; i < models->size(); ++i) {
    DUNNOCK_TRY(BuildItem item, ReadModel((*models)[i], Str("models[", i, "]"), folder, base));
    items.push_back(std::move(item));
  }
  return items;
}

}  // namespace dunnock
