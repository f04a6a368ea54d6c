#!/bin/sh
# Makes the seed corpus of path_fuzz with the openssl command: chains with what validation looks at. Keys are thrown away.
# Usage: fuzz/make_path_corpus.sh
set -eu
out=$(cd "$(dirname "$0")" && pwd)/corpus/path_fuzz
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
cd "$work"

# make NAME ISSUER EXTENSIONS...: a certificate, self-signed when ISSUER is NAME.
make() {
  name=$1
  issuer=$2
  shift 2
  printf '%s\n' "$@" >"$name.ext"
  openssl ecparam -name prime256v1 -genkey -noout -out "$name.key"
  openssl req -new -key "$name.key" -subj "/O=Fuzz/CN=$name" -out "$name.csr"
  if [ "$name" = "$issuer" ]; then
    set -- -signkey "$name.key"
  else
    set -- -CA "$issuer.pem" -CAkey "$issuer.key" -CAcreateserial
  fi
  openssl x509 -req -in "$name.csr" "$@" -days 3650 -extfile "$name.ext" -out "$name.pem" 2>/dev/null
  openssl x509 -in "$name.pem" -outform DER -out "$name.der"
}

# item ROLE FILE: the file with its role and length before it, as path_fuzz reads it.
item() {
  size=$(wc -c <"$2")
  printf "\\$(printf %03o "$1")\\$(printf %03o $((size / 256)))\\$(printf %03o $((size % 256)))"
  cat "$2"
}
options() { printf "\\$(printf %03o "$1")"; }

ca='basicConstraints=critical,CA:TRUE'
usage='keyUsage=critical,keyCertSign,cRLSign'
make root root "$ca" "$usage"
make middle root "$ca,pathlen:1" "$usage" \
  'nameConstraints=critical,permitted;DNS:example.com,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:.example.org,permitted;URI:example.com,permitted;dirName:dn' \
  '[dn]' 'O=Fuzz'
make issuing middle "$ca,pathlen:0" "$usage" 'extendedKeyUsage=serverAuth,clientAuth'
make leaf issuing 'basicConstraints=critical,CA:FALSE' 'extendedKeyUsage=serverAuth,clientAuth' \
  'keyUsage=critical,digitalSignature' \
  'subjectAltName=DNS:leaf.example.com,DNS:*.example.com,IP:10.1.2.3,URI:spiffe://example.com/a,email:a@example.com'
make policy root "$ca" "$usage" 'policyConstraints=critical,requireExplicitPolicy:0' 'inhibitAnyPolicy=critical,0' \
  'certificatePolicies=1.2.3.4'

touch index.txt
echo 01 >number
cat >ca.cnf <<END
[ca]
default_ca=this
[this]
database=$work/index.txt
crlnumber=$work/number
default_md=sha256
default_crl_days=3650
crl_extensions=list
[list]
authorityKeyIdentifier=keyid
END
openssl ca -config ca.cnf -gencrl -keyfile issuing.key -cert issuing.pem -out good.pem 2>/dev/null
openssl ca -config ca.cnf -revoke leaf.pem -crl_reason keyCompromise -keyfile issuing.key -cert issuing.pem 2>/dev/null
openssl ca -config ca.cnf -gencrl -keyfile issuing.key -cert issuing.pem -out bad.pem 2>/dev/null
for list in good bad; do openssl crl -in $list.pem -outform DER -out $list.der; done

chain() { item 3 leaf.der; item 0 middle.der; item 0 issuing.der; item 1 root.der; }
{ options 0; chain; } >"$out/chain"
{ options 9; item 0 issuing.der; item 0 middle.der; item 1 root.der; item 3 leaf.der; } >"$out/server"
{ options 2; chain; item 2 good.der; } >"$out/with_list"
{ options 0; chain; item 2 good.der; item 2 bad.der; } >"$out/revoked"
{ options 4; chain; item 2 good.der; } >"$out/lists_required"
{ options 0; item 3 leaf.der; item 1 issuing.der; } >"$out/anchor_in_the_middle"
{ options 0; item 3 leaf.der; item 1 middle.der; item 0 issuing.der; item 1 leaf.der; } >"$out/leaf_is_anchor"
{ options 0; item 3 leaf.der; item 0 middle.der; item 1 root.der; } >"$out/gap"
{ options 0; item 3 policy.der; item 1 root.der; } >"$out/policy"
{ options 0; item 3 root.der; item 1 middle.der; } >"$out/self_signed"
