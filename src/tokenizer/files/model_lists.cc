#include "tokenizer/files/model_lists.h"

#include "base/str.h"

namespace dunnock {
namespace {

class Collector {
 public:
  explicit Collector(ModelLists* lists) : lists_(*lists) {}

  // nlohmann's parser callback; false leaves the value out. The lists are members of an object
  // that is a member of the root, so their entries lie three levels deep.
  bool operator()(int depth, Json::parse_event_t event, Json& value) {
    using Event = Json::parse_event_t;
    if (event == Event::key) {
      if (depth == 1) in_model_ = value == "model";
      if (depth <= 2) list_ = List::kNone;
      if (depth == 2 && in_model_)
        list_ = value == "vocab" ? List::kVocab : value == "merges" ? List::kMerges : List::kNone;
      if (depth != 3 || list_ != List::kVocab) return true;
      key_ = std::move(value.get_ref<std::string&>());
      has_key_ = true;
      return false;
    }
    const bool complete =
        event == Event::value || event == Event::array_end || event == Event::object_end;
    if (depth != 3 || list_ == List::kNone || !complete) return true;
    if (list_ == List::kMerges) {
      AddMerge(value);
    } else if (has_key_) {
      AddId(value);
    } else {
      AddScore(value);
    }
    has_key_ = false;
    return false;
  }

 private:
  void AddId(const Json& id) {
    if (id.is_number_integer() && id >= 0 && id < kMostTokens) {
      lists_.vocabulary.Add(key_, id.get<int32_t>());
    } else {
      VocabularyFault(Str("the id of \"", key_, "\" is ", DumpJson(id).substr(0, 30),
                          ": expected 0 to ", kMostTokens - 1));
    }
  }

  void AddScore(const Json& entry) {
    const size_t id = lists_.scores.size();
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number())
      return VocabularyFault(Str("entry ", id, ": expected [text, score]"));
    const auto& text = entry[0].get_ref<const std::string&>();
    if (text.size() > kLongestToken)
      return VocabularyFault(Str("entry ", id, " has ", text.size(), " bytes"), ErrorCode::kLimit);
    if (static_cast<int64_t>(id) >= kMostTokens)
      return VocabularyFault(Str("more than ", kMostTokens, " tokens"), ErrorCode::kLimit);
    lists_.scores.push_back(entry[1].get<double>());
    lists_.vocabulary.Add(text, static_cast<int32_t>(id));
  }

  // "left right", or ["left", "right"].
  void AddMerge(const Json& merge) {
    std::string_view left, right;
    if (merge.is_string()) {
      const std::string_view text = merge.get_ref<const std::string&>();
      const size_t space = text.find(' ');
      if (space == std::string_view::npos) return MergeFault();
      left = text.substr(0, space);
      right = text.substr(space + 1);
    } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
               merge[1].is_string()) {
      left = merge[0].get_ref<const std::string&>();
      right = merge[1].get_ref<const std::string&>();
    } else {
      return MergeFault();
    }
    lists_.merges.push_back({lists_.merge_texts.size(), left.size(), right.size()});
    lists_.merge_texts += left;
    lists_.merge_texts += right;
  }

  void VocabularyFault(const std::string& what, ErrorCode code = ErrorCode::kInvalid) {
    if (lists_.vocabulary_fault) lists_.vocabulary_fault = Fail(code, "vocab: " + what);
  }
  void MergeFault() {
    if (lists_.merge_fault)
      lists_.merge_fault = Invalid(Str("merge ", lists_.merges.size(), ": expected two texts"));
  }

  enum class List { kNone, kVocab, kMerges };
  ModelLists& lists_;
  bool in_model_ = false, has_key_ = false;
  List list_ = List::kNone;
  std::string key_;
};

}  // namespace

Result<Json> ParseTokenizerJson(std::string_view text, ModelLists* lists) {
  Collector collector(lists);
  return ParseJson(text, [&](int depth, Json::parse_event_t event, Json& value) {
    return collector(depth, event, value);
  });
}

}  // namespace dunnock
