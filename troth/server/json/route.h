// The calls of the JSON front end: the one table of paths, methods, and what answers them.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "troth/server/json/handler.h"

namespace troth::json {

// Who makes a call. The guard's policy holds callers to it; a test compares the two.
enum class Access { kAnyone, kAuthenticated, kOperator };

// What a call takes.
enum class Takes {
  kNothing,  // neither query nor body
  kQuery,
  kBody,  // JSON; may be left out where nothing in it is required
};

struct Route {
  std::string_view method;
  // "/v1/requests/{id}/approve": a part in braces stands for one part of a path, whatever it says.
  std::string_view pattern;
  Access access;
  Takes takes;
  void (*answer)(const Call& call);
};

std::span<const Route> Routes();

// Whether `path` is one of `pattern`: then its variable part, as it was sent; empty where the
// pattern has none.
std::optional<std::string_view> MatchPath(std::string_view pattern, std::string_view path);

// "POST /v1/requests/*": the pattern as a policy writes it.
std::string PolicyMethod(const Route& route);

}  // namespace troth::json
