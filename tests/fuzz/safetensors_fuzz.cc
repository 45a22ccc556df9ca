// safetensors through the public reader; every tensor's first row is decoded.

#include "open_and_decode.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  dunnock::OpenAndDecode("model.safetensors", data, size);
  return 0;
}
