// How long a cancelled generation takes to come back, beside the time of one layer over a piece of
// 512 tokens: the flag is looked at between layers.
//
//   cancel_bench FOLDER [ROUNDS]
//
// FOLDER: a checkpoint or bundle of a decoder. Each round sets the flag at another point of a
// prompt of 512 tokens (those points are spread evenly over the time that it takes).

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "base/str.h"
#include "io/file.h"
#include "runtime/session.h"

using namespace dunnock;

namespace {

using Clock = std::chrono::steady_clock;

double Milliseconds(Clock::duration time) {
  return std::chrono::duration<double, std::milli>(time).count();
}

Result<int> Measure(const char* folder, int rounds) {
  DUNNOCK_TRY(FileSet files, MapFolder(folder));
  DUNNOCK_TRY(const auto engine, Engine::Load(std::move(files), {}));
  constexpr size_t kTokens = 512;
  std::vector<int32_t> prompt(kTokens);
  for (size_t i = 0; i < kTokens; ++i)
    prompt[i] = static_cast<int32_t>((i * 977 + 5) % engine->model().info().vocab_size);
  std::atomic<bool> cancel = false;
  GenerateOptions options;
  options.max_tokens = 1;
  options.decode_text = false;
  options.cancel = &cancel;
  DUNNOCK_TRY(Session session, Session::Create(*engine));
  // One that is not cancelled warms up, the next gives the time of all layers.
  double whole = 0;
  for (int i = 0; i < 3; ++i) {
    session.Clear();
    DUNNOCK_TRY(const Reply reply, session.Generate(prompt, options));
    whole = i == 1 ? reply.prompt_ms : std::min(whole, reply.prompt_ms);
  }
  const double layer = whole / static_cast<double>(engine->model().info().layers);
  std::vector<double> waits;
  for (int round = 0; round < rounds; ++round) {
    session.Clear();
    cancel = false;
    Clock::time_point set;
    std::thread canceller([&] {
      const double at = whole * (round + 0.5) / rounds;
      std::this_thread::sleep_for(std::chrono::duration<double, std::milli>(at));
      set = Clock::now();
      cancel = true;
    });
    const auto reply = session.Generate(prompt, options);
    const Clock::time_point back = Clock::now();
    canceller.join();
    if (!reply) return std::unexpected(reply.error());
    if (reply->finish_reason == FinishReason::kCancelled) waits.push_back(Milliseconds(back - set));
  }
  if (waits.empty()) return Invalid("no round was cancelled in time");
  std::sort(waits.begin(), waits.end());
  std::printf("prompt of %zu tokens %.1f ms, a layer %.2f ms, %zu threads\n", kTokens, whole, layer,
              engine->pool().threads());
  std::printf("cancelled %zu of %d times: back after median %.2f ms, most %.2f ms\n", waits.size(),
              rounds, waits[waits.size() / 2], waits.back());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fputs("usage: cancel_bench FOLDER [ROUNDS]\n", stderr);
    return 2;
  }
  const auto done = Measure(argv[1], argc > 2 ? std::atoi(argv[2]) : 40);
  if (!done) std::fprintf(stderr, "cancel_bench: %s\n", done.error().message.c_str());
  return done ? *done : 1;
}
