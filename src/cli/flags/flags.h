#pragma once
// The flags that verbs share. One Common holds what was given of them; every verb adds those that
// it takes.

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

#include "hub/hub.h"

namespace dunnock::cli {

struct Common {
  size_t threads = 0;             // 0: as many as there are physical cores
  uint64_t memory_mb = 0;         // 0: no limit
  uint64_t prepared_mb = 20'000;  // that prepared models may have together; 0: prepare none
  bool quiet = false, offline = false, json = false, jsonl = false, verbose = false;
  std::string cache_dir;
  std::string compute = "auto";
  std::string cpu;
  std::string kv_cache;
  std::string tokenizer;      // the model to take the tokenizer from
  std::string chat_template;  // a name or a file

  // DUNNOCK_THREADS, DUNNOCK_CACHE and DUNNOCK_PREPARED_MB, where no flag was given; throws
  // CLI::ValidationError.
  void ReadEnvironment();
  // How to reach the hub and the cache under these flags. The flags have to outlive it.
  HubOptions hub() const;
};

// --threads, --quiet, --offline, --cache-dir, --json; on every verb.
void AddCommonFlags(CLI::App& verb, Common& common);
// --compute, --cpu, --memory-mb, --kv-cache, --no-prepare and --tokenizer; on verbs that run a
// model.
void AddComputeFlags(CLI::App& verb, Common& common);
void AddTokenizerFlag(CLI::App& verb, Common& common);
void AddChatTemplateFlag(CLI::App& verb, Common& common);
// --prompt-lookup: exact, so for run and chat alike.
void AddPromptLookupFlag(CLI::App& verb, size_t* most);

// -n as llama.cpp has it: -1 is as much as fits, which Session writes as 0.
inline size_t MostTokens(int64_t n) { return n < 0 ? 0 : static_cast<size_t>(n); }

}  // namespace dunnock::cli
