#include "base/settings.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

constexpr Setting kTable[] = {
    {"temperature", Treatment::kDone},
    {"torch_dtype", Treatment::kHarmless},
    {"num_beams", Treatment::kNoted, "[1]", "one beam is searched"},
    {"softcap", Treatment::kRefused, "[0, false]", "none"},
};

std::vector<std::string> Notes(std::string_view json) {
  std::vector<std::string> notes;
  EXPECT_TRUE(CheckSettings(&notes, "x.json", *ParseJson(json), kTable));
  return notes;
}

TEST(Settings, SaysNothingOfWhatIsDoneHarmlessNeutralOrUnknown) {
  EXPECT_TRUE(Notes(R"({"temperature": 2, "torch_dtype": "f", "num_beams": 1, "softcap": false,
                        "who": "knows"})")
                  .empty());
  EXPECT_TRUE(Notes(R"({"num_beams": null, "softcap": null})").empty());
  EXPECT_TRUE(Notes("[1]").empty());
}

TEST(Settings, NamesWhatIsNotDone) {
  EXPECT_EQ(Notes(R"({"num_beams": 4})"),
            std::vector<std::string>{
                "x.json: \"num_beams\" is 4, which is not done here: one beam is searched"});
}

TEST(Settings, RefusesWhatWouldGiveWrongAnswers) {
  std::vector<std::string> notes;
  const Status status = CheckSettings(&notes, "x.json", *ParseJson(R"({"softcap": 30.5})"), kTable);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(status.error().message,
            "x.json: \"softcap\" is 30.5, which is not supported: expected none");
}

}  // namespace
}  // namespace dunnock
