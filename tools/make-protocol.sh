#!/bin/sh
# Makes the Python of the vendored protocol files again, in a scratch environment of its own: sh tools/make-protocol.sh
#
# An old compiler on purpose: what it makes is read by every runtime since, without the warnings of later ones about their age.
set -eu
cd "$(dirname "$0")/../src/outspread/store/protocol"
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
python3 -m venv "$scratch/venv"
"$scratch/venv/bin/pip" install -q 'grpcio-tools==1.62.3' 'setuptools<80' 'googleapis-common-protos>=1.66,<2'
google=$("$scratch/venv/bin/python" -c 'import google.rpc; print(list(google.rpc.__path__)[0])')/../..
# The package has this file by another name than the one that it is imported by.
mkdir -p "$scratch/extra/google/longrunning"
cp "$google/google/longrunning/operations_proto.proto" "$scratch/extra/google/longrunning/operations.proto"
"$scratch/venv/bin/python" -m grpc_tools.protoc -I . -I "$scratch/extra" -I "$google" --python_out="$scratch" --pyi_out="$scratch" \
    build/bazel/semver/semver.proto build/bazel/remote/execution/v2/remote_execution.proto
for made in build/bazel/semver/semver_pb2 build/bazel/remote/execution/v2/remote_execution_pb2; do
    for kind in py pyi; do
        sed 's/^from build\.bazel\.semver import/from outspread.store.protocol import/' "$scratch/$made.$kind" > "$(basename "$made").$kind"
    done
done
