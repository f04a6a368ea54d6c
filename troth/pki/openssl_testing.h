// For tests: the openssl command in a temporary folder of its own, and OpenSSL's view of
// certificates.
#pragma once

#include <gtest/gtest.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>

namespace troth::testing {

struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
using X509Ptr = std::unique_ptr<X509, FreeX509>;

// Null when OpenSSL does not read `der` to its end.
inline X509Ptr ReadWithOpenssl(std::string_view der) {
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const unsigned char* end = at + der.size();
  X509Ptr certificate(d2i_X509(nullptr, &at, static_cast<long>(der.size())));
  return at == end ? std::move(certificate) : nullptr;
}

// A folder that goes with the object, in which shell commands run.
class Workshop {
 public:
  Workshop() {
    std::string pattern = (std::filesystem::temp_directory_path() / "troth-XXXXXX").string();
    if (mkdtemp(pattern.data()) == nullptr) std::abort();
    folder_ = pattern;
  }
  Workshop(const Workshop&) = delete;
  Workshop& operator=(const Workshop&) = delete;
  ~Workshop() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  std::string PathOf(std::string_view name) const { return folder_ + "/" + std::string(name); }

  // Runs a shell command in the folder; a command that fails is a test failure with its output.
  void Run(const std::string& command) const {
    const std::string line = "cd " + folder_ + " && ( " + command + " ) >log.txt 2>&1 </dev/null";
    const int status = std::system(line.c_str());
    EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << command << "\n"
                                                               << Read("log.txt");
  }

  std::string Read(std::string_view name) const {
    std::ifstream file(PathOf(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void Write(std::string_view name, std::string_view content) const {
    std::ofstream(PathOf(name), std::ios::binary) << content;
  }

 private:
  std::string folder_;
};

}  // namespace troth::testing
