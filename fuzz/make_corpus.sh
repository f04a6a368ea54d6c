#!/bin/sh
# Makes seeds of the fuzzers with openssl: certificates as users make them, and some with
# everything that a certificate can have; lists; requests. The unit tests of troth/pki run it too, and compare what Troth
# reads with what OpenSSL reads. Writes one folder per fuzzer; the keys stay in another, which goes at the end.
#
#   fuzz/make_corpus.sh fuzz/corpus
set -eu

[ $# = 1 ] || { echo "usage: $0 FOLDER" >&2; exit 64; }
mkdir -p "$1/certificate_fuzz" "$1/crl_fuzz" "$1/certificate_request_fuzz" "$1/pem_fuzz"
certificates=$(cd "$1/certificate_fuzz" && pwd)
lists=$(cd "$1/crl_fuzz" && pwd)
requests=$(cd "$1/certificate_request_fuzz" && pwd)
texts=$(cd "$1/pem_fuzz" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
exec 3>&1 >log.txt 2>&1

fail() { cat "$work/log.txt" >&3; echo "failed: $*" >&3; exit 1; }

cat >extensions.cnf <<'CONFIG'
[req]
distinguished_name = none
[none]
[full]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature, keyAgreement, decipherOnly
extendedKeyUsage = serverAuth, clientAuth, 1.2.3.4
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid, issuer
subjectAltName = DNS:a.example, DNS:*.b.example, IP:127.0.0.1, IP:::1, URI:spiffe://c/d, email:e@f, dirName:name, otherName:1.2.3;UTF8:x, RID:1.2.3
issuerAltName = DNS:issuer.example
crlDistributionPoints = URI:http://crl.example/1, URI:http://crl.example/2
authorityInfoAccess = OCSP;URI:http://ocsp.example, caIssuers;URI:http://ca.example
certificatePolicies = 1.2.3.4, @policy
1.2.3.4.5 = critical, ASN1:UTF8String:unknown
[policy]
policyIdentifier = 1.3.5.8
CPS.1 = http://cps.example
userNotice.1 = @notice
[notice]
explicitText = "read me"
[name]
C = UK
CN = directory
[ca]
basicConstraints = critical, CA:TRUE, pathlen:3
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
nameConstraints = critical, permitted;DNS:example, permitted;IP:10.0.0.0/255.0.0.0, excluded;email:f, excluded;dirName:name, permitted;URI:.example
policyConstraints = requireExplicitPolicy:3
inhibitAnyPolicy = 2
[points]
subjectAltName = critical, DNS:only
crlDistributionPoints = point
[point]
fullname = URI:http://a, URI:ldap://b
CRLissuer = dirName:name
reasons = keyCompromise, CACompromise
[authority]
default_ca = list
[list]
database = index.txt
crlnumber = number.txt
default_md = sha256
default_crl_days = 30
crl_extensions = list_extensions
[list_extensions]
authorityKeyIdentifier = keyid
issuingDistributionPoint = @where
[where]
fullname = URI:http://crl.example/full
CONFIG

# save NAME: the certificate of out.pem
save() { openssl x509 -in out.pem -outform DER -out "$certificates/$1.der" || fail "$1"; }
# self_signed NAME OPTION...
self_signed() {
  name=$1
  shift
  openssl req -x509 -out out.pem "$@" || fail "$name"
  save "$name"
}
# issued NAME SUBJECT OPTION...: by the CA of ca.pem
issued() {
  name=$1
  subject=$2
  shift 2
  openssl req -new -key leaf.key -subj "$subject" -out request.pem || fail "$name"
  openssl x509 -req -sha256 -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out out.pem "$@" || fail "$name"
  save "$name"
}

openssl ecparam -name prime256v1 -genkey -noout -out ca.key
openssl ecparam -name prime256v1 -genkey -noout -out leaf.key
curve='-newkey ec -nodes -keyout other.key -pkeyopt'

# The commands of users' documents, with quicker keys. The attestor's has the default answers, so its subject is the CA's.
self_signed ca -new -sha256 -days 365 -key ca.key -subj '/C=AU/ST=Some-State/O=Internet Widgits Pty Ltd'
cp out.pem ca.pem
self_signed clementine_ca -new -sha256 -days 365 -key ca.key -subj '/C=US/ST=CA/L=SF/O=Clementine/OU=CA/CN=Clementine CA'
printf 'subjectAltName=DNS:localhost,DNS:*.docker.internal,IP:127.0.0.1,IP:172.17.0.1' >server.cnf
issued clementine_server '/C=US/ST=CA/O=Clementine/CN=localhost' -days 365 -extfile server.cnf
issued clementine_client '/O=Clementine/CN=client' -days 365
issued attestor '/C=AU/ST=Some-State/O=Internet Widgits Pty Ltd'
openssl req -new -sha256 -key ca.key -subj /CN=localhost -out request.pem
openssl x509 -req -sha256 -in request.pem -signkey ca.key -out out.pem -days 3650 || fail sping
save sping
self_signed names -key leaf.key -subj /CN=localhost -addext subjectAltName=DNS:localhost,IP:127.0.0.1

# Every extension.
issued every_extension /CN=full -extfile extensions.cnf -extensions full
issued constrained_ca /CN=constrained -extfile extensions.cnf -extensions ca
issued point_with_issuer / -extfile extensions.cnf -extensions points

# Every kind of key, and signatures that are read and never accepted.
self_signed rsa -newkey rsa:2048 -nodes -keyout other.key -subj /CN=rsa
self_signed rsa_pss -key other.key -subj /CN=pss -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:digest
self_signed rsa_sha1 -sha1 -newkey rsa:1024 -nodes -keyout other.key -subj /CN=old
self_signed rsa_md5 -md5 -key other.key -subj /CN=older
openssl dsaparam -genkey -out other.key 1024
self_signed dsa -key other.key -subj /CN=dsa
self_signed ed25519 -newkey ed25519 -nodes -keyout other.key -subj /CN=ed25519
self_signed ed448 -newkey ed448 -nodes -keyout other.key -subj /CN=ed448
self_signed p384 $curve ec_paramgen_curve:P-384 -subj /CN=p384
self_signed p521 $curve ec_paramgen_curve:P-521 -subj /CN=p521
openssl ecparam -name prime256v1 -param_enc explicit -genkey -noout -out other.key
self_signed explicit_curve -key other.key -subj /CN=explicit

# Names, times and serial numbers.
self_signed utf8 -utf8 -key ca.key -subj '/O=Größe €/CN=日本'
self_signed several_in_one_rdn -key ca.key -multivalue-rdn -subj '/CN=b+OU=a/O=c+UID=d'
self_signed many_attributes -key ca.key -subj "/DC=org/DC=example/serialNumber=12/SN=s/GN=g/title=t/postalCode=1\
/street=s/emailAddress=a@b/initials=i/dnQualifier=q/pseudonym=p/UID=u"
self_signed beyond_2049 -key ca.key -subj /CN=late -days 20000
self_signed big_serial -key ca.key -subj /CN=s -set_serial 0xff0102030405060708090a0b0c0d0e0f10111213
self_signed negative_serial -key ca.key -subj /CN=s -set_serial -5
self_signed serial_zero -key ca.key -subj /CN=s -set_serial 0

# Lists. An entry is: state, expiry, revocation with reason, serial, file, subject.
tab=$(printf '\t')
revoke() {
  echo "R${tab}400101000000Z${tab}$1${tab}$2${tab}unknown${tab}/CN=$2" >>index.txt
}
# make_list NAME CONFIG
make_list() {
  openssl ca -config "$2" -name list -gencrl -cert ca.pem -keyfile ca.key -out list.pem || fail "$1"
  openssl crl -in list.pem -outform DER -out "$lists/$1.der" || fail "$1"
}
: >index.txt
echo 01 >number.txt
sed '/^crl_extensions/d; /^crlnumber/d' extensions.cnf >plain.cnf
sed 's|^fullname = URI:http://crl.example/full|onlyuser = TRUE|' extensions.cnf >partial.cnf
make_list empty extensions.cnf
revoke 260102000000Z 77
make_list version_1 plain.cnf
for serial in 0A 00FF 0102030405060708090A0B0C0D0E0F1011121314; do
  revoke 260101000000Z,keyCompromise "$serial"
done
revoke 260103000000Z,holdInstruction,holdInstructionReject 78
revoke 260104000000Z,keyTime,20251201000000Z 79
make_list entries extensions.cnf
make_list partial partial.cnf

# Requests. An ECDSA signature that has to verify is nothing that a fuzzer finds by itself.
# make_request NAME OPTION...
make_request() {
  name=$1
  shift
  openssl req -new -outform DER -out "$requests/$name.der" "$@" || fail "$name"
}
make_request plain -key leaf.key -subj /CN=localhost
make_request names -key leaf.key -subj /O=o/CN=n -addext 'subjectAltName=DNS:a.example,IP:127.0.0.1,URI:spiffe://c/d,email:e@f'
make_request asks_to_be_a_ca -key leaf.key -subj /CN=ca -addext basicConstraints=CA:TRUE -addext keyUsage=keyCertSign
make_request rsa -newkey rsa:2048 -nodes -keyout other.key -subj /CN=rsa
make_request ed25519 -newkey ed25519 -nodes -keyout other.key -subj /CN=ed25519
openssl req -in "$requests/names.der" -inform DER -out "$requests/names.pem" || fail names.pem

# PEM: text around blocks, two blocks, CRLF, headers, one long line. Never a private key.
openssl x509 -in ca.pem -text -out "$texts/text_before" || fail text_before
cat ca.pem list.pem >"$texts/two_blocks"
sed 's/$/\r/' ca.pem >"$texts/crlf"
{ sed 1q ca.pem; sed '1d;$d' ca.pem | tr -d '\n'; echo; sed -n '$p' ca.pem; } >"$texts/one_line"
openssl pkey -in ca.key -pubout -out "$texts/public_key" || fail public_key
printf -- '-----BEGIN TEXT-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: DES-EDE3-CBC,0001020304050607\n\nAAAA\n-----END TEXT-----\n' >"$texts/headers"
