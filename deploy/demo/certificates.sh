#!/bin/sh
# Certificates that are wrong, one in each way, as Secrets on stdout:
#
#     ./certificates.sh | kubectl apply -f -
#
# With a directory that holds ca-cert.pem and ca-key.pem of the mesh's own CA, the client certificates are the mesh's
# but for what is wrong with them, so each fails for its own reason. Only for a cluster that is thrown away afterwards:
#
#     ./certificates.sh mesh-ca | kubectl apply -f -
#
# Needs openssl 1.1.1 or later.
set -eu

mesh_ca=${1:+$(cd "$1" && pwd)}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"

cat > openssl.cnf <<'END'
[ca]
default_ca = any
[any]
database = index.txt
new_certs_dir = .
rand_serial = yes
unique_subject = no
default_md = sha256
policy = policy
x509_extensions = workload
[policy]
organizationName = supplied
[req]
distinguished_name = name
[name]
[root]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
[workload]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth,clientAuth
subjectAltName = critical,URI:$ENV::SAN
END
: > index.txt
export SAN=unused

# key FILE: a new key.
key() {
  openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt -out "$1"
}

# root NAME: a CA of its own.
root() {
  key "$1.key"
  openssl req -config openssl.cnf -extensions root -x509 -days 3650 -subj "/O=$1" -key "$1.key" -out "$1.pem"
}

# issue SECRET NAME CA SPIFFE-ID START END: a workload's certificate; the dates are YYYYMMDD.
issue() {
  mkdir -p "$1"
  key "$1/$2.key"
  openssl req -config openssl.cnf -new -subj "/O=demo" -key "$1/$2.key" -out request.pem
  SAN=$4 openssl ca -config openssl.cnf -batch -notext -cert "$3.pem" -keyfile "$3.key" \
    -startdate "${5}000000Z" -enddate "${6}000000Z" -in request.pem -out "$1/$2.pem" 2> log || { cat log >&2; exit 1; }
}

# secret NAME NAMESPACE: the files of the directory NAME.
secret() {
  printf -- '---\napiVersion: v1\nkind: Secret\nmetadata:\n  name: %s\n  namespace: %s\ndata:\n' "$1" "$2"
  for file in "$1"/*; do
    printf '  %s: %s\n' "${file##*/}" "$(base64 < "$file" | tr -d '\n')"
  done
}

root partner-root
root stranger-root
clients=stranger-root
if [ -n "$mesh_ca" ]; then
  clients=mesh-root
  cp "$mesh_ca/ca-cert.pem" mesh-root.pem
  cp "$mesh_ca/ca-key.pem" mesh-root.key
fi

now=20250101
late=20490101
past=20250201
reporting=spiffe://cluster.local/ns/analytics/sa/reporting
invoices=spiffe://partner.example/ns/billing/sa/invoices

issue stranger-certificates untrusted stranger-root "$reporting" "$now" "$late"
issue stranger-certificates expired "$clients" "$reporting" "$now" "$past"
issue stranger-certificates other-domain "$clients" "$invoices" "$now" "$late"
issue partner-certificates fine partner-root "$invoices" "$now" "$late"
issue partner-certificates expired partner-root "$invoices" "$now" "$past"
issue partner-certificates untrusted stranger-root "$invoices" "$now" "$late"
issue partner-certificates wrong-san partner-root "$reporting" "$now" "$late"
mkdir partner-ca
cp partner-root.pem partner-ca/ca.pem

secret stranger-certificates legacy
secret partner-certificates legacy
secret partner-ca mtls-demo
