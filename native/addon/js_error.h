// Engine errors as JavaScript errors: an Error whose `code` is the name in the table of src/errors.ts.
#pragma once

#include <napi.h>

#include <functional>

#include "status.h"

namespace headrace {

Napi::Error make_js_error(Napi::Env env, Code code, const std::string& message);

// Runs `body`; an engine error becomes a pending JavaScript exception and the result undefined.
Napi::Value guarded(Napi::Env env, const std::function<Napi::Value()>& body);

}  // namespace headrace
