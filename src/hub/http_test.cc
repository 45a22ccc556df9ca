#include "hub/http.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

// Whoever may get a token is decided by this.
TEST(Http, OriginIsSchemeHostAndPort) {
  EXPECT_EQ(OriginOf("https://hub.example/a/b?c"), "https://hub.example:443");
  EXPECT_EQ(OriginOf("http://hub.example"), "http://hub.example:80");
  EXPECT_NE(OriginOf("https://hub.example"), OriginOf("http://hub.example"));
  EXPECT_NE(OriginOf("https://hub.example"), OriginOf("https://hub.example:8443"));
  EXPECT_NE(OriginOf("https://hub.example"), OriginOf("https://cdn.hub.example"));
  EXPECT_EQ(OriginOf("https://hub.example@evil.example/"), "https://evil.example:443");
  EXPECT_EQ(OriginOf("not a url"), "");
}

TEST(Http, RedirectTargets) {
  EXPECT_EQ(RedirectTarget("https://a.example/x/y?z", "/w"), "https://a.example/w");
  EXPECT_EQ(RedirectTarget("https://a.example/x", "https://b.example/s?q=1"),
            "https://b.example/s?q=1");
  EXPECT_EQ(RedirectTarget("https://a.example/x", "//b.example/s"), "https://b.example/s");
  EXPECT_EQ(RedirectTarget("https://a.example/x", "file:///etc/passwd"), "");
  EXPECT_EQ(RedirectTarget("https://a.example/x", ""), "");
}

}  // namespace
}  // namespace dunnock
