// Engines that several JavaScript threads of one process use: looked up by a token, kept alive by their users.
#pragma once

#include <cstdint>
#include <memory>

#include "engine.h"

namespace headrace {

uint32_t share_engine(const std::shared_ptr<Engine>& engine);

// Null where the engine has gone or the token never existed.
std::shared_ptr<Engine> shared_engine(uint32_t token);

}  // namespace headrace
