#include "pipeline/export/export.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>

#include "base/str.h"
#include "base/system/memory.h"
#include "base/system/thread_pool.h"
#include "checkpoint/gguf/encode.h"
#include "io/file.h"
#include "io/staged_file.h"
#include "kernels/packing/pack.h"
#include "pipeline/export/export_metadata.h"
#include "pipeline/export/export_plan.h"

namespace dunnock {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kF16, DType::kQ8_0, DType::kQ4_0, DType::kQ4_1};
static_assert(std::size(kTypes) == std::size(kExportTypes));

// general.file_type, llama.cpp's number for what most of a file is.
uint32_t FileTypeOf(DType type) {
  constexpr uint32_t kNumbers[] = {0, 1, 7, 2, 3};
  return kNumbers[std::ranges::find(kTypes, type) - std::begin(kTypes)];
}

uint64_t RowBytes(const ExportTensor& t) {
  return t.cols() / InfoOf(t.dtype).block_size * InfoOf(t.dtype).block_bytes;
}

struct Encoded {
  std::vector<uint8_t> bytes;
  uint64_t copied = 0;  // rows
  double error_squares = 0, squares = 0;
};

// The part that has a row of a matrix, and which of its rows that is.
std::pair<const ExportPart*, uint64_t> SourceOf(const ExportTensor& t, uint64_t row) {
  if (t.head_dim != 0) row = HalfSplitRow(row, t.head_dim);
  const ExportPart* part = t.parts.data();
  for (; row >= part->rows; ++part) row -= part->rows;
  return {part, part->first_row + row};
}

// Copies a row that is in the file's type already. False: it is not.
bool CopyRow(const ExportTensor& t, const ExportPart& part, uint64_t row, std::span<uint8_t> out) {
  if (part.tensor == nullptr || part.tensor->dtype != t.dtype) return false;
  std::memcpy(out.data(), part.tensor->bytes.data() + row * out.size(), out.size());
  return true;
}

struct Buffers {
  std::vector<float> values, decoded;
};

// What rounding a row has done to it: the sums of squares of the errors and of the values. NaN if a
// value is not finite, or does not fit.
std::pair<double, double> RoundRow(const ExportTensor& t, const ExportPart& part, uint64_t row,
                                   Buffers* buffers, std::span<uint8_t> out) {
  std::vector<float>& values = buffers->values;
  values.resize(t.cols());
  if (part.weight != nullptr) {
    UnpackRow(*part.weight, row, values);
  } else if (!DecodeRows(*part.tensor, row, 1, values)) {
    return {NAN, NAN};
  }
  EncodeRow(t.dtype, values, out);
  buffers->decoded.resize(t.cols());
  const Tensor encoded{t.dtype, {1, t.cols()}, out};
  if (!DecodeRows(encoded, 0, 1, buffers->decoded)) return {NAN, NAN};
  double error_squares = 0, squares = 0;
  for (size_t i = 0; i < values.size(); ++i) {
    const double error = double{values[i]} - double{buffers->decoded[i]};
    error_squares += error * error;
    squares += double{values[i]} * double{values[i]};
  }
  return {error_squares, squares};
}

Result<Encoded> Encode(const ExportTensor& t) {
  Encoded out;
  if (t.shape.size() == 1) {
    out.bytes.resize(RowBytes(t));
    EncodeRow(t.dtype, t.values, out.bytes);
    return out;
  }
  const uint64_t row_bytes = RowBytes(t);
  out.bytes.resize(t.rows() * row_bytes);
  struct RowResult {
    bool copied = false;
    double error_squares = 0, squares = 0;
  };
  std::vector<RowResult> rows(t.rows());
  ThreadPool::Current().ParallelFor(t.rows(), 1, [&](size_t begin, size_t end) {
    Buffers buffers;
    for (size_t r = begin; r < end; ++r) {
      const auto [part, row] = SourceOf(t, r);
      const std::span<uint8_t> to(out.bytes.data() + r * row_bytes, row_bytes);
      rows[r].copied = CopyRow(t, *part, row, to);
      if (rows[r].copied) continue;
      std::tie(rows[r].error_squares, rows[r].squares) = RoundRow(t, *part, row, &buffers, to);
    }
  });
  for (size_t r = 0; r < rows.size(); ++r) {
    if (!std::isfinite(rows[r].error_squares)) {
      return Invalid(Str(t.name, ": row ", r, " has a value that is not finite or does not fit ",
                         InfoOf(t.dtype).name,
                         ": expected finite values that fit; f32 has the "
                         "largest range"));
    }
    out.copied += rows[r].copied;
    out.error_squares += rows[r].error_squares;  // in order: the same sum for any number of threads
    out.squares += rows[r].squares;
  }
  return out;
}

Status CheckTarget(const std::string& path, bool replace) {
  if (IsFolder(path)) return Fail(ErrorCode::kIo, Str(path, ": expected a file, found a folder"));
  if (!replace && FileExists(path))
    return Fail(ErrorCode::kIo, Str(path, ": exists already"), Remedy::kReplace);
  return {};
}

