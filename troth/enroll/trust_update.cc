#include "troth/enroll/trust_update.h"

#include <algorithm>
#include <boost/json.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "troth/base/reason.h"
#include "troth/base/strings.h"
#include "troth/pki/path_validation.h"

namespace troth {
namespace {

std::string NameOf(const Certificate& authority) {
  return Printable(authority.subject().ToString());
}

bool HasExpired(const Certificate& authority, Time now) {
  return authority.validity().not_after < now;
}

bool IsCurrent(const Crl& list, Time now) {
  return list.this_update() <= now && list.next_update().has_value() && *list.next_update() >= now;
}

bool IsListOf(const Crl& list, const Certificate& authority) {
  return list.issuer().Matches(authority.subject()) &&
         list.VerifySignature(authority.public_key()).ok();
}

// The octets of a list's number without leading zeros: the longer, else the greater one is later.
std::string_view NumberOf(const Crl& list) {
  std::string_view number = *list.number();
  number.remove_prefix(std::min(number.find_first_not_of('\0'), number.size()));
  return number;
}

bool IsOlder(const Crl& list, const Crl& than) {
  if (list.number().has_value() && than.number().has_value()) {
    const std::string_view left = NumberOf(list);
    const std::string_view right = NumberOf(than);
    if (left != right) {
      return left.size() != right.size() ? left.size() < right.size() : left < right;
    }
  }
  return list.this_update() < than.this_update();
}

// The newest list of `authority`, or nothing.
std::optional<Crl> NewestOf(const std::vector<Crl>& lists, const Certificate& authority) {
  std::optional<Crl> newest;
  for (const Crl& list : lists) {
    if (!IsListOf(list, authority)) continue;
    if (!newest.has_value() || IsOlder(*newest, list)) newest = list;
  }
  return newest;
}

bool Contains(const std::vector<Certificate>& authorities, const Certificate& authority) {
  return std::ranges::find(authorities, authority) != authorities.end();
}

// `lists` are the root's, and may revoke the issuer.
absl::Status CheckIssuer(const Certificate& issuer, const Certificate& root,
                         const std::vector<Crl>& lists, Time now) {
  if (!issuer.is_ca()) {
    return MakeError(Reason::kNotACertificateAuthority,
                     "expected issuers, got " + issuer.Describe() + ", which is no CA");
  }
  const PathResult path =
      ValidatePath(issuer, {}, TrustBundle::FromCertificates({root}), {.now = now, .crls = &lists});
  return path.status.ok() ? absl::OkStatus()
                          : WithContext(path.status, "issuer " + issuer.Describe());
}

// Why `list` of `authority`, which may be missing, is not current.
absl::Status WhyNotCurrent(const std::optional<Crl>& list, const Certificate& authority, Time now) {
  if (!list.has_value()) {
    return MakeError(Reason::kRevocationUnknown,
                     "expected a revocation list of " + NameOf(authority) +
                         ", got none; does the authority have that issuer's key?");
  }
  if (list->this_update() > now) {
    return WithFix(MakeError(Reason::kRevocationUnknown,
                             "the revocation list of " + NameOf(authority) +
                                 " begins in the future, at " + FormatTime(list->this_update())),
                   "check the clocks of this machine and of the authority's");
  }
  if (!list->next_update().has_value()) {
    return MakeError(Reason::kRevocationUnknown, "the revocation list of " + NameOf(authority) +
                                                     " does not say until when it is current");
  }
  return MakeError(Reason::kCrlExpired, "the revocation list of " + NameOf(authority) +
                                            " was current until " +
                                            FormatTime(*list->next_update()));
}

class Update {
 public:
  Update(const Certificate& root, const TrustMaterial& present, const TrustMaterial& offered,
         Time now)
      : root_(root), present_(present), offered_(offered), now_(now) {}

