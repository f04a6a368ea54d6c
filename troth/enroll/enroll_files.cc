#include "troth/enroll/enroll_files.h"

#include <algorithm>
#include <vector>

#include "troth/base/file.h"

namespace troth {
namespace {

// "ca.example.com" of "ca.example.com:8443"; an address in brackets stays whole.
std::string_view HostOf(std::string_view server) {
  const size_t colon = server.rfind(':');
  if (colon == std::string_view::npos || server.find(']', colon) != std::string_view::npos) {
    return server;
  }
  return server.substr(0, colon);
}

std::string FileNameOf(std::string_view name) {
  std::string file(name);
  std::ranges::replace(file, '/', '_');
  if (file.starts_with('.')) file.front() = '_';
  return file;
}

std::string TrustBundleIn(const std::string& folder, std::string_view server) {
  const std::vector<std::string> names = {FileNameOf(server) + ".cacert",
                                          FileNameOf(HostOf(server)) + ".cacert"};
  for (const std::string& name : names) {
    for (const std::string& place : {folder, JoinPath(folder, "certs")}) {
      if (std::string path = JoinPath(place, name); FileExists(path)) return path;
    }
  }
  return JoinPath(folder, names.front());
}

}  // namespace

EnrollPaths PathsInFolder(const std::string& folder, std::string_view server,
                          std::string_view client_id) {
  const std::string stem = JoinPath(folder, FileNameOf(client_id));
  return {.private_key = stem + ".key",
          .request = stem + ".csr",
          .certificate = stem + ".crt",
          .trust_bundle = TrustBundleIn(folder, server),
          .rejections = stem + ".rejected"};
}

EnrollPaths PathsOfOneFile(const std::string& out, std::string_view server) {
  return {.private_key = out,
          .request = out + ".csr",
          .certificate = out,
          .trust_bundle = TrustBundleIn(FolderOf(out), server),
          .rejections = out + ".rejected"};
}

}  // namespace troth
