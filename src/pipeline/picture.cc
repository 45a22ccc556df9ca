#include "pipeline/picture.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "base/check.h"
#include "base/str.h"

namespace dunnock {
namespace {

constexpr double kWidth = 720, kHeight = 420;
constexpr double kLeft = 72, kRight = 130, kTop = 56, kBottom = 62;

std::string Fixed(double value, int digits) {
  char buffer[48];
  std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return buffer;
}
std::string At(double value) { return Fixed(value, 1); }

std::string Escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    out += c == '<' ? "&lt;" : c == '>' ? "&gt;" : c == '&' ? "&amp;" : std::string(1, c);
  }
  return out;
}

std::string Text(double x, double y, std::string_view text, std::string_view more) {
  return Str("<text x=\"", At(x), "\" y=\"", At(y), "\" ", more, ">", Escaped(text), "</text>\n");
}

std::string Line(double x1, double y1, double x2, double y2, std::string_view more) {
  return Str("<line x1=\"", At(x1), "\" y1=\"", At(y1), "\" x2=\"", At(x2), "\" y2=\"", At(y2),
             "\" ", more, "/>\n");
}

// 1, 2 or 5 times a power of ten: about a fifth of the range.
double NiceStep(double range) {
  const double power = std::pow(10, std::floor(std::log10(range / 5)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (range / (factor * power) <= 6) return factor * power;
  }
  return 10 * power;
}

std::string Megabytes(double bytes) {
  const double mb = bytes / 1e6;
  return Str(Fixed(mb, mb < 10 ? 2 : mb < 100 ? 1 : 0), " MB");
}

}  // namespace

std::string QualityPicture(const std::vector<QualityPoint>& points, const PictureText& text) {
  DUNNOCK_CHECK(!points.empty());
  double least = text.threshold > 0 ? text.threshold : points[0].quality, most = 1;
  double smallest = HUGE_VAL, largest = 0;
  for (const QualityPoint& p : points) {
    least = std::min(least, p.quality);
    most = std::max(most, p.quality);
    smallest = std::min(smallest, static_cast<double>(p.bytes));
    largest = std::max(largest, static_cast<double>(p.bytes));
  }
  const double margin = std::max((most - least) * 0.1, 1e-4);
  least -= margin;
  most += margin;
  const double low = std::log(smallest / 1.3), high = std::log(largest * 1.3);
  const auto x_of = [&](double bytes) {
    return kLeft + (std::log(bytes) - low) / (high - low) * (kWidth - kLeft - kRight);
  };
  const auto y_of = [&](double quality) {
    return kHeight - kBottom - (quality - least) / (most - least) * (kHeight - kTop - kBottom);
  };

  std::string out = Str("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", kWidth,
                        "\" height=\"", kHeight, "\" viewBox=\"0 0 ", kWidth, " ", kHeight,
                        "\" font-family=\"sans-serif\" font-size=\"12\" fill=\"#222\">\n",
                        "<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n");
  out += Text(kLeft, 26, text.title, "font-size=\"16\" font-weight=\"bold\"");
  out += Text(kLeft, 44, text.quality, "fill=\"#555\"");
  const double step = NiceStep(most - least);
  const int digits = std::max(0, static_cast<int>(std::ceil(-std::log10(step) - 1e-9)));
  for (double q = std::ceil(least / step) * step; q <= most; q += step) {
    out += Line(kLeft, y_of(q), kWidth - kRight, y_of(q), "stroke=\"#e4e4e4\"");
    out += Text(kLeft - 8, y_of(q) + 4, Fixed(q, digits), "text-anchor=\"end\" fill=\"#555\"");
  }
  // Sizes of 1, 2 and 5 times a power of ten.
  const double floor_y = kHeight - kBottom;
  for (double power = std::pow(10, std::floor(std::log10(smallest / 1.3))); power < largest * 1.3;
       power *= 10) {
    for (const double factor : {1.0, 2.0, 5.0}) {
      const double bytes = factor * power;
      if (std::log(bytes) < low || std::log(bytes) > high) continue;
      out += Line(x_of(bytes), floor_y, x_of(bytes), floor_y + 5, "stroke=\"#888\"");
      out += Text(x_of(bytes), floor_y + 19,
                  bytes < 1e6 ? Str(bytes / 1e3, " kB") : Str(bytes / 1e6, " MB"),
                  "text-anchor=\"middle\" fill=\"#555\"");
    }
  }
  out += Line(kLeft, floor_y, kWidth - kRight, floor_y, "stroke=\"#888\"");
  out += Text((kLeft + kWidth - kRight) / 2, kHeight - 16, "size of the folder (logarithmic)",
              "text-anchor=\"middle\" fill=\"#555\"");
  if (text.threshold > 0) {
    const double y = y_of(text.threshold);
    out += Line(kLeft, y, kWidth - kRight, y, "stroke=\"#b00\" stroke-dasharray=\"5 4\"");
    out += Text(kWidth - kRight + 8, y + 4, Str("gate ", text.threshold), "fill=\"#b00\"");
  }
  // Labels to the right of their points; one that would cover another moves down.
  std::vector<std::pair<double, double>> taken;
  for (size_t i = 0; i < points.size(); ++i) {
    const QualityPoint& p = points[i];
    const double x = x_of(static_cast<double>(p.bytes)), y = y_of(p.quality);
    double label_y = y - 6;
    const auto covered = [&] {
      return std::ranges::any_of(taken, [&](const auto& t) {
        return std::fabs(t.first - x) < 190 && std::fabs(t.second - label_y) < 14;
      });
    };
    while (covered()) label_y += 15;
    taken.emplace_back(x, label_y);
    const bool original = p.label == "original";
    out += Str("<circle cx=\"", At(x), "\" cy=\"", At(y), "\" r=\"", i == 0 ? 6 : 5, "\" fill=\"",
               i == 0     ? "#1a66cc"
               : original ? "#444"
                          : "#9ab8dd",
               "\"/>\n");
    out += Text(x + 10, label_y,
                original ? Str("original, ", Megabytes(static_cast<double>(p.bytes)))
                         : Str(p.label, ", ", Megabytes(static_cast<double>(p.bytes)), ", ",
                               Fixed(p.quality, 4)),
                i == 0 ? "font-weight=\"bold\"" : "");
  }
  return out + "</svg>\n";
}

}  // namespace dunnock
