// The passages of standard input, one per line, that are nearest to a question: search MODEL
// QUESTION
#include <dunnock/dunnock.h>

#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: search MODEL QUESTION < passages\n";
    return 2;
  }
  try {
    std::vector<std::string> passages;
    for (std::string line; std::getline(std::cin, line);) passages.push_back(line);

    const dunnock::Model model(argv[1]);
    dunnock::Embedder embedder(model);
    dunnock::SearchSet set(embedder.dimensions());
    set.Add(embedder.Embed(passages, {.truncate = true}).values);
    for (const dunnock::Hit& hit : set.Nearest(embedder.EmbedOne(argv[2]), 5))
      std::printf("%.3f  %s\n", static_cast<double>(hit.score), passages[hit.index].c_str());
  } catch (const dunnock::Error& e) {
    std::cerr << "search: " << e.what() << '\n';
    return 1;
  }
}
