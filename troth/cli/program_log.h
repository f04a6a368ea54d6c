// Where the program's log goes: one line an entry on standard error, by spdlog.
#pragma once

#include "troth/base/log.h"

namespace troth {

enum class LogFormat {
  kText,  // as the library's own sink writes it; in colour on a terminal, unless NO_COLOR is set
  // {"time": ..., "level": ..., "event": MESSAGE, and the entry's fields as text}. A field is never
  // called like one of the first three.
  kJson,
};

// The process's log sink (SetLogSink) while it lives; afterwards the library's own. One at a time.
class ProgramLog {
 public:
  explicit ProgramLog(LogFormat format);
  ProgramLog(const ProgramLog&) = delete;
  ProgramLog& operator=(const ProgramLog&) = delete;
  ~ProgramLog();
};

}  // namespace troth
