#include "pipeline/picture.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

size_t Count(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

TEST(QualityPicture, HasAPointPerBundle) {
  const std::vector<QualityPoint> points = {
      {"int4", 76'000'000, 0.93}, {"int8", 140'000'000, 0.997}, {"original", 270'000'000, 1}};
  const std::string svg = QualityPicture(points, {"a <model> & more", "ratio", 0.9});
  EXPECT_TRUE(svg.starts_with("<svg "));
  EXPECT_TRUE(svg.ends_with("</svg>\n"));
  EXPECT_EQ(Count(svg, "<circle"), 3u);
  EXPECT_NE(svg.find("a &lt;model&gt; &amp; more"), std::string::npos);
  EXPECT_NE(svg.find("int4, 76.0 MB, 0.9300"), std::string::npos);
  EXPECT_NE(svg.find("original, 270 MB"), std::string::npos);
  EXPECT_NE(svg.find("gate 0.9"), std::string::npos);
  EXPECT_EQ(Count(svg, "nan"), 0u);
  EXPECT_EQ(Count(svg, "inf"), 0u);
}

TEST(QualityPicture, OnePointOrEqualOnesAreDrawnToo) {
  const QualityPoint one{"int8", 1000, 1};
  for (const auto& points : {std::vector{one}, std::vector{one, one}}) {
    const std::string svg = QualityPicture(points, {"m", "q", 0});
    EXPECT_EQ(Count(svg, "<circle"), points.size());
    EXPECT_EQ(Count(svg, "nan"), 0u);
  }
}

}  // namespace
}  // namespace dunnock
