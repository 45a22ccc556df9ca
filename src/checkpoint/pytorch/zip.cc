#include "checkpoint/pytorch/zip.h"

#include <optional>

#include "base/str.h"

namespace dunnock {
namespace {

// Each record of a zip begins with its signature.
constexpr uint32_t kLocalHeader = 0x04034b50;
constexpr uint32_t kCentralHeader = 0x02014b50;
constexpr uint32_t kEnd = 0x06054b50;
constexpr uint32_t kEnd64 = 0x06064b50;
constexpr uint32_t kEnd64Locator = 0x07064b50;
constexpr size_t kEndBytes = 22;
constexpr size_t kLocatorBytes = 20;
constexpr uint64_t kMost32 = 0xFFFFFFFF;  // means "see the 64-bit field"

template <typename T>
T Load(const uint8_t* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

struct Directory {
  uint64_t offset, size;
};

std::optional<ByteSpan> Slice(ByteSpan file, uint64_t offset, uint64_t size) {
  if (offset > file.size() || size > file.size() - offset) return std::nullopt;
  return file.subspan(offset, size);
}

Result<Directory> FindDirectory(ByteSpan file) {
  // Only a comment of at most 64 KiB may follow the end record.
  if (file.size() < kEndBytes) return Invalid("too short for a zip archive");
  size_t at = file.size() - kEndBytes;
  const size_t lowest = at > 0xFFFF ? at - 0xFFFF : 0;
  while (Load<uint32_t>(file.data() + at) != kEnd) {
    if (at-- == lowest) return Invalid("a zip archive without its end: the file is cut short");
  }
  const uint8_t* end = file.data() + at;
  Directory out{Load<uint32_t>(end + 16), Load<uint32_t>(end + 12)};
  const bool is_64 = at >= kLocatorBytes && Load<uint32_t>(end - kLocatorBytes) == kEnd64Locator;
  if (is_64) {
    const auto record = Slice(file, Load<uint64_t>(end - kLocatorBytes + 8), 56);
    if (!record || Load<uint32_t>(record->data()) != kEnd64) {
      return Invalid("the zip's 64-bit end record is not where its locator says");
    }
    out = {Load<uint64_t>(record->data() + 48), Load<uint64_t>(record->data() + 40)};
  }
  if (!Slice(file, out.offset, out.size)) {
    return Invalid(Str("the zip's directory of ", out.size, " bytes at ", out.offset,
                       " is outside the file of ", file.size()));
  }
  return out;
}

struct Entry {
  uint64_t size, stored_size, local_header;
};

// The 64-bit values that replace full 32-bit fields, in the extra field with id 1.
bool Widen(ByteSpan extra, Entry& entry) {
  ByteReader reader(extra);
  while (reader.remaining() >= 4) {
    const uint16_t id = *reader.Read<uint16_t>();
    const auto body = reader.Take(*reader.Read<uint16_t>());
    if (!body) return false;
    if (id != 1) continue;
    ByteReader values(*body);
    for (uint64_t* field : {&entry.size, &entry.stored_size, &entry.local_header}) {
      if (*field != kMost32) continue;
      const auto wide = values.Read<uint64_t>();
      if (!wide) return false;
      *field = *wide;
    }
  }
  return true;
}

Result<ByteSpan> DataOf(ByteSpan file, const Entry& entry) {
  const auto header = Slice(file, entry.local_header, 30);
  if (!header || Load<uint32_t>(header->data()) != kLocalHeader) {
    return Invalid(Str("no local header at byte ", entry.local_header));
  }
  const uint64_t skipped =
      uint64_t{30} + Load<uint16_t>(header->data() + 26) + Load<uint16_t>(header->data() + 28);
  const auto data = Slice(file, entry.local_header + skipped, entry.size);
  if (!data) {
    return Invalid(Str(entry.size, " bytes at ", entry.local_header + skipped,
                       " end past the file of ", file.size()));
  }
  return *data;
}

}  // namespace

Result<std::map<std::string, ByteSpan>> ReadStoredZip(ByteSpan file) {
  DUNNOCK_TRY(const Directory directory, FindDirectory(file));
  std::map<std::string, ByteSpan> out;
  ByteReader reader(file.subspan(directory.offset, directory.size));
  while (reader.remaining() != 0) {
    const auto header = reader.Take(46);
    if (!header || Load<uint32_t>(header->data()) != kCentralHeader) {
      return Invalid(Str("broken zip directory after ", out.size(), " entries"));
    }
    const uint8_t* h = header->data();
    const uint16_t flags = Load<uint16_t>(h + 8);
    const uint16_t method = Load<uint16_t>(h + 10);
    Entry entry{Load<uint32_t>(h + 24), Load<uint32_t>(h + 20), Load<uint32_t>(h + 42)};
    const auto name_bytes = reader.Take(Load<uint16_t>(h + 28));
    const auto extra = name_bytes ? reader.Take(Load<uint16_t>(h + 30)) : std::nullopt;
    const auto comment = extra ? reader.Take(Load<uint16_t>(h + 32)) : std::nullopt;
    if (!comment || !Widen(*extra, entry)) {
      return Invalid(Str("broken zip directory after ", out.size(), " entries"));
    }
    const std::string name(AsText(*name_bytes));
    const std::string where = Str("zip entry \"", name, "\"");
    if (flags & 1) return Unsupported(where + ": it is encrypted");
    if (method != 0 || entry.stored_size != entry.size) {
      return Unsupported(Str(where, ": compressed with method ", method,
                             ": expected stored entries, as torch.save writes them"));
    }
    auto data = DataOf(file, entry);
    if (!data) return In(where, std::move(data).error());
    if (!out.emplace(name, *data).second) return Invalid(where + " appears twice");
  }
  return out;
}

}  // namespace dunnock