  absl::StatusOr<TrustUpdate> Make() {
    if (absl::Status ok = CheckListsHaveIssuers(); !ok.ok()) return ok;
    const std::optional<Crl> list = ListOf(root_);
    if (!list.has_value()) return out_.incomplete;
    root_lists_ = {*list};
    std::vector<Certificate> issuers;
    for (const Certificate& issuer : offered_.authorities) {
      if (issuer == root_ || HasExpired(issuer, now_) || Contains(issuers, issuer)) continue;
      const absl::Status status = CheckIssuer(issuer, root_, root_lists_, now_);
      if (ReasonOf(status) == Reason::kCertificateRevoked) {
        // Keep tells of those that are here.
        if (!Contains(present_.authorities, issuer)) Distrust(issuer, status);
        continue;
      }
      if (!status.ok()) return status;
      issuers.push_back(issuer);
    }
    for (const Certificate& issuer : issuers) Take(issuer);
    for (const Certificate& authority : present_.authorities) {
      if (authority != root_ && !Contains(issuers, authority)) Keep(authority);
    }
    Add(root_, list);
    return std::move(out_);
  }

 private:
  // A list that none of these CAs signed is a sign that the whole answer is somebody else's.
  absl::Status CheckListsHaveIssuers() const {
    std::vector<Certificate> known = offered_.authorities;
    known.insert(known.end(), present_.authorities.begin(), present_.authorities.end());
    known.push_back(root_);
    for (const Crl& list : offered_.lists) {
      if (std::ranges::any_of(known,
                              [&](const Certificate& each) { return IsListOf(list, each); })) {
        continue;
      }
      return MakeError(Reason::kSignatureInvalid,
                       "expected lists that the authority's CAs signed, got one of " +
                           Printable(list.issuer().ToString()) + " that none of them did");
    }
    return absl::OkStatus();
  }

  // The list of `authority` that counts from now on, when one is current. Notes what is wrong.
  std::optional<Crl> ListOf(const Certificate& authority) {
    std::optional<Crl> offered = NewestOf(offered_.lists, authority);
    std::optional<Crl> held = NewestOf(present_.lists, authority);
    const bool older = offered.has_value() && held.has_value() && IsOlder(*offered, *held);
    if (offered.has_value() && IsCurrent(*offered, now_) && !older) return offered;
    const bool usable = held.has_value() && IsCurrent(*held, now_);
    if (older && usable) {
      out_.warnings.push_back("the authority's revocation list of " + NameOf(authority) + ", of " +
                              FormatTime(offered->this_update()) +
                              ", is older than the one that is here, of " +
                              FormatTime(held->this_update()) +
                              ", which stays: was the authority restored from a backup?");
      return held;
    }
    absl::Status why = WhyNotCurrent(older ? held : offered, authority, now_);
    if (older) {
      why = WithFix(
          WithContext(why, "the authority's list is older than the one that is here"),
          "if the authority was restored from a backup, or its clock was ahead, delete the file of "
          "lists, and fetch again: it counts anew");
    }
    out_.incomplete.Update(why);
    return usable ? held : std::nullopt;
  }

  // An issuer that the authority offers.
  void Take(const Certificate& issuer) {
    const std::optional<Crl> list = ListOf(issuer);
    if (list.has_value()) return Add(issuer, list);
    // Without a current list its clients are refused. One that is new here waits for its list.
    if (Contains(present_.authorities, issuer)) {
      Add(issuer, NewestOf(present_.lists, issuer));
    } else {
      out_.warnings.push_back("the new issuer " + NameOf(issuer) +
                              " is left out until it has a current revocation list");
    }
  }

