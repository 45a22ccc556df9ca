#include "tokenizer/tokenizer.h"
#include "tokenizer/files/component_options.h"
#include "tokenizer/step_limits.h"

#include <algorithm>

#include "base/check.h"
#include "base/json.h"
#include "base/str.h"
#include "base/system/freed_if_large.h"
#include "base/text/utf8.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/files/older_files.h"
#include "tokenizer/files/tokenizer_config.h"
#include "tokenizer/models/token_model.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/steps.h"

namespace dunnock {
namespace {

using Verdict = AddedTokens::Verdict;

// Where special tokens are parsed.
struct Trust {
  bool parse_special = false;
  std::vector<std::pair<size_t, size_t>> untrusted = {};  // ranges, in order

  Verdict Judge(const AddedToken& token, size_t begin, size_t end) const {
    if (!token.special) return Verdict::kTake;
    if (!parse_special) return Verdict::kLeave;
    // A special token counts only where no byte of it came from outside.
    const auto it =
        std::upper_bound(untrusted.begin(), untrusted.end(), begin,
                         [](size_t at, const auto& range) { return at < range.second; });
    return it == untrusted.end() || it->first >= end ? Verdict::kTake : Verdict::kSearch;
  }
};

}  // namespace

struct Tokenizer::Parts {
  std::shared_ptr<const TokenModel> model;
  AddedTokens added;
  Normalizer normalizer;
  PreTokenizer pre_tokenizer;
  PostProcessor post_processor;
  Decoder decoder;
  size_t vocab_size = 0;
  std::optional<size_t> truncation_length;
  bool cut_left = false;  // a text that is too long loses its beginning, not its end

  // Leaves `most` ids; how many were taken away.
  size_t Cut(size_t most, std::vector<int32_t>* ids) const {
    if (ids->size() <= most) return 0;
    const size_t cut = ids->size() - most;
    const auto at = cut_left ? ids->begin() : ids->end() - static_cast<std::ptrdiff_t>(cut);
    ids->erase(at, at + static_cast<std::ptrdiff_t>(cut));
    return cut;
  }

  // Ids of the text alone.
  std::vector<int32_t> Ids(std::string_view text, const Trust& trust) const {
    std::vector<int32_t> ids;
    const auto judge = [&](const AddedToken& t, size_t begin, size_t end) {
      return trust.Judge(t, begin, end);
    };
    for (const AddedTokens::Segment& s : added.Split(text, false, judge)) {
      if (s.token != nullptr) {
        ids.push_back(s.token->id);
        continue;
      }
      std::string part(text.substr(s.begin, s.end - s.begin));
      if (normalizer) normalizer(&part);
      const Trust trust_part = Normalized(trust, text, s.begin, s.end, part);
      const auto judge_part = [&](const AddedToken& t, size_t begin, size_t end) {
        return trust_part.Judge(t, begin, end);
      };
      for (const AddedTokens::Segment& n : added.Split(part, true, judge_part)) {
        if (n.token != nullptr) {
          ids.push_back(n.token->id);
        } else {
          EncodePart(std::string_view(part).substr(n.begin, n.end - n.begin),
                     s.begin == 0 && n.begin == 0, &ids);
        }
      }
    }
    return ids;
  }

  // The trust in text [begin, end), in positions of `part`, which is its normalized form. What lies
  // between two places that cannot be told apart there is not trusted.
  Trust Normalized(const Trust& trust, std::string_view text, size_t begin, size_t end,
                   std::string_view part) const {
    Trust out{trust.parse_special, {}};
    const auto normalized = [&](size_t from, size_t to) {
      std::string piece(text.substr(from, to - from));
      if (normalizer) normalizer(&piece);
      return piece;
    };
    for (const auto& [first, last] : trust.untrusted) {
      if (!added.has_normalized_special() || last <= begin || first >= end) continue;
      const std::string before = normalized(begin, std::max(first, begin));
      const std::string behind = normalized(std::min(last, end), end);
      const auto head = std::ranges::mismatch(before, part).in1 - before.begin();
      const auto tail =
          std::mismatch(behind.rbegin(), behind.rend(), part.rbegin(), part.rend()).first -
          behind.rbegin();
      const size_t from = static_cast<size_t>(head);
      out.untrusted.emplace_back(from, std::max(from, part.size() - static_cast<size_t>(tail)));
    }
    return out;
  }

