#include <algorithm>
#include <chrono>
#include <cstdio>

#include "base/str.h"
#include "cli/flags/arguments.h"
#include "cli/open_model.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/output.h"
#include "cli/terminal/terminal.h"
#include "cli/verbs/verbs.h"
#include "io/peak_memory.h"
#include "kernels/target.h"
#include "pipeline/bench.h"
#include "runtime/engine.h"

namespace dunnock::cli {
namespace {

struct Flags {
  std::string model;
  BenchOptions options;
};

std::string Fixed(double value) {
  char buffer[32];
  std::snprintf(buffer, sizeof buffer, value < 10 ? "%.2f" : "%.1f", value);
  return buffer;
}

// "text_ms" and "texts_per_s" have several rows, told apart by tokens and texts.
std::string KeyWithin(const BenchRow& row) {
  return row.name == "text_ms" ? Str(row.tokens) : Str(row.texts, "x", row.tokens);
}

OrderedJson ToJson(const std::string& model, const BenchReport& report, const BenchRow& load,
                   size_t threads, uint64_t peak) {
  OrderedJson out = {{"model", model}, {"threads", threads}, {"target", CurrentTarget()}};
  OrderedJson spread = OrderedJson::object(), limits = OrderedJson::object();
  std::vector<BenchRow> rows = report.rows;
  rows.push_back(load);
  for (const BenchRow& row : rows) {
    const OrderedJson range = {{"min", row.samples.front()}, {"max", row.samples.back()}};
    const OrderedJson limit = {{"limit", row.limit}, {"fraction", row.fraction_of_limit}};
    if (row.name.starts_with("text")) {
      out[row.name][KeyWithin(row)] = row.median();
      spread[row.name][KeyWithin(row)] = range;
      limits[row.name][KeyWithin(row)] = limit;
    } else {
      out[row.name] = row.median();
      spread[row.name] = range;
      if (!row.limit.empty()) limits[row.name] = limit;
    }
  }
  out["peak_rss_bytes"] = peak;
  out["spread"] = spread;
  out["of_limit"] = limits;
  out["machine"] = {{"int8_ops_s", report.int8_ops_s}, {"read_bytes_s", report.read_bytes_s}};
  out["weight_bytes"] = report.weight_bytes;
  out["layer_parameters"] = report.layer_parameters;
  return out;
}

void PrintTable(const BenchReport& report, const BenchRow& load, size_t threads, uint64_t peak) {
  const Colours& c = StdoutColours();
  const auto line = [](const std::string& what, const std::string& value, const std::string& spread,
                       const std::string& limit) {
    char buffer[200];
    std::snprintf(buffer, sizeof buffer, "%-44s %10s  %-19s %s\n", what.c_str(), value.c_str(),
                  spread.c_str(), limit.c_str());
    Print(buffer);
  };
  const auto print_row = [&](const BenchRow& row) {
    const std::string limit = row.limit.empty()
                                  ? ""
                                  : Str(Fixed(100 * row.fraction_of_limit), " % of ",
                                        row.limit == "int8" ? "int8 rate" : "memory rate");
    line(row.is_rate ? row.what : row.what + ", ms", Fixed(row.median()),
         Str(Fixed(row.samples.front()), " - ", Fixed(row.samples.back())), limit);
  };
  Print(c.bold);
  line("", "median", "least - most", Str("of the machine's limit"));
  Print(c.reset);
  for (const BenchRow& row : report.rows) print_row(row);
  print_row(load);
  line("peak memory, MB", Fixed(static_cast<double>(peak) / 1e6), "", "");
  Print(Str(c.dim, threads, threads == 1 ? " thread, " : " threads, ", CurrentTarget(), "; limits ",
            Fixed(report.int8_ops_s / 1e9), " int8 Gop/s, ", Fixed(report.read_bytes_s / 1e9),
            " GB/s; weights ", HumanBytes(report.weight_bytes), c.reset, "\n"));
}

Result<int> Run(const Common& common, const Flags& flags) {
  BenchRow load;
  load.name = "load_ms";
  load.what = "load";
  load.is_rate = false;
  std::unique_ptr<Engine> engine;
  for (size_t i = 0; i < flags.options.repeat; ++i) {
    engine.reset();
    const auto start = std::chrono::steady_clock::now();
    DUNNOCK_TRY(engine, LoadEngine(common, flags.model));
    load.samples.push_back(
        std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
            .count());
  }
  std::sort(load.samples.begin(), load.samples.end());
  BenchOptions options = flags.options;
  options.progress = ProgressLine(common);
  auto report = Bench(*engine, options);
  ClearProgressLine(common);
  if (!report) return In(flags.model, std::move(report).error());
  const size_t threads = engine->pool().threads();
  // The limits are measured after this: they take memory of their own.
  const uint64_t peak = PeakRssBytes();
  MeasureLimits(*engine, &*report);
  if (common.json) {
    PrintJson(ToJson(flags.model, *report, load, threads, peak));
  } else {
    PrintTable(*report, load, threads, peak);
  }
  return 0;
}

}  // namespace

void AddBench(CLI::App& program, Common& common, Action* action) {
  CLI::App* verb =
      program.add_subcommand("bench", "Measure speed, as a fraction of what this machine could do");
  auto flags = std::make_shared<Flags>();
  BenchOptions& o = flags->options;
  verb->add_option("MODEL,-m,--model", flags->model, "The model")->required();
  const auto count = [&](const std::string& name, size_t* value, const std::string& what) {
    verb->add_option(name, *value, what)->check(InRange(1, 1'000'000))->capture_default_str();
  };
  count("--prompt-tokens", &o.prompt_tokens, "Number of tokens in the prompt");
  count("--decode-tokens", &o.decode_tokens, "Number of tokens to generate");
  count("--batch", &o.batch, "Number of sequences generated in one batch");
  count("--repeat", &o.repeat, "Number of measurements of each quantity; the median is shown");
  AddComputeFlags(*verb, common);
  AddCommonFlags(*verb, common);
  verb->callback([=, &common] { *action = [=, &common] { return Run(common, *flags); }; });
}

}  // namespace dunnock::cli
