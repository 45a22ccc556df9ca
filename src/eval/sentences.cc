#include "eval/sentences.h"

#include <iterator>

namespace dunnock {
namespace {

constexpr const char* kSentences[] = {
    "The bridge over the river was closed for repairs last winter.",
    "How long does it take for concrete to harden completely?",
    "A child in a yellow coat is feeding pigeons in the square.",
    "Two men are carrying a sofa up a narrow staircase.",
    "The central bank left its interest rate unchanged on Thursday.",
    "Which vitamins are found in green leafy vegetables?",
    "Photosynthesis turns light, water and carbon dioxide into sugar and oxygen.",
    "She sold the house in which her grandmother had been born.",
    "To reset the router, hold the button on the back for ten seconds.",
    "The committee could not agree on a date for the next meeting.",
    "What is the difference between a comet and an asteroid?",
    "A dog jumps over a fallen tree while another one watches.",
    "The patient reported mild headaches after the second dose.",
    "Rainfall in the valley was twice the average of the past decade.",
    "My order arrived a week late and one of the plates was broken.",
    "I would buy these shoes again without a second thought.",
    "Can I return a ticket that I bought through another website?",
    "Add the onions, stir until they are soft, then pour in the stock.",
    "The treaty was signed in 1648 and ended thirty years of war.",
    "An enzyme lowers the energy that a reaction needs to begin.",
    "The orchestra tuned its instruments while the audience sat down.",
    "Under the contract, either party may terminate with ninety days' notice.",
    "The court held that the evidence had been obtained unlawfully.",
    "Bees find their way by the position of the sun.",
    "Why is the sky red in the evening and blue at noon?",
    "The train to the coast leaves every hour until midnight.",
    "He scored twice in the final minutes and won the match for his team.",
    "A binary search needs a sorted list and takes logarithmic time.",
    "for (int i = 0; i < n; ++i) sum += values[i];",
    "SELECT name, price FROM products WHERE stock > 0 ORDER BY price;",
    "The function returns an error if the file cannot be opened.",
    "How do I undo the last commit without losing my changes?",
    "The museum shows pottery from the third millennium before our era.",
    "Salt lowers the freezing point of water.",
    "Unemployment fell in most regions but rose along the border.",
    "The old lighthouse has been turned into a small hotel.",
    "A woman is slicing a red pepper on a wooden board.",
    "Several people are waiting in the rain for a bus.",
    "The new battery lasts two days, but the screen is too dark outdoors.",
    "Please write a short and polite reply to this letter.",
    "Summarize the following article in three sentences.",
    "Mount Everest grows by a few millimetres every year.",
    "The whale dived and was not seen again for forty minutes.",
    "Is it safe to take ibuprofen together with antibiotics?",
    "The recipe serves four and can be prepared a day ahead.",
    "Prices include breakfast, taxes and the use of the pool.",
    "The author describes a village that time seems to have forgotten.",
    "No two snowflakes that were ever photographed looked the same.",
    "Der Zug nach Hamburg hat heute vierzig Minuten Verspätung.",
    "Wo finde ich die Unterlagen für die Anmeldung?",
    "Le marché du samedi commence à sept heures devant l'église.",
    "Quelle est la capitale de l'Australie ?",
    "El agua hierve a cien grados al nivel del mar.",
    "¿Cuántos días de vacaciones me quedan este año?",
    "La biblioteca resta chiusa durante il mese di agosto.",
    "O rio transbordou depois de três dias de chuva.",
    "Kot śpi na parapecie, a za oknem pada śnieg.",
    "Музей открыт каждый день, кроме понедельника.",
    "這家餐廳的牛肉麵很有名。",
    "如何更换自行车的轮胎？",
    "明日の会議は午後三時に始まります。",
    "버스 정류장은 은행 맞은편에 있습니다.",
    "تقع المكتبة خلف محطة القطار.",
    "मौसम विभाग ने कल भारी बारिश की चेतावनी दी है।",
};

}  // namespace

std::vector<std::string> BuiltInSentences() {
  std::vector<std::string> out(std::begin(kSentences), std::end(kSentences));
  constexpr size_t kTogether = 4;
  for (size_t i = 0; i + kTogether <= std::size(kSentences); i += kTogether) {
    std::string passage = kSentences[i];
    for (size_t j = i + 1; j < i + kTogether; ++j) passage += std::string(" ") + kSentences[j];
    out.push_back(std::move(passage));
  }
  return out;
}

}  // namespace dunnock
