// The entry of every engine test: opens ONNX Runtime, then runs what was registered.
#define DOCTEST_CONFIG_IMPLEMENT
#include <doctest/doctest.h>

#include "ort.h"

int main(int argc, char** argv) {
  headrace::open_onnxruntime(HEADRACE_ORT_LIBRARY);
  return doctest::Context(argc, argv).run();
}