  // One that is here, and that the authority does not offer.
  void Keep(const Certificate& authority) {
    const std::string name = NameOf(authority);
    if (HasExpired(authority, now_)) {
      out_.warnings.push_back(name + " has expired, and is no longer trusted");
      return;
    }
    if (absl::Status ok = CheckIssuer(authority, root_, root_lists_, now_); !ok.ok()) {
      return Distrust(authority, ok);
    }
    const std::optional<Crl> offered = NewestOf(offered_.lists, authority);
    std::optional<Crl> list = NewestOf(present_.lists, authority);
    if (!list.has_value() || (offered.has_value() && !IsOlder(*offered, *list))) list = offered;
    if (!list.has_value() || !IsCurrent(*list, now_)) {
      out_.warnings.push_back("the authority has no issuer " + name +
                              " any more, and there is no current revocation list of it here: it "
                              "is no longer trusted");
      return;
    }
    out_.warnings.push_back("the authority has no issuer " + name +
                            " any more; it stays until its revocation list ends, at " +
                            FormatTime(*list->next_update()));
    Add(authority, list);
  }

  void Distrust(const Certificate& authority, const absl::Status& why) {
    out_.warnings.push_back(NameOf(authority) + " is not trusted: " + std::string(why.message()));
  }

  void Add(const Certificate& authority, const std::optional<Crl>& list) {
    out_.material.authorities.push_back(authority);
    if (list.has_value()) out_.material.lists.push_back(*list);
  }

  const Certificate& root_;
  const TrustMaterial& present_;
  const TrustMaterial& offered_;
  const Time now_;
  std::vector<Crl> root_lists_;
  TrustUpdate out_;
};

absl::Status Malformed(const std::string& what) {
  return MakeError(Reason::kResponseMalformed, "GET /v1/trust: " + what);
}

absl::StatusOr<std::string> TextOf(const boost::json::object& object, const char* name) {
  const boost::json::value* const value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) {
    return Malformed(std::string("expected the member \"") + name + "\", a text with PEM");
  }
  const boost::json::string& text = value->get_string();
  return std::string(text.data(), text.size());
}

absl::StatusOr<boost::json::object> ParseObject(std::string_view body) {
  try {
    boost::json::error_code error;
    boost::json::value value = boost::json::parse({body.data(), body.size()}, error);
    if (!error && value.is_object()) return std::move(value.as_object());
  } catch (const std::exception&) {
    return MakeError(Reason::kInternal, "GET /v1/trust: out of memory");
  }
  return Malformed(
      "expected a JSON object, got something else; is this the HTTPS address of a Troth "
      "authority?");
}

}  // namespace

std::string TrustMaterial::AuthoritiesPem() const {
  std::string out;
  for (const Certificate& authority : authorities) out += authority.ToPem();
  return out;
}

std::string TrustMaterial::ListsPem() const {
  std::string out;
  for (const Crl& list : lists) out += list.ToPem();
  return out;
}

absl::StatusOr<TrustMaterial> ReadTrustAnswer(std::string_view body) {
  const absl::StatusOr<boost::json::object> object = ParseObject(body);
  if (!object.ok()) return object.status();
  const absl::StatusOr<std::string> issuers = TextOf(*object, "issuers");
  if (!issuers.ok()) return issuers.status();
  const absl::StatusOr<std::string> lists = TextOf(*object, "crls");
  if (!lists.ok()) return lists.status();
  TrustMaterial out;
  if (!issuers->empty()) {  // a one-tier authority has none
    auto read = Certificate::ListFromPem(*issuers);
    if (!read.ok()) return Malformed("\"issuers\": " + std::string(ToStd(read.status().message())));
    out.authorities = *std::move(read);
  }
  if (!lists->empty()) {
    auto read = Crl::ListFromBytes(*lists);
    if (!read.ok()) return Malformed("\"crls\": " + std::string(ToStd(read.status().message())));
    out.lists = *std::move(read);
  }
  return out;
}

absl::StatusOr<TrustUpdate> UpdateTrust(const Certificate& root, const TrustMaterial& present,
                                        const TrustMaterial& offered, Time now) {
  return Update(root, present, offered, now).Make();
}

}  // namespace troth
