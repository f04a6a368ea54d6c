// Who listens on a port of this machine.
#pragma once

#include <cstdint>
#include <string>

namespace troth {

// "process 4711 (nginx)", or "another process" when it is another user's; empty when nobody listens
// on this TCP port, or that cannot be known. Reads /proc.
std::string DescribePortHolder(std::uint16_t port);

}  // namespace troth