  void EncodePart(std::string_view part, bool first, std::vector<int32_t>* ids) const {
    thread_local Pieces pieces;
    const FreedIfLarge freed_text(&pieces.text);
    const FreedIfLarge freed_ranges(&pieces.ranges);
    pieces.Clear();
    pieces.text = part;
    pieces.AddRange(0, first);
    if (pre_tokenizer) pre_tokenizer(&pieces);
    for (const Pieces::Range& range : pieces.ranges) model->Encode(pieces.TextOf(range), ids);
  }
};

namespace {

Encoding Fill(const std::vector<TemplatePart>& parts, std::span<const int32_t> a,
              std::span<const int32_t> b) {
  Encoding out;
  for (const TemplatePart& part : parts) {
    const std::span<const int32_t> ids = part.kind == TemplatePart::Kind::kSpecial
                                             ? std::span<const int32_t>(part.ids)
                                         : part.kind == TemplatePart::Kind::kFirst ? a
                                                                                   : b;
    out.ids.insert(out.ids.end(), ids.begin(), ids.end());
    out.type_ids.insert(out.type_ids.end(), ids.size(), part.type_id);
  }
  return out;
}

}  // namespace

Result<Tokenizer> Tokenizer::FromJson(std::string_view text) {
  ModelLists lists;
  auto json = ParseTokenizerJson(text, &lists);
  if (!json) return In("tokenizer.json", std::move(json).error());
  return Build(*json, std::move(lists));
}

Result<Tokenizer> Tokenizer::Build(const Json& json, ModelLists lists) {
  auto parts = std::make_shared<Parts>();
  const auto build = [&]() -> Status {
    const Json* model = FindMember(json, "model");
    if (model == nullptr) return Invalid("\"model\" is missing");
    std::string type = FindString(*model, "type").value_or("");
    if (type.empty())
      type = model->contains("merges")                 ? "BPE"
             : FindMember(*model, "unk_id") != nullptr ? "Unigram"
                                                       : "WordPiece";
    if (const Status fine = CheckOptions(*model, type); !fine) return In("model", fine.error());
    if (type == "BPE") {
      DUNNOCK_TRY(parts->model, MakeBpe(*model, std::move(lists)));
    } else if (type == "WordPiece") {
      DUNNOCK_TRY(parts->model, MakeWordPiece(*model, std::move(lists)));
    } else if (type == "Unigram") {
      DUNNOCK_TRY(parts->model, MakeUnigram(*model, std::move(lists)));
    } else {
      return Unsupported(Str("model \"", type, "\": expected BPE, WordPiece or Unigram"));
    }
    parts->vocab_size = parts->model->vocabulary().size();
    if (const Json* added = FindMember(json, "added_tokens");
        added != nullptr && added->is_array()) {
      for (const Json& entry : *added) {
        DUNNOCK_TRY(AddedToken token, ReadAddedToken(entry));
        parts->vocab_size = std::max(parts->vocab_size, static_cast<size_t>(token.id) + 1);
        parts->added.Add(std::move(token));
      }
    }
    DUNNOCK_TRY_STATUS(CheckStepLimits(json));
    DUNNOCK_TRY(parts->normalizer, MakeNormalizer(FindMember(json, "normalizer")));
    DUNNOCK_TRY(parts->pre_tokenizer, MakePreTokenizer(FindMember(json, "pre_tokenizer")));
    DUNNOCK_TRY(parts->post_processor, MakePostProcessor(FindMember(json, "post_processor")));
    DUNNOCK_TRY(parts->decoder, Decoder::Make(FindMember(json, "decoder")));
    if (const Json* truncation = FindMember(json, "truncation")) {
      if (const auto most = FindInt(*truncation, "max_length"); most && *most >= 0) {
        parts->truncation_length = static_cast<size_t>(*most);
      }
      const std::string side = FindString(*truncation, "direction").value_or("Right");
      if (side != "Left" && side != "Right") {
        return Unsupported(
            Str("truncation: \"direction\" is \"", side, "\": expected Left or Right"));
      }
      parts->cut_left = side == "Left";
    }
    return parts->added.Build(parts->normalizer);
  };
  if (const Status built = build(); !built) return In("tokenizer.json", built.error());
  return Tokenizer(std::move(parts));
}

Result<Tokenizer> Tokenizer::FromFiles(const FileSet& files, std::vector<std::string>* notes,
                                       std::string_view model_type) {
  std::vector<std::string> unheard;
  if (notes == nullptr) notes = &unheard;
  const auto file = files.find("tokenizer.json");
  const bool own_file = file != files.end();
  std::string made;  // every other form is first written as a tokenizer.json
  if (!own_file) {
    DUNNOCK_TRY(made, TokenizerJsonFromFiles(files));
  }
  ModelLists lists;
  auto json = ParseTokenizerJson(own_file ? file->second.text() : made, &lists);
  if (!json) return In("tokenizer.json", std::move(json).error());
  if (json->is_object()) {
    DUNNOCK_TRY_STATUS(
        ApplyTokenizerConfig(&*json, notes, files, lists.vocabulary, model_type, own_file));
  }
  return Build(*json, std::move(lists));
}

std::vector<int32_t> Tokenizer::Encode(std::string_view text, EncodeOptions options) const {
  const std::string clean = ReplaceInvalidUtf8(text);
  std::vector<int32_t> ids = parts_->Ids(clean, {options.parse_special});
  if (!options.add_special) return ids;
  return Fill(parts_->post_processor.single, ids, {}).ids;
}

std::vector<int32_t> Tokenizer::EncodeSpans(std::span<const TextSpan> spans,
                                            bool add_special) const {
  std::string text;
  Trust trust{true};
  for (const TextSpan& span : spans) {
    const std::string clean = ReplaceInvalidUtf8(span.text);
    if (!span.trusted && !clean.empty())
      trust.untrusted.emplace_back(text.size(), text.size() + clean.size());
    text += clean;
  }
  const std::vector<int32_t> ids = parts_->Ids(text, trust);
  return add_special ? Fill(parts_->post_processor.single, ids, {}).ids : ids;
}

std::vector<int32_t> Tokenizer::EncodePrompt(std::span<const TextSpan> spans) const {
  std::vector<TemplatePart> parts = parts_->post_processor.single;
  while (!parts.empty() && parts.back().kind == TemplatePart::Kind::kSpecial) parts.pop_back();
  return Fill(parts, EncodeSpans(spans, false), {}).ids;
}

Encoding Tokenizer::EncodePair(std::string_view a, std::string_view b, size_t max_length) const {
  std::vector<int32_t> first = parts_->Ids(ReplaceInvalidUtf8(a), {});
  std::vector<int32_t> second = parts_->Ids(ReplaceInvalidUtf8(b), {});
  const size_t added = parts_->post_processor.Added(true);
  size_t cut = 0;
  if (max_length > 0 && first.size() + second.size() + added > max_length) {
    // Longest first, as the reference counts it: both share the room, what the shorter one leaves
    // goes to the longer one.
    const size_t room = max_length > added ? max_length - added : 0;
    size_t n1 = first.size(), n2 = second.size();
    const bool swapped = n1 > n2;
    if (swapped) std::swap(n1, n2);
    n2 = n1 > room ? n1 : std::max(n1, room - n1);
    if (n1 + n2 > room) {
      n1 = room / 2;
      n2 = n1 + room % 2;
    }
    if (swapped) std::swap(n1, n2);
    cut = parts_->Cut(n1, &first) + parts_->Cut(n2, &second);
  }
  Encoding out = Fill(parts_->post_processor.pair, first, second);
  out.cut = cut;
  return out;
}

Encoding Tokenizer::EncodeTruncated(std::string_view text, size_t max_length) const {
  std::vector<int32_t> ids = parts_->Ids(ReplaceInvalidUtf8(text), {});
  const size_t added = parts_->post_processor.Added(false);
  const size_t cut = parts_->Cut(max_length > added ? max_length - added : 0, &ids);
  Encoding out = Fill(parts_->post_processor.single, ids, {});
  out.cut = cut;
  return out;
}

Tokenizer Tokenizer::Lowercasing() const {
  auto parts = std::make_shared<Parts>(*parts_);
  parts->normalizer = [before = parts_->normalizer](std::string* text) {
    LowerCase(text);
    if (before) before(text);
  };
  return Tokenizer(std::move(parts));
}

std::string Tokenizer::Decode(std::span<const int32_t> ids, bool skip_special) const {
  StreamDecoder decoder(*this, skip_special);
  std::string out;
  for (const int32_t id : ids) out += decoder.Push(id);
  return out + decoder.Finish();
}

size_t Tokenizer::vocab_size() const { return parts_->vocab_size; }

std::string Tokenizer::TokenText(int32_t id) const {
  if (const AddedToken* added = parts_->added.Find(id)) return added->text;
  return std::string(parts_->model->vocabulary().Text(id));
}

std::optional<int32_t> Tokenizer::TokenId(std::string_view token) const {
  if (const AddedToken* added = parts_->added.Find(token)) return added->id;
  return parts_->model->vocabulary().Find(token);
}

bool Tokenizer::IsSpecial(int32_t id) const {
  const AddedToken* added = parts_->added.Find(id);
  return added != nullptr && added->special;
}

std::vector<std::string> Tokenizer::AddedTokenTexts() const {
  std::vector<std::string> out;
  for (const AddedToken& token : parts_->added.tokens()) out.push_back(token.content);
  return out;
}

std::optional<size_t> Tokenizer::truncation_length() const { return parts_->truncation_length; }

StreamDecoder::StreamDecoder(const Tokenizer& tokenizer, bool skip_special)
    : tokenizer_(tokenizer),
      skip_special_(skip_special),
      state_(tokenizer.parts_->decoder.Begin()) {}

std::string StreamDecoder::Push(int32_t id) {
  const Tokenizer::Parts& parts = *tokenizer_.parts_;
  const AddedToken* added = parts.added.Find(id);
  // As the reference has it, a special token whose text was normalized is not known as one here.
  const bool left_out = added != nullptr
                            ? skip_special_ && added->special && added->text == added->content
                            : !parts.model->vocabulary().Has(id);
  if (left_out) return "";
  std::string out;
  parts.decoder.Push(tokenizer_.TokenText(id), &state_, &out);
  return out;
}

std::string StreamDecoder::Finish() {
  const Tokenizer::Parts& parts = *tokenizer_.parts_;
  std::string out;
  parts.decoder.Finish(&state_, &out);
  state_ = parts.decoder.Begin();
  return out;
}

}  // namespace dunnock
