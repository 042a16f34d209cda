// Engine errors as JavaScript errors: an Error whose `code` is the name in the table of src/errors.ts.
#pragma once

#include <napi.h>

#include <exception>

#include "status.h"

namespace headrace {

Napi::Error make_js_error(Napi::Env env, Code code, const std::string& message);

// Runs `body`; an engine error becomes a pending JavaScript exception and the result undefined.
template <typename Body>
Napi::Value guarded(Napi::Env env, const Body& body) {
  try {
    return body();
  } catch (const Napi::Error& error) {
    throw error;
  } catch (const Error& error) {
    throw make_js_error(env, error.code(), error.what());
  } catch (const std::exception& error) {
    throw make_js_error(env, Code::Internal, error.what());
  }
}

}  // namespace headrace
