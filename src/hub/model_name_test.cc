#include "hub/model_name.h"

#include <gtest/gtest.h>

#include "hub/hub.h"

namespace dunnock {
namespace {

TEST(ModelName, Parts) {
  const auto is = [](const char* text, const char* plain, const char* revision, const char* part) {
    const ModelName name = SplitModelName(text);
    EXPECT_EQ(name.plain, plain) << text;
    EXPECT_EQ(name.revision, revision) << text;
    EXPECT_EQ(name.part, part) << text;
  };
  is("org/name", "org/name", "", "");
  is("org/name@refs/pr/1", "org/name", "refs/pr/1", "");
  is("org/name:Q4_K_M", "org/name", "", "Q4_K_M");
  is("org/name@v1:a/b-Q8_0.gguf", "org/name", "v1", "a/b-Q8_0.gguf");
}

TEST(Environment, PathsAreExpandedAsPythonDoes) {
  setenv("HOME", "/home/someone", 1);
  setenv("D_PLACE", "/data", 1);
  unsetenv("D_NONE");
  const auto is = [](const char* text, const char* path) { EXPECT_EQ(ExpandPath(text), path); };
  is("~", "/home/someone");
  is("~/c", "/home/someone/c");
  is("a/~/c", "a/~/c");
  is("~no-such-user/c", "~no-such-user/c");
  is("$D_PLACE/c", "/data/c");
  is("${D_PLACE}c", "/datac");
  is("~/${D_PLACE}", "/home/someone//data");
  is("$D_NONE/$/${D_NONE}/${D_PLACE", "$D_NONE/$/${D_NONE}/${D_PLACE");
}

TEST(Environment, EndpointAndToken) {
  const auto fine = [](const char* endpoint, const char* token) {
    HubOptions options;
    options.endpoint = endpoint;
    options.token = token;
    return options.Check().has_value();
  };
  EXPECT_TRUE(fine("https://hub.example", ""));
  EXPECT_TRUE(fine("http://127.0.0.1:9", "hf_x"));
  for (const char* endpoint :
       {"hub.example", "hub.example:80", "//hub.example", "ftp://hub.example", "file:///etc", ""})
    EXPECT_FALSE(fine(endpoint, "")) << endpoint;
  for (const char* token : {"hf x", "hf\tx", "hf\x1bx", "hf\x7fx", "hf\xC3\xA9", "a\r\nb: c"})
    EXPECT_FALSE(fine("https://hub.example", token));
}

}  // namespace
}  // namespace dunnock
