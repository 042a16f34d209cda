#include "js_error.h"

namespace headrace {

Napi::Error make_js_error(Napi::Env env, Code code, const std::string& message) {
  Napi::Error error = Napi::Error::New(env, message);
  error.Set("code", Napi::String::New(env, code_name(code)));
  return error;
}

Napi::Value guarded(Napi::Env env, const std::function<Napi::Value()>& body) {
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
