#!/usr/bin/env bash
# The whole story of the attestors, with a real nginx: examples/attestor/run.sh [--stay]. Ends with 0 only when all of it went as
# it should. --stay keeps everything up and prints commands to try by hand. README.md tells the story.
#
# Needs the release build (make build), and nginx, curl, jq and openssl from Debian's packages. Not root.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
here=$root/examples/attestor
programs=${TROTH_BINARY_DIR:-$root/build/release}
troth=$programs/troth
refresh=$root/packaging/nginx/troth-nginx-refresh
PATH=$PATH:/usr/sbin # where Debian has nginx

stay=0
case "$*" in
  '') ;;
  --stay) stay=1 ;;
  *)
    echo "usage: run.sh [--stay]" >&2
    exit 64
    ;;
esac
case "${TMPDIR:-/tmp}$root" in
  *[[:space:]]*)
    echo "run.sh: expected folders without spaces, got TMPDIR ${TMPDIR:-/tmp} and $root; set TMPDIR to another one, or move" >&2
    exit 64
    ;;
esac
for needed in nginx curl jq openssl "$troth" "$programs/attestor" "$programs/db_service" "$programs/attestor_load"; do
  command -v "$needed" >/dev/null || {
    echo "run.sh: $needed is missing; run \`make attestor\`, which installs and builds what is needed" >&2
    exit 69
  }
done

# ---- Telling the story, and counting what is not as it should be

started=$SECONDS
checks=0
wrong=0
say() { printf '   %s\n' "$*"; }
headline() { printf '\n== %s\n' "$*"; }
# check TEXT CONDITION...: prints the text, and a mark when the condition does not hold.
check() {
  local text=$1
  shift
  checks=$((checks + 1))
  if "$@"; then
    say "$text"
  else
    wrong=$((wrong + 1))
    say "$text   <-- NOT AS IT SHOULD BE"
  fi
}
has() { [[ "$1" == *"$2"* ]]; }
# until_true SECONDS COMMAND...: tries again and again; false when it never came true.
until_true() {
  local end=$((SECONDS + $1))
  shift
  until "$@"; do
    ((SECONDS < end)) || return 1
    sleep 0.05
  done
}

# ---- Processes: only those that were started here are ended, by their ids