Status CheckDisk(const std::string& path, uint64_t needed) {
  const std::string folder =
      std::filesystem::absolute(path).lexically_normal().parent_path().string();
  const auto free = FreeDiskBytes(folder);
  if (!free || *free > needed) return {};
  return Fail(ErrorCode::kIo, Str(path, ": the file takes ", needed / 1'000'000,
                                  " MB, the disk has ", *free / 1'000'000, " MB left"));
}

// Weights that were rounded to 4 bits lose as much again if they are rounded to other 4 bits.
void NoteSecondRounding(const Bundle& bundle, DType type, std::vector<std::string>* notes) {
  if (type != DType::kQ4_0 && type != DType::kQ4_1) return;
  const size_t count =
      static_cast<size_t>(std::ranges::count_if(bundle.weights, [](const auto& entry) {
        return entry.second.encoding == WeightEncoding::kInt4 ||
               entry.second.encoding == WeightEncoding::kInt4Grouped;
      }));
  if (count == 0) return;
  notes->push_back(Str(count, " matrices of this bundle are int4 and are rounded a second time to ",
                       InfoOf(type).name,
                       ", which loses as much again: q8_0 keeps them, and the checkpoint that the "
                       "bundle was made from is rounded only once"));
}

Status WriteTensors(FileWriter& file, const ExportPlan& plan, const ExportOptions& options,
                    ExportReport* report) {
  const uint64_t header_bytes = file.size();
  uint64_t done = 0;
  for (const ExportTensor& t : plan.tensors) {
    if (options.cancel != nullptr && options.cancel->load())
      return Fail(ErrorCode::kCancelled, "interrupted: nothing was written");
    if (options.progress) options.progress({"exporting", done, report->parameters});
    DUNNOCK_TRY(const Encoded encoded, Encode(t));
    const uint64_t past = (file.size() - header_bytes) % kGgufAlignment;
    if (past != 0) DUNNOCK_TRY_STATUS(file.Append(std::vector<uint8_t>(kGgufAlignment - past, 0)));
    DUNNOCK_TRY_STATUS(file.Append(encoded.bytes));
    ExportReport::OfType& of = report->types[std::string(InfoOf(t.dtype).name)];
    ++of.tensors;
    of.parameters += t.parameters();
    of.copied += encoded.copied * t.cols();
    of.error_squares += encoded.error_squares;
    of.squares += encoded.squares;
    done += t.parameters();
  }
  return {};
}

Result<ExportReport> ExportOrThrow(const FileSet& source, const std::string& path,
                                   const ExportOptions& options) {
  DUNNOCK_TRY_STATUS(CheckTarget(path, options.replace));
  Bundle bundle;  // a checkpoint is a bundle without packed weights
  if (IsBundle(source)) {
    DUNNOCK_TRY(bundle, OpenBundle(source));
  } else {
    DUNNOCK_TRY(bundle.checkpoint, OpenCheckpoint(source));
  }
  ExportReport report;
  report.notes = bundle.checkpoint.notes;
  DUNNOCK_TRY(const ExportPlan plan, PlanExport(bundle, options.type, &report.notes));
  NoteSecondRounding(bundle, options.type, &report.notes);

  GgufMetadata metadata;
  DUNNOCK_TRY_STATUS(WriteShape(&metadata, *plan.architecture, plan.shape));
  metadata.Text("general.type", "model");
  metadata.Text("general.name", options.source_name);
  metadata.Uint("general.file_type", FileTypeOf(options.type));
  metadata.Uint("general.quantization_version", 2);
  DUNNOCK_TRY_STATUS(
      WriteSideFiles(&metadata, &report.notes, bundle.checkpoint, plan.shape, options));
  GgufLayout layout;
  for (const ExportTensor& t : plan.tensors) {
    layout.Add(t.name, t.dtype, t.shape);
    report.parameters += t.parameters();
  }
  const std::string header = layout.Header(metadata);
  report.file_bytes = header.size() + layout.data_bytes();

  DUNNOCK_TRY(StagedFile staged, StagedFile::Create(path));
  DUNNOCK_TRY_STATUS(CheckDisk(path, report.file_bytes));
  DUNNOCK_TRY_STATUS(staged.writer().Append(AsBytes(header)));
  DUNNOCK_TRY_STATUS(WriteTensors(staged.writer(), plan, options, &report));
  DUNNOCK_TRY_STATUS(staged.Commit(options.replace));
  return report;
}

}  // namespace

std::optional<DType> ExportTypeNamed(std::string_view name) {
  const auto it = std::ranges::find(kExportTypes, name);
  if (it == std::end(kExportTypes)) return std::nullopt;
  return kTypes[it - std::begin(kExportTypes)];
}

double ExportReport::OfType::relative_error() const {
  return squares == 0 ? 0 : std::sqrt(error_squares / squares);
}

Result<ExportReport> ExportGguf(const FileSet& source, const std::string& path,
                                const ExportOptions& options) {
  return CatchOutOfMemory([&] { return ExportOrThrow(source, path, options); });
}

}  // namespace dunnock
