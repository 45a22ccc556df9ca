#include "hub/cache/digest.h"

#include <openssl/evp.h>

#include <algorithm>
#include <filesystem>

#include "base/check.h"
#include "base/str.h"
#include "io/file.h"

namespace dunnock {
namespace {

std::string Name(const std::string& path) {
  return std::filesystem::path(path).filename().string();
}

void AddFile(Digest* digest, ByteSpan bytes, const std::string& stage, const ProgressFn& progress) {
  constexpr size_t kPiece = 4 << 20;
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    digest->Add(bytes.subspan(at, std::min(kPiece, bytes.size() - at)));
    if (progress) progress({stage, std::min(at + kPiece, bytes.size()), bytes.size()});
  }
}

}  // namespace

Digest::Digest(Kind kind)
    : context_(EVP_MD_CTX_new(), [](void* c) { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(c)); }) {
  DUNNOCK_CHECK(context_ != nullptr);
  EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_.get()),
                    kind == Kind::kSha256 ? EVP_sha256() : EVP_sha1(), nullptr);
}

void Digest::Add(ByteSpan bytes) {
  EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_.get()), bytes.data(), bytes.size());
}

std::string Digest::Finish() {
  uint8_t bytes[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_.get()), bytes, &size);
  std::string out;
  for (unsigned i = 0; i < size; ++i) {
    out += "0123456789abcdef"[bytes[i] >> 4];
    out += "0123456789abcdef"[bytes[i] & 15];
  }
  return out;
}

std::string Sha256(ByteSpan bytes) {
  Digest digest(Digest::Kind::kSha256);
  digest.Add(bytes);
  return digest.Finish();
}

Result<std::string> Sha256OfFile(const std::string& path, const ProgressFn& progress) {
  return EtagOfFile(path, 64, progress);
}

Result<std::string> EtagOfFile(const std::string& path, size_t etag_size,
                               const ProgressFn& progress) {
  DUNNOCK_TRY(const Blob blob, MapFile(path));
  const bool git = etag_size == 40;
  Digest digest(git ? Digest::Kind::kSha1 : Digest::Kind::kSha256);
  if (git) {
    const std::string head = Str("blob ", blob.size()) + '\0';
    digest.Add(AsBytes(head));
  }
  AddFile(&digest, blob.bytes(), "verifying " + Name(path), progress);
  return digest.Finish();
}

bool IsEtag(std::string_view etag) {
  return (etag.size() == 40 || etag.size() == 64) &&
         etag.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace dunnock
