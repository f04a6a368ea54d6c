# Every outside library, found once. trothConfig.cmake.in repeats the part that users of the libraries need.

set(THREADS_PREFER_PTHREAD_FLAG ON)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(absl CONFIG REQUIRED)
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)

# Header-only, and used in .cc files only: a plain include directory, so that no installed target refers to it.
find_path(TROTH_TOMLPLUSPLUS_INCLUDE_DIR toml++/toml.h REQUIRED)

find_package(Boost 1.81 REQUIRED COMPONENTS json)
find_package(CURL REQUIRED)
find_package(SQLite3 REQUIRED)
find_package(prometheus-cpp CONFIG REQUIRED)

find_package(CLI11 CONFIG REQUIRED)
find_package(spdlog CONFIG REQUIRED)

if(TROTH_BUILD_TESTS)
  find_package(GTest CONFIG REQUIRED)
  # The system's interpreter has the system's packages (python3-grpcio); another one on the PATH has not.
  find_program(Python3_EXECUTABLE python3 HINTS /usr/bin)
  find_package(Python3 REQUIRED COMPONENTS Interpreter)
endif()
if(TROTH_BUILD_BENCH)
  find_package(benchmark CONFIG REQUIRED)
endif()
