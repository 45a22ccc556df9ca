#include "eval/proof.h"

#include <algorithm>
#include <cmath>

#include "base/str.h"
#include "kernels/norm.h"
#include "runtime/bits.h"
#include "runtime/checksum.h"
#include "runtime/encoders/embedder.h"
#include "runtime/encoders/reranker.h"

namespace dunnock {
namespace {

constexpr int64_t kVersion = 1;
constexpr size_t kMostIds = 48;  // of a text whose bits are compared
constexpr size_t kTopTokens = 8;

// Words, numbers, code, several scripts, blanks, and what looks like a special token and is text.
constexpr const char* kTexts[] = {
    "The dunnock is a small bird that sings from the top of a hedge in early spring.",
    "def area(r):\n    return 3.14159 * r ** 2  # <s>[CLS]<|im_start|>",
    "Größe, naïve, señor; 1234567890 and 12:45 -- 99.9%\t  end",
    "Привет, мир! 你好，世界。こんにちは 🐦 مرحبا",
};

struct LikelyToken {
  int32_t id;
  double log_p;
};

// The windows' measure of divergence: KL between p and q after all tokens but the listed ones have
// been taken together. It is never above the whole KL.
double ListedKl(const std::vector<LikelyToken>& listed, std::span<const float> q, double q_total) {
  double kl = 0, p_rest = 1, q_rest = 1;
  for (const LikelyToken& token : listed) {
    const double p = std::exp(token.log_p), log_q = q[static_cast<size_t>(token.id)] - q_total;
    kl += p * (token.log_p - log_q);
    p_rest -= p;
    q_rest -= std::exp(log_q);
  }
  constexpr double kLeast = 1e-9;
  if (p_rest > kLeast) kl += p_rest * std::log(p_rest / std::max(q_rest, kLeast));
  return kl;
}

// The likeliest tokens, their logarithms rounded to what the file holds.
std::vector<LikelyToken> Likeliest(std::span<const float> logits) {
  std::vector<int32_t> order(logits.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = static_cast<int32_t>(i);
  const size_t count = std::min(kTopTokens, order.size());
  const auto logit = [&](int32_t id) { return logits[static_cast<size_t>(id)]; };
  std::partial_sort(
      order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
      [&](int32_t a, int32_t b) { return logit(a) != logit(b) ? logit(a) > logit(b) : a < b; });
  const double total = LogSumExp(logits);
  std::vector<LikelyToken> out;
  for (size_t i = 0; i < count; ++i)
    out.push_back({order[i], std::round((logit(order[i]) - total) * 1e4) / 1e4});
  return out;
}

struct WindowFigures {
  double nll = 0, kl = 0;  // means over the predicted tokens
};

// `listed` has the original's likeliest tokens of each position but the last.
Result<WindowFigures> Measure(Session& session, std::span<const int32_t> ids,
                              const std::vector<std::vector<LikelyToken>>& listed) {
  WindowFigures sums;
  const std::span<const int32_t> predicted = ids.first(ids.size() - 1);
  DUNNOCK_TRY_STATUS(session.EachLogits(predicted, 0, [&](size_t i, std::span<const float> q) {
    const double total = LogSumExp(q);
    sums.nll += total - q[static_cast<size_t>(ids[i + 1])];
    sums.kl += ListedKl(listed[i], q, total);
  }));
  const auto n = static_cast<double>(predicted.size());
  return WindowFigures{sums.nll / n, sums.kl / n};
}

// What a text becomes: one number (an embedding's or a logit's bits).
Result<std::vector<uint64_t>> OutcomesOf(const Engine& engine,
                                         const std::vector<std::string>& texts) {
  std::vector<uint64_t> out;
  if (engine.model().info().labels == 1) {
    DUNNOCK_TRY(Reranker reranker, Reranker::Create(engine));
    std::vector<TextPair> pairs;
    for (const std::string& text : texts) pairs.push_back({texts[0], text});
    DUNNOCK_TRY(const auto scores, reranker.Score(pairs));
    for (const RerankScore& score : scores) out.push_back(FoldChecksum(0, {&score.logit, 1}));
  } else {
    DUNNOCK_TRY(Embedder embedder, Embedder::Create(engine));
    DUNNOCK_TRY(const auto embeddings, embedder.Embed(texts, {"", true, true}));
    for (const Embedding& e : embeddings) out.push_back(FoldChecksum(0, e.values));
  }
  return out;
}

// Ids of nothing in particular, for a model without a tokenizer.
std::vector<int32_t> SomeIds(const Engine& engine, size_t count, size_t seed) {
  std::vector<int32_t> ids(count);
  for (size_t i = 0; i < count; ++i) {
    ids[i] =
        static_cast<int32_t>(((i + 1) * (seed * 7919 + 104729)) % engine.model().info().vocab_size);
  }
  return ids;
}

// The ids of a member, each of the vocabulary; empty if they are not.
std::vector<int32_t> IdsOf(const Json& object, const Engine& engine) {
  std::vector<int32_t> ids;
  const Json* list = FindMember(object, "ids");
  if (list == nullptr || !list->is_array()) return {};
  for (const Json& id : *list) {
    if (!id.is_number_integer() || id < 0 || id >= engine.model().info().vocab_size) return {};
    ids.push_back(id.get<int32_t>());
  }
  return ids;
}

std::vector<LikelyToken> ListedOf(const Json& pairs, const Engine& engine) {
  std::vector<LikelyToken> out;
  if (!pairs.is_array()) return {};
  for (const Json& pair : pairs) {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_number_integer() || pair[0] < 0 ||
        pair[0] >= engine.model().info().vocab_size || !pair[1].is_number())
      return {};
    out.push_back({pair[0].get<int32_t>(), pair[1].get<double>()});
  }
  return out;
}

const Json& ListAt(const Json& proof, std::string_view key) {
  static const Json kEmpty = Json::array();
  const Json* list = FindMember(proof, key);
  return list != nullptr && list->is_array() ? *list : kEmpty;
}

bool Near(double a, double b) { return std::fabs(a - b) <= 1e-6 * std::max(1.0, std::fabs(b)); }

Check TokenCheck(const Engine& engine, const Json& texts) {
  Check check{Str("token ids of ", texts.size(), " texts"), true, ""};
  const auto tokenizer = engine.tokenizer();
  if (!tokenizer) return {check.name, false, tokenizer.error().message};
  for (const Json& text : texts) {
    const std::string written = FindString(text, "text").value_or("");
    const std::vector<int32_t> found = (*tokenizer)->Encode(written);
    if (const auto expected = IdsOf(text, engine); found != expected) {
      return {check.name, false,
              Str("\"", written, "\": expected ", expected.size(), " ids that differ from the ",
                  found.size(), " found")};
    }
  }
  return check;
}

Check RunCheck(const Engine& engine, const Json& run, size_t number) {
  const std::vector<int32_t> ids = IdsOf(run, engine);
  Check check{Str("checksum of ", engine.model().info().causal ? "logits" : "hidden states", " ",
                  number, ", ", ids.size(), " tokens"),
              false, ""};
  const auto found = ChecksumBits(engine, ids, {});
  if (!found) return {check.name, false, found.error().message};
  const std::string expected = FindString(run, "checksum").value_or("");
  check.passed = HexChecksum(*found) == expected;
  if (!check.passed) check.detail = Str("expected ", expected, ", found ", HexChecksum(*found));
  return check;
}

Check OutcomeCheck(const Engine& engine, const Json& outcomes) {
  const bool reranker = engine.model().info().labels == 1;
  Check check{Str("checksums of ", outcomes.size(), reranker ? " scores" : " embeddings"), false,
              ""};
  std::vector<std::string> texts;
  for (const Json& o : outcomes) texts.push_back(FindString(o, "text").value_or(""));
  const auto found = OutcomesOf(engine, texts);
  if (!found) return {check.name, false, found.error().message};
  for (size_t i = 0; i < texts.size(); ++i) {
    const std::string expected = FindString(outcomes[i], "checksum").value_or("");
    if (HexChecksum((*found)[i]) != expected) {
      check.detail =
          Str("\"", texts[i], "\": expected ", expected, ", found ", HexChecksum((*found)[i]));
      return check;
    }
  }
  check.passed = true;
  return check;
}

Check WindowCheck(const Engine& engine, const Json& window) {
  const std::vector<int32_t> ids = IdsOf(window, engine);
  Check check{Str("quality on ", ids.size(), " tokens of ",
                  FindString(window, "source").value_or("a judging text")),
              false, ""};
  std::vector<std::vector<LikelyToken>> listed;
  for (const Json& position : ListAt(window, "original"))
    listed.push_back(ListedOf(position, engine));
  const auto nll = FindNumber(window, "nll"), kl = FindNumber(window, "kl_listed");
  if (ids.size() < 2 || listed.size() + 1 != ids.size() || !nll || !kl)
    return {check.name, false, "the window in proof.json is not whole"};
  auto session = Session::Create(engine);
  if (!session) return {check.name, false, session.error().message};
  const auto found = Measure(*session, ids, listed);
  if (!found) return {check.name, false, found.error().message};
  check.passed = Near(found->nll, *nll) && Near(found->kl, *kl);
  check.detail = check.passed ? Str("nll ", found->nll, ", KL at least ", found->kl)
                              : Str("expected nll ", *nll, " and KL at least ", *kl, ", found ",
                                    found->nll, " and ", found->kl);
  return check;
}

}  // namespace

Result<OrderedJson> MakeProof(const Engine& engine, const Engine* original,
                              std::span<const SampleWindow> windows) {
  OrderedJson texts = OrderedJson::array(), runs = OrderedJson::array(),
              outcomes = OrderedJson::array(), samples = OrderedJson::array();
  const size_t most = std::min(kMostIds, engine.model().info().context_length);
  std::vector<std::vector<int32_t>> ids;
  if (const auto tokenizer = engine.tokenizer()) {
    std::vector<std::string> written(std::begin(kTexts), std::end(kTexts));
    for (const std::string& text : written) {
      ids.push_back((*tokenizer)->Encode(text));
      texts.push_back({{"text", text}, {"ids", ids.back()}});
    }
    if (!engine.model().info().causal) {
      DUNNOCK_TRY(const std::vector<uint64_t> found, OutcomesOf(engine, written));
      for (size_t i = 0; i < found.size(); ++i)
        outcomes.push_back({{"text", written[i]}, {"checksum", HexChecksum(found[i])}});
    }
  } else {
    for (const size_t seed : {1, 2}) ids.push_back(SomeIds(engine, most, seed));
  }
  for (std::vector<int32_t>& one : ids) {
    one.resize(std::min(one.size(), most));
    if (one.empty() || !engine.CheckIds(one)) continue;
    DUNNOCK_TRY(const uint64_t checksum, ChecksumBits(engine, one, {}));
    runs.push_back({{"ids", one}, {"checksum", HexChecksum(checksum)}});
  }
  for (const SampleWindow& window : windows) {
    std::vector<std::vector<LikelyToken>> listed;
    DUNNOCK_TRY(Session reference, Session::Create(*original));
    DUNNOCK_TRY_STATUS(reference.EachLogits(
        std::span<const int32_t>(window.ids).first(window.ids.size() - 1), 0,
        [&](size_t, std::span<const float> logits) { listed.push_back(Likeliest(logits)); }));
    DUNNOCK_TRY(Session session, Session::Create(engine));
    DUNNOCK_TRY(const WindowFigures figures, Measure(session, window.ids, listed));
    OrderedJson positions = OrderedJson::array();
    for (const auto& position : listed) {
      OrderedJson& pairs = positions.emplace_back(OrderedJson::array());
      for (const LikelyToken& token : position)
        pairs.push_back(OrderedJson::array({token.id, token.log_p}));
    }
    samples.push_back({{"source", window.source},
                       {"nll", figures.nll},
                       {"kl_listed", figures.kl},
                       {"ids", window.ids},
                       {"original", positions}});
  }
  return OrderedJson{
      {"format", "dunnock-proof"}, {"version", kVersion}, {"texts", texts}, {"runs", runs},
      {"outcomes", outcomes},      {"windows", samples}};
}

Result<std::vector<Check>> CheckProof(const Engine& engine, std::string_view proof) {
  const auto json = ParseJson(proof);
  if (!json) return In("proof.json", json.error());
  if (FindString(*json, "format") != "dunnock-proof")
    return Invalid("proof.json: expected \"format\": \"dunnock-proof\"");
  if (const auto version = FindInt(*json, "version"); version != kVersion) {
    return Unsupported(Str("proof.json: version ", version.value_or(0), ": this program reads ",
                           kVersion, "; a newer one may read it"));
  }
  std::vector<Check> checks;
  if (const Json& texts = ListAt(*json, "texts"); !texts.empty())
    checks.push_back(TokenCheck(engine, texts));
  size_t number = 0;
  for (const Json& run : ListAt(*json, "runs")) checks.push_back(RunCheck(engine, run, ++number));
  if (number == 0) checks.push_back({"checksums", false, "proof.json has none"});
  if (const Json& outcomes = ListAt(*json, "outcomes"); !outcomes.empty())
    checks.push_back(OutcomeCheck(engine, outcomes));
  for (const Json& window : ListAt(*json, "windows")) checks.push_back(WindowCheck(engine, window));
  return checks;
}

}  // namespace dunnock
