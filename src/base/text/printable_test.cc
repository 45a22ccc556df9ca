#include "base/text/printable.h"

#include <gtest/gtest.h>

namespace dunnock {
namespace {

TEST(Printable, TextStaysAsItIs) {
  for (const char* text : {"", "plain \\x1b", "caf\xC3\xA9 \xE4\xBD\xA0 \xF0\x9F\x98\x80"})
    EXPECT_EQ(Printable(text), text);
}

TEST(Printable, WhatATerminalWouldObey) {
  EXPECT_EQ(Printable("\x1b[31mred\r"), "\\x1b[31mred\\x0d");
  EXPECT_EQ(Printable("\xC2\x9B"
                      "31m"),
            "\\u009b31m");  // the C1 form of the same
  EXPECT_EQ(Printable(std::string("a\0b\x7f", 4)), "a\\x00b\\u007f");
  EXPECT_EQ(Printable("a\xE2\x80\xAE"
                      "b"),
            "a\\u202eb");
}

TEST(Printable, BytesThatAreNotUtf8) {
  EXPECT_EQ(Printable("\x9b\xff"), "\\x9b\\xff");
  EXPECT_EQ(Printable("a\xE4\xBD"), "a\\xe4\\xbd");
}

TEST(Printable, LinesWhereTheyAreWanted) {
  EXPECT_EQ(Printable("a\n\tb"), "a\\x0a\\x09b");
  EXPECT_EQ(Printable("a\n\tb\r", "\n\t"), "a\n\tb\\x0d");
}

TEST(Shortened, CutsWordsOfHostileLength) {
  EXPECT_EQ(Shortened("config.json: x is 3:\n  next"), "config.json: x is 3:\n  next");
  EXPECT_EQ(Shortened("name \"" + std::string(100'000, 'x') + "\" is not"),
            "name \"" + std::string(999, 'x') + "... (99002 more bytes) is not");
  const std::string cut = Shortened(std::string(999, 'a') + "\u00e9\u00e9\u00e9");
  EXPECT_EQ(cut, std::string(999, 'a') + "... (6 more bytes)");
  EXPECT_EQ(Shortened(""), "");
}

}  // namespace
}  // namespace dunnock
