// A conversation: chat MODEL [CATALOGUE_ID]
// Reads a message per line of standard input. MODEL is a checkpoint folder or a GGUF file; the id
// of a known model ("tinyllama-1.1b-chat-v0.1") gives what its files lack, such as a chat template.
#include <dunnock/dunnock.h>

#include <iostream>
#include <string>
#include <vector>

int main(int argc, char** argv) {
  if (argc < 2) {
    std::cerr << "usage: chat MODEL [CATALOGUE_ID]\n";
    return 2;
  }
  try {
    dunnock::ModelOptions options;
    if (argc > 2) options.catalogue_id = argv[2];
    const dunnock::Model model(argv[1], options);
    for (const std::string& note : model.notes()) std::cerr << note << '\n';

    dunnock::Session session(model);
    dunnock::GenerateOptions generate = model.generate_options();
    generate.max_tokens = 64;
    std::vector<dunnock::Message> messages;
    for (std::string line; std::getline(std::cin, line);) {
      messages.push_back({"user", line});
      const dunnock::Reply reply = session.Chat(messages, generate, [](std::string_view text) {
        std::cout << text << std::flush;
        return true;
      });
      std::cout << std::endl;
      messages.push_back({"assistant", reply.text});
    }
  } catch (const dunnock::Error& e) {
    std::cerr << "chat: " << e.what() << '\n';
    if (e.remedy() == DUNNOCK_REMEDY_PLAIN_PROMPT)
      std::cerr << "chat: name the model's id in the catalogue behind it\n";
    return 1;
  }
}
