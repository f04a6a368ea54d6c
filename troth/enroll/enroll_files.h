// Where a client's key, request and certificates lie.
#pragma once

#include <string>
#include <string_view>

namespace troth {

struct EnrollPaths {
  std::string private_key;  // locked while somebody works on any of them
  std::string request;
  std::string certificate;   // may be the same as `private_key`: one file holds both
  std::string trust_bundle;  // CA certificates; read when it is there, written when it is not
  std::string rejections;    // how often the authority has said no, and when to ask again

  bool one_file() const { return certificate == private_key; }
};

// As Caramel's clients name them: FOLDER/CLIENT.key, .csr and .crt, and the CA's certificate
// FOLDER/SERVER.cacert, which is also looked for where the Rust client keeps it
// (FOLDER/certs/SERVER.cacert) and by the server's host alone. `server` is as it was written,
// "ca.example.com:8443". Characters of a client id that cannot stand in a file's name become '_'.
EnrollPaths PathsInFolder(const std::string& folder, std::string_view server,
                          std::string_view client_id);
// Key and certificate in `out`, the others beside it: OUT.csr, and the CA's certificate as above.
EnrollPaths PathsOfOneFile(const std::string& out, std::string_view server);

}  // namespace troth
