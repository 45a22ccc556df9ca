#include "bundle/shard_decoder.h"

#include <algorithm>
#include <cstring>

#include "base/str.h"
#include "base/system/memory.h"
#include "tensor/rows.h"

namespace dunnock {
namespace {

std::string Text(DType dtype, const std::vector<uint64_t>& shape) {
  std::string out(InfoOf(dtype).name);
  for (size_t i = 0; i < shape.size(); ++i) out += Str(i == 0 ? " (" : ", ", shape[i]);
  return out + ")";
}

}  // namespace

ShardDecoder::ShardDecoder(const Manifest& manifest, const BundleFile& shard)
    : manifest_(manifest), shard_(shard) {}

Status ShardDecoder::Feed(ByteSpan bytes, const Sink& sink) {
  while (failure_ && !bytes.empty()) {
    const uint64_t before = bytes.size();
    if (seen_ >= shard_.size_bytes) {
      failure_ = Invalid(Str("more than the ", shard_.size_bytes, " bytes of manifest.json"));
    } else {
      failure_ = Take(bytes, sink);
    }
    seen_ += before - bytes.size();
    if (!failure_) failure_ = In(shard_.name, failure_.error());
  }
  return failure_;
}

Status ShardDecoder::Finish() const {
  if (!failure_ || (seen_ == shard_.size_bytes && next_ == routes_.size() && header_bytes_))
    return failure_;
  return Invalid(
      Str(shard_.name, ": it is cut short: ", seen_, " of ", shard_.size_bytes, " bytes came"));
}

// Takes some of the bytes, at least one.
Status ShardDecoder::Take(ByteSpan& bytes, const Sink& sink) {
  if (next_ == 0 && routes_.empty()) {
    const uint64_t wanted = kSafetensorsSizeBytes + header_bytes_.value_or(0);
    const size_t count =
        static_cast<size_t>(std::min<uint64_t>(wanted - header_.size(), bytes.size()));
    header_.insert(header_.end(), bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(count));
    bytes = bytes.subspan(count);
    if (header_.size() < wanted) return {};
    if (!header_bytes_) {
      DUNNOCK_TRY(header_bytes_, SafetensorsHeaderBytes(header_));
      if (*header_bytes_ > shard_.size_bytes - std::min(shard_.size_bytes, wanted)) {
        return Invalid(Str("the header claims ", *header_bytes_, " bytes of ", shard_.size_bytes));
      }
      return {};
    }
    DUNNOCK_TRY_STATUS(ReadHeader());
    header_ = {};
    return BeginTensor();
  }
  // The tensors fill the file, so there is one for every byte.
  Route& route = routes_[next_];
  const size_t count =
      static_cast<size_t>(std::min<uint64_t>(route.entry.size_bytes() - arrived_, bytes.size()));
  const ByteSpan part = bytes.first(count);
  if (route.kind == Kind::kCodes) {
    if (const Status fed = pending_.at(route.weight).decoder->Feed(part); !fed)
      return In(route.weight, fed.error());
  } else if (collected_) {
    std::memcpy(collected_->data() + arrived_, part.data(), count);
  }
  arrived_ += count;
  bytes = bytes.subspan(count);
  if (arrived_ < route.entry.size_bytes()) return {};
  DUNNOCK_TRY_STATUS(EndTensor(sink));
  return ++next_ < routes_.size() ? BeginTensor() : Status{};
}

Status ShardDecoder::ReadHeader() {
  const ByteSpan text = ByteSpan(header_).subspan(kSafetensorsSizeBytes);
  DUNNOCK_TRY(std::vector<SafetensorsEntry> entries,
              ReadSafetensorsHeader(text, shard_.size_bytes - header_.size()));
  std::erase_if(entries, [](const SafetensorsEntry& e) { return e.size_bytes() == 0; });
  if (entries.empty()) return Invalid("it has no tensors");
  for (SafetensorsEntry& e : entries) {
    const Kind kind = e.name.starts_with("padding.") ? Kind::kPadding : Kind::kTensor;
    routes_.push_back({std::move(e), kind, ""});
  }
  std::map<std::string, Route*> by_name;
  for (Route& route : routes_) by_name.emplace(route.entry.name, &route);
  for (const auto& [name, form] : manifest_.weights) {
    if (const Status routed = RouteWeight(name, form, by_name); !routed)
      return In("the weights do not fit manifest.json", routed.error());
  }
  for (const auto& [name, table] : manifest_.tables) {
    const auto it = by_name.find(name + ".table");
    const std::vector<uint64_t> shape = {table.rows, table.row_bytes()};
    if (it == by_name.end() || it->second->entry.dtype != DType::kU8 ||
        it->second->entry.shape != shape) {
      return Invalid(Str(name, ".table: expected ", Text(DType::kU8, shape)));
    }
  }
  return CheckExpansion();
}

Status ShardDecoder::RouteWeight(const std::string& name, const Weight& form,
                                 std::map<std::string, Route*>& routes) {
  Pending& pending = pending_[name];
  pending.weight = form;
  const auto route = [&](const std::string& part, Kind kind, DType dtype,
                         const std::vector<uint64_t>& shape) -> Status {
    const auto it = routes.find(name + part);
    if (it == routes.end()) {
      return Fail(ErrorCode::kNotFound,
                  Str(name, part, " is missing: expected ", Text(dtype, shape)));
    }
    Route& to = *it->second;
    if (to.entry.dtype != dtype || to.entry.shape != shape) {
      return Invalid(Str(name, part, ": expected ", Text(dtype, shape), ", found ",
                         Text(to.entry.dtype, to.entry.shape)));
    }
    if (!to.weight.empty()) return Invalid(Str(name, part, " is of two weights"));
    to.kind = kind;
    to.weight = name;
    ++pending.parts;
    return {};
  };
  const auto codes = routes.find(name + ".codes");
  if (shard_.codec == Codec::kRans && codes != routes.end()) {
    if (!CanBeCoded(form))
      return Invalid(Str(name, ".codes: ", NameOf(form.encoding), " cannot be coded"));
    DUNNOCK_TRY_STATUS(
        route(".codes", Kind::kCodes, DType::kU8, {codes->second->entry.size_bytes()}));
    if (const size_t size = GroupBytesOf(form); size > 0)
      DUNNOCK_TRY_STATUS(route(".groups", Kind::kGroups, DType::kU8, {form.panel_count(), size}));
  } else {
    DUNNOCK_TRY_STATUS(
        route(".weight", Kind::kPanels, DType::kU8, {form.panel_count(), form.panel_bytes}));
  }
  if (form.has_row_scales()) {
    DUNNOCK_TRY_STATUS(
        route(".scales", Kind::kScales, DType::kF32, {form.panel_count() * kPanelRows}));
  }
  if (routes.contains(name + ".bias"))
    DUNNOCK_TRY_STATUS(route(".bias", Kind::kBias, DType::kF32, {form.rows}));
  return {};
}

Status ShardDecoder::CheckExpansion() const {
  Expansion expansion;
  for (const Route& route : routes_) {
    if (route.kind == Kind::kCodes)
      expansion.Add(pending_.at(route.weight).weight, route.entry.size_bytes());
  }
  return expansion.Check();
}

// Takes the memory for the tensor that arrives next.
Status ShardDecoder::BeginTensor() {
  const Route& route = routes_[next_];
  arrived_ = 0;
  collected_.reset();
  if (route.kind == Kind::kPadding) return {};
  if (route.kind == Kind::kCodes || route.kind == Kind::kGroups) {
    Pending& pending = pending_.at(route.weight);
    if (!pending.decoder) {
      DUNNOCK_TRY(WeightDecoder decoder, WeightDecoder::Create(pending.weight));
      pending.decoder.emplace(std::move(decoder));
    }
    if (route.kind == Kind::kCodes) return {};
  }
  uint64_t size = route.entry.size_bytes();
  if (route.kind == Kind::kBias) {  // padded to whole panels
    const uint64_t floats = pending_.at(route.weight).weight.panel_count() * kPanelRows;
    size = floats * sizeof(float);
  }
  if (size > SIZE_MAX / 2) throw OutOfMemory(size);
  collected_.emplace(static_cast<size_t>(size));
  return {};
}

Status ShardDecoder::EndTensor(const Sink& sink) {
  const Route& route = routes_[next_];
  if (route.kind == Kind::kPadding) return {};
  if (route.kind == Kind::kTensor) {
    const Blob bytes = collected_->ToBlob();
    Tensor tensor{route.entry.dtype, route.entry.shape, bytes.bytes()};
    std::string name = route.entry.name;
    const std::string of_table =
        name.ends_with(".table") ? name.substr(0, name.size() - std::string_view(".table").size())
                                 : "";
    if (const auto table = manifest_.tables.find(of_table); table != manifest_.tables.end()) {
      tensor.dtype = table->second.dtype;
      tensor.shape = {table->second.rows, table->second.cols};
      name = of_table + ".weight";
    }
    sink.tensor(name, std::move(tensor), bytes);
    return {};
  }
  Pending& pending = pending_.at(route.weight);
  switch (route.kind) {
    case Kind::kCodes: {
      auto panels = pending.decoder->Finish();
      if (!panels) return In(route.weight, panels.error());
      pending.weight.panels = *std::move(panels);
      break;
    }
    case Kind::kGroups:
      pending.decoder->PutGroups({collected_->data(), collected_->size()});
      break;
    case Kind::kPanels:
      pending.weight.panels = collected_->ToBlob();
      break;
    case Kind::kScales:
      pending.weight.scales = collected_->ToBlob();
      break;
    case Kind::kBias:
      pending.weight.bias = collected_->ToBlob();
      break;
    default:
      break;
  }
  if (--pending.parts == 0) {
    sink.weight(route.weight, std::move(pending.weight));
    pending_.erase(route.weight);
  }
  return {};
}

}  // namespace dunnock
