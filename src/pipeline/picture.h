#pragma once
// A picture of quality against size, as SVG: one point per bundle, and the original.

#include <string>
#include <vector>

#include "pipeline/report.h"

namespace dunnock {

struct PictureText {
  std::string title;
  std::string quality;   // what the vertical axis shows
  double threshold = 0;  // of the gate: a dashed line; 0: none
};

// At least one point, each with a size above 0 and a finite quality. The first one is drawn as the
// subject. Sizes are on a logarithmic axis.
std::string QualityPicture(const std::vector<QualityPoint>& points, const PictureText& text);

}  // namespace dunnock
