#include "hub/transfer/http.h"

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

TEST(Http, NamesAreEncoded) {
  EXPECT_EQ(EncodePath("a/Smol LM #1 100%?.gguf"), "a/Smol%20LM%20%231%20100%25%3F.gguf");
  EXPECT_EQ(EncodePath("\xC3\xA9\x01&+"), "%C3%A9%01%26%2B");
  EXPECT_EQ(EncodePath("model-00001-of-00002_x.y~"), "model-00001-of-00002_x.y~");
  EXPECT_EQ(EncodeSegment("refs/pr/1"), "refs%2Fpr%2F1");
}

TEST(Http, WhatCanBeReadOnTheWay) {
  for (const char* fine : {"https://hub.example", "http://127.0.0.1:80/x", "http://localhost:9",
                           "http://[::1]:9/", "http://127.1"})
    EXPECT_FALSE(SendsInClear(fine)) << fine;
  for (const char* bad : {"http://hub.example", "http://127.evil.example", "http://10.0.0.1",
                          "http://localhost.evil.example", "http://[::2]"})
    EXPECT_TRUE(SendsInClear(bad)) << bad;
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