work=$(mktemp -d "${TMPDIR:-/tmp}/attestors.XXXXXX")
pids=()
finish() {
  local code=$?
  trap - EXIT
  local pid
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || :; done
  for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || :; done
  if ((code != 0)); then
    printf '\nThe last lines of the logs:\n'
    tail -n 5 "$work"/*.log "$work"/nginx/*.log 2>/dev/null || :
  fi
  rm -rf "$work"
  exit "$code"
}
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# start NAME PROGRAM...: its output is $work/NAME.out, its log $work/NAME.log.
declare -A pid_of
start() {
  local name=$1
  shift
  "$@" >"$work/$name.out" 2>"$work/$name.log" &
  pids+=($!)
  pid_of[$name]=$!
}
# stop NAME: ends it, and forgets its id, which may be another's from then on.
stop() {
  local pid=${pid_of[$1]}
  kill "$pid"
  wait "$pid" || :
  local each left=()
  for each in "${pids[@]}"; do
    if ((each != pid)); then left+=("$each"); fi
  done
  pids=("${left[@]}")
}
# started NAME: waits until it has printed its first line, which says that it is ready.
started() {
  until_true 20 test -s "$work/$1.out" || {
    echo "run.sh: $1 did not start:" >&2
    cat "$work/$1.log" >&2
    exit 1
  }
}
# in_folder FOLDER PROGRAM...: for programs whose files are named relative to their folder.
in_folder() {
  cd "$work/$1"
  shift
  exec "$@"
}

cd "$work"
mkdir -p nginx/conf.d nginx/files db-service/keys one two three relay observer

# ---- The authority

headline "An authority"
start authority "$troth" --json serve --data "$work/authority" --listen 127.0.0.1:0 --grpc-listen 127.0.0.1:0
started authority
ca=$(jq -r .https authority.out)
cp authority/root.pem root.pem
say "https://$ca, root SHA-256 $(jq -r .root_fingerprint authority.out)"

token() { "$troth" tokens create --data authority --name "$1" 2>/dev/null; }
# What the operator hands over: the authority's root, and a token, which nobody else may read.
hand_over() {
  cp root.pem "$1/ca.pem"
  (umask 077 && token "$2" >"$1/token")
}
# enrol FOLDER NAME: key and request are made in the folder, and only the request leaves it. The same again, without a token,
# renews.
enrol() {
  hand_over "$1" "$2"
  "$troth" enroll "$ca" "$2" --token-file "$1/token" --trust-bundle "$1/ca.pem" --cert-dir "$1" >>enrolments.log 2>&1
  rm "$1/token"
  say "$2: key made in $1/, valid until $(valid_until "$1/$2.crt")"
}
valid_until() { openssl x509 -in "$1" -noout -enddate | cut -d= -f2; }
renew() { "$troth" enroll "$ca" "$2" --cert-dir "$1" --trust-bundle root.pem --renew-before 90d >>enrolments.log 2>&1; }

headline "Everybody makes a key, and the authority certifies it"
enrol nginx db.example
enrol relay relay.example
enrol observer alice.observers.example
enrol one one.attestors.example
enrol two two.attestors.example
# The third has openssl and curl.
hand_over three three.attestors.example
(
  cd three
  openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out three.attestors.example.key
  openssl req -new -key three.attestors.example.key -out three.attestors.example.csr \
    -subj /CN=three.attestors.example -addext subjectAltName=DNS:three.attestors.example
  jq --raw-input --slurp '{csr: .}' three.attestors.example.csr >request.json
  # A token is a secret: no argument, which every user of the machine could see.
  (umask 077 && printf 'Authorization: Bearer %s\n' "$(cat token)" >token.field)
  curl --silent --show-error --fail-with-body --cacert ca.pem --header @token.field \
    --header 'Content-Type: application/json' --data-binary @request.json "https://$ca/v1/certificates" >issued.json
  rm token token.field
  jq --raw-output '.certificate + .chain' issued.json >three.attestors.example.crt
) 2>>"$work/openssl.log"
say "three.attestors.example: the same with openssl and curl, valid until $(valid_until three/three.attestors.example.crt)"

# ---- nginx, the policy service, the db-service

free_port() {
  local port
  while :; do
    port=$((20000 + RANDOM % 10000))
    (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || break
  done
  echo "$port"
}
port=$(free_port)
url=https://127.0.0.1:$port

headline "nginx, the policy service and the db-service"
cp "$here/policy.toml" policy.toml
cp "$here/db-service.toml" db-service/
for each in one two three; do
  openssl genpkey -algorithm ed25519 -out "$each/signing.key"
  openssl pkey -in "$each/signing.key" -pubout -out "db-service/keys/$each.pub"
  sed -e "s|one\.attestors|$each.attestors|" -e "s|https://db.example:8443|$url|" \
    -e 's|^# server_name  |server_name|' -e 's|"5s"|"200ms"|' "$here/attestor.toml" >"$each/attestor.toml"
done

# As root, nginx's workers would be another user, who may not look into the folder.
user=
if ((EUID == 0)); then user='user root;'; fi
cat >nginx/nginx.conf <<END
$user
daemon off;
worker_processes 2;
pid $work/nginx/nginx.pid;
error_log $work/nginx/error.log;
events { worker_connections 1024; }
http {
  access_log $work/nginx/access.log;
  client_body_temp_path $work/nginx/body;
  proxy_temp_path $work/nginx/proxy;
  fastcgi_temp_path $work/nginx/fastcgi;
  uwsgi_temp_path $work/nginx/uwsgi;
  scgi_temp_path $work/nginx/scgi;
  include $work/nginx/conf.d/*.conf;
}
END
nginx=(nginx -e "$work/nginx/error.log" -p "$work/nginx" -c "$work/nginx/nginx.conf")
# The script that a timer runs in real operation.
refresh() {
  TROTH=$troth TROTH_AUTHORITY=$ca TROTH_ROOT=$work/root.pem TROTH_NGINX_FILES=$work/nginx/files \
    TROTH_NGINX="${nginx[*]}" "$refresh" "$work/nginx/conf.d/db.conf" "$work/nginx/db.example.crt" >>"$work/refresh.log" 2>&1
}
"$troth" trust fetch "$ca" --trust-bundle root.pem --out-dir nginx/files >>refresh.log 2>&1
"$troth" nginx-config --listen "127.0.0.1:$port" --server-name db.example \
  --certificate nginx/db.example.crt --private-key nginx/db.example.key \
  --trust-bundle nginx/files/ca.pem --crl nginx/files/crls.pem --upstream "unix:$work/db-service/http.sock" \
  --policy policy.toml --policy-socket "unix:$work/policy.sock" --out nginx/conf.d/db.conf >>refresh.log 2>&1
check "troth nginx-config wrote the server block, with the lists of $(grep -c BEGIN nginx/files/crls.pem) CAs; nginx -t takes it" \
  "${nginx[@]}" -t -q
start policy "$troth" policy serve --policy "$work/policy.toml" --trust-bundle "$work/nginx/files/ca.pem" --require-crl \
  --crl "$work/nginx/files/crls.pem" --listen "unix:$work/policy.sock"
started policy
start db-service in_folder db-service "$programs/db_service" --config db-service.toml
started db-service
start nginx "${nginx[@]}"
until_true 20 test -s nginx/nginx.pid
say "$(head -n 1 db-service.out); nginx on $url"

# ---- Calls with curl

# call CLIENT PATH [CURL'S ARGUMENTS]: sets $status and $body. CLIENT: folder/name of its certificate, "" for none.
call() {
  local certificate=()
  if [[ -n "$1" ]]; then certificate=(--cert "$1.crt" --key "$1.key"); fi
  body=$(curl --silent --show-error --max-time 10 --cacert root.pem --connect-to "db.example:443:127.0.0.1:$port" \
    "${certificate[@]}" --write-out '\n%{http_code}' "${@:3}" "https://db.example$2" 2>&1) || :
  status=${body##*$'\n'}
  body=${body%$'\n'*}
  body=${body%$'\n'}
}
# answered STATUS PART: whether the last call was answered so.
answered() { [[ "$status" == "$1" ]] && has "$body" "$2"; }
relay=relay/relay.example
alice=observer/alice.observers.example

sequence=0
# Sets $packet, its id.
post_packet() {
  sequence=$((sequence + 1))
  call "$relay" /packets --json "{\"source\": \"aleo\", \"destination\": \"ethereum\", \"sequence\": $sequence, \"message\": \"transfer $sequence\"}"
  packet=$(jq -r .id <<<"$body" 2>/dev/null) || packet=
}
is_confirmed() {
  call "$alice" "/packets/$1"
  [[ "$(jq -r .confirmed <<<"$body" 2>/dev/null)" == true ]]
}

headline "A packet comes in"
post_packet
check "the relay posts packet $packet" answered 201 '"confirmed":false'

headline "Who is refused"
call "" /packets/unconfirmed
check "no certificate: $status $body" answered 400 'certificate: NONE'
"$troth" ca --depot-path foreign init --common-name foreign --curve P-256 --passphrase "" >/dev/null
"$troth" ca --depot-path foreign request-cert --common-name one.attestors.example --domain one.attestors.example --curve P-256 \
  --passphrase "" >/dev/null
"$troth" ca --depot-path foreign sign one.attestors.example --CA foreign >/dev/null
call foreign/one.attestors.example /packets/unconfirmed
check "one.attestors.example of another CA: $status $body" answered 400 'certificate: FAILED'
call "$alice" /packets/unconfirmed
check "the observer reads: $status" answered 200 "$packet"
signatures=/packets/$packet/signatures
call "$alice" "$signatures" --json '{"attestor": "one.attestors.example", "signature": "AA=="}'
check "and posts: $status $body" answered 403 '[troth:role_not_allowed]'
say "the policy's log: $(grep 'call refused' policy.log | tail -n 1 | sed -e 's/.*call refused/call refused/' -e 's/ message=.*//')"
# The policy lets every attestor post signatures; the db-service looks whose they are, by a field that only nginx can set.
call three/three.attestors.example "$signatures" --json '{"attestor": "one.attestors.example", "signature": "AA=="}' \
  -H 'Troth-Client-Names: DNS:one.attestors.example' -H 'Troth_Client_Names: DNS:one.attestors.example' \
  -H 'Troth-Client-Common-Name: one.attestors.example'
check "three.attestors.example, as one in the body and in forged fields: $status $(jq -r .detail <<<"$body" 2>/dev/null)" \
  answered 403 name_not_permitted
(sed '/^poll_interval/d' three/attestor.toml && echo 'attestor = "two.attestors.example"') >three/as-two.toml
said=$(in_folder three "$programs/attestor" --config as-two.toml --once 2>&1) || :
check "its own program, told to sign as two: ${said%%$'\n'*}" has "$said" '[name_not_permitted]'
call three/three.attestors.example "$signatures" --json '{"attestor": "three.attestors.example", "signature": "AA=="}'
check "a signature that does not verify: $status" answered 400 parameter_invalid
call three/three.attestors.example /packets --json '{"source": "aleo", "destination": "ethereum", "sequence": 2, "message": "mine"}'
check "a packet from an attestor: $status" answered 403 '[troth:role_not_allowed]'

headline "The attestors sign"
said=$(in_folder three "$programs/attestor" --config attestor.toml --once 2>&1) || :
check "three, once: $(tail -n 1 <<<"$said")" has "$said" 'three.attestors.example signed 1 packet'
call "$alice" "/packets/$packet"
check "one of two that are needed: confirmed is $(jq -r .confirmed <<<"$body")" answered 200 '"confirmed":false'
for each in one two; do start "$each" in_folder "$each" "$programs/attestor" --config attestor.toml; done
started one
started two
check "one and two run: it is confirmed" until_true 10 is_confirmed "$packet"
more=()
for _ in 1 2 3 4; do
  post_packet
  more+=("$packet")
done
all_confirmed() {
  local each
  for each in "${more[@]}"; do is_confirmed "$each" || return 1; done
}
check "four more packets are confirmed as they come in" until_true 10 all_confirmed
say "$(jq -r '.signatures[] | "\(.attestor)  \(.signature[0:44])..."' <<<"$body" | sed '2,$s/^/   /')"

# ---- Reloads under load

reloads=5
headline "$reloads renewals of nginx's certificate, each with fresh lists and a reload, under load"
served_serial() {
  openssl s_client -connect "127.0.0.1:$port" -servername db.example </dev/null 2>/dev/null |
    openssl x509 -noout -serial 2>/dev/null
}
serves() { [[ "$(served_serial)" == "$1" ]]; }
start load in_folder one "$programs/attestor_load" --config attestor.toml
started load
# Requests until now. Its last line may be half written.
requests() { tail -n 2 load.out | jq -R 'fromjson? | .requests' | tail -n 1; }
reloaded=0
busy=0
for _ in $(seq "$reloads"); do
  renew nginx db.example
  before=$(requests)
  refresh
  if (($(requests) > before)); then busy=$((busy + 1)); fi
  if until_true 10 serves "$(openssl x509 -in nginx/db.example.crt -noout -serial)"; then
    reloaded=$((reloaded + 1))
  fi
done
check "$reloaded times new connections saw the new certificate" test "$reloaded" -eq "$reloads"
check "nginx was reloaded $(grep -c 'nginx reloaded' refresh.log) times" test "$(grep -c 'nginx reloaded' refresh.log)" -eq "$reloads"
check "requests were answered during $busy of them" test "$busy" -eq "$reloads"
stop load
result=$(tail -n 1 load.out)
check "$(jq -r '"\(.requests) requests on \(.connections) connections: \(.failures) refused \(.first_failure)"' <<<"$result")" \
  test "$(jq -r '.failures == 0 and .requests > 0 and .connections > 10' <<<"$result")" = true
renew one one.attestors.example
check "attestor one took up a renewed certificate without a restart" until_true 10 grep -q 'took up a new certificate' one.log
post_packet
check "and signs on: packet $sequence is confirmed" until_true 10 is_confirmed "$packet"

# ---- Revocation

headline "An attestor is revoked at the authority"
call three/three.attestors.example /packets/unconfirmed
check "three, before: $status" answered 200 packets
"$troth" certificates revoke three.attestors.example --data authority >>enrolments.log 2>&1
# nginx's old workers may still be there: its answer changes when the new ones have the list.
refused_by_nginx() {
  call three/three.attestors.example /packets/unconfirmed
  answered 400 'certificate: FAILED'
}
refresh
check "three, after the lists were fetched and nginx reloaded: 400" until_true 10 refused_by_nginx
say "$body"
program_is_refused() {
  said=$(in_folder three "$programs/attestor" --config attestor.toml --once 2>&1) || :
  has "$said" '[peer_rejected_certificate]'
}
check "its program is told so too" until_true 10 program_is_refused
say "${said//$'\n'/ }"
post_packet
check "one and two go on: packet $sequence is confirmed" until_true 10 is_confirmed "$packet"
refresh
check "fetched again: nothing is new, and nginx is left alone" test "$(grep -c 'nginx reloaded' refresh.log)" -eq $((reloads + 1))

headline "$checks checks in $((SECONDS - started)) s: $((checks - wrong)) as they should be, $wrong not"
if ((stay)); then
  cat <<END

Everything stays up until Ctrl-C. In another terminal:

cd $work
curl -sS --cacert root.pem --connect-to db.example:443:127.0.0.1:$port --cert $alice.crt --key $alice.key https://db.example/packets/confirmed | jq
curl -sS --cacert root.pem --connect-to db.example:443:127.0.0.1:$port --cert $relay.crt --key $relay.key \\
    --json '{"source": "aleo", "destination": "ethereum", "sequence": $((sequence + 1)), "message": "by hand"}' https://db.example/packets
curl -sS --cacert root.pem --connect-to db.example:443:127.0.0.1:$port https://db.example/packets/confirmed          # refused
tail -f one.log two.log policy.log db-service.log
$troth certificates list --data authority
END
  wait || :
fi
((wrong == 0))
