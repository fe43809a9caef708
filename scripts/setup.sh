#!/usr/bin/env bash
# Everything a fresh Debian-like machine with Node 20, npm, gcc, cmake and git needs to build, run and test qemu-cbt.
#   scripts/setup.sh              check tools, install what is missing (apt, as root), npm ci, build
#   scripts/setup.sh --if-needed  the same, but silent and quick where all is there already
#   scripts/setup.sh --demo       only what building it and `npm start` need (with --if-needed, if you like)
set -euo pipefail
cd "$(dirname "$0")/.."

if_needed=false
demo=false
for option in "$@"; do
  case "$option" in
    --if-needed) if_needed=true ;;
    --demo) demo=true ;;
  esac
done
say() { printf '%s\n' "$*" >&2; }

# tool : Debian package : Fedora package. The first block is what the product uses, the second what its tests compare with.
tools='
g++:g++:gcc-c++
make:make:make
cmake:cmake:cmake
pkg-config:pkg-config:pkgconf-pkg-config
qemu-img:qemu-utils:qemu-img
qemu-nbd:qemu-utils:qemu-img
qemu-storage-daemon:qemu-system-common:qemu-img
qemu-io:qemu-utils:qemu-img
qemu-system-x86_64:qemu-system-x86:qemu-system-x86-core
nbdinfo:libnbd-bin:libnbd
nbdcopy:libnbd-bin:libnbd
nbdkit:nbdkit:nbdkit
certtool:gnutls-bin:gnutls-utils
clang++:clang:clang
python3:python3:python3
xmllint:libxml2-utils:libxml2
mkfs.ext4:e2fsprogs:e2fsprogs
mandoc:mandoc:mandoc
flock:util-linux:util-linux
libvirtd:libvirt-daemon:libvirt-daemon
virsh:libvirt-clients:libvirt-client
unshare:util-linux:util-linux
virsh:libvirt-clients:libvirt-client
ruby:ruby:ruby
go:golang-go:golang
'

node_ok() { command -v node >/dev/null && node -e 'const [a,b]=process.versions.node.split(".");process.exit(a>20||(a==20&&b>=17)?0:1)'; }
if ! node_ok; then
  say "Node.js 20.17 or newer is needed; found: $(command -v node >/dev/null && node --version || echo none)"
  exit 5
fi

# What the product is built with and uses.
for_demo=' g++ make cmake pkg-config qemu-img qemu-nbd qemu-storage-daemon qemu-io flock '

# Where e2fsprogs is; not every user looks there.
PATH=$PATH:/usr/sbin:/sbin
missing_deb=(); missing_rpm=()
while IFS=: read -r tool deb rpm; do
  [ -n "$tool" ] || continue
  if $demo && [[ "$for_demo" != *" $tool "* ]]; then continue; fi
  command -v "$tool" >/dev/null 2>&1 || { missing_deb+=("$deb"); missing_rpm+=("$rpm"); }
done <<< "$tools"
have_libnbd() { command -v pkg-config >/dev/null && pkg-config --exists libnbd; }
have_libnbd || { missing_deb+=(libnbd-dev); missing_rpm+=(libnbd-devel); }
if ! $demo; then
  have_fuzzer() {
    command -v clang++ >/dev/null || return 1
    local runtime; runtime=$(clang++ --print-file-name=libclang_rt.fuzzer-x86_64.a)
    [ -f "$runtime" ] || [ -f "${runtime/-x86_64/}" ]
  }
  have_fuzzer || { missing_deb+=(libclang-rt-14-dev); missing_rpm+=(compiler-rt); }

  # What programs for vSphere are written with: clients of the service.
  have_pyvmomi() { /usr/bin/python3 -c 'import pyVmomi' >/dev/null 2>&1; }
  have_pyvmomi || { missing_deb+=(python3-pyvmomi); missing_rpm+=(python3-pyvmomi); }
  # A daemon without its driver starts, and has no domains.
  compgen -G '/usr/lib*/libvirt/connection-driver/libvirt_driver_qemu.so' >/dev/null ||
    compgen -G '/usr/lib/*/libvirt/connection-driver/libvirt_driver_qemu.so' >/dev/null ||
    { missing_deb+=(libvirt-daemon-driver-qemu); missing_rpm+=(libvirt-daemon-driver-qemu); }
  have_rbvmomi() { command -v ruby >/dev/null && ruby -e 'require "rbvmomi"' >/dev/null 2>&1; }
  have_rbvmomi || { missing_deb+=(ruby-rbvmomi); missing_rpm+=(rubygem-rbvmomi); }
  [ -d /usr/share/gocode/src/github.com/vmware/govmomi ] ||
    { missing_deb+=(golang-github-vmware-govmomi-dev golang-github-google-uuid-dev); missing_rpm+=(golang-github-vmware-govmomi-devel); }

  # Any of the two opens the timeline pages.
  command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null ||
    { missing_deb+=(chromium-headless-shell); missing_rpm+=(chromium); }
fi

if [ "${#missing_deb[@]}" -gt 0 ]; then
  mapfile -t debs < <(printf '%s\n' "${missing_deb[@]}" | sort -u)
  mapfile -t rpms < <(printf '%s\n' "${missing_rpm[@]}" | sort -u)
  if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
    say "installing: ${debs[*]}"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq >&2
    apt-get install -y -qq --no-install-recommends "${debs[@]}" >&2
  else
    say "These tools are missing. Install them, then run this again:"
    say "  Debian, Ubuntu:  sudo apt-get install ${debs[*]}"
    say "  Fedora:          sudo dnf install ${rpms[*]}"
    exit 5
  fi
fi

newer_than() { [ -n "$(find "${@:2}" -newer "$1" -type f -print -quit 2>/dev/null)" ]; }

if [ ! -f node_modules/.package-lock.json ] || [ package-lock.json -nt node_modules/.package-lock.json ]; then
  # Install scripts are not needed: the addons are built below, where a failure is seen.
  npm ci --ignore-scripts --no-audit --no-fund >&2
  touch node_modules/.package-lock.json
fi
if ! $if_needed || [ ! -f build/Release/bitmap.node ] || [ ! -f build/Release/sdk/lib64/libvixDiskLib.so.8 ] ||
  [ ! -f build/Release/sdk/lib64/libprl_sdk.so.7 ] ||
  newer_than build/Release/bitmap.node native CMakeLists.txt; then
  npm run --silent build:native >&2
  # What it did not have to make anew is as new as its sources.
  touch build/Release/bitmap.node
fi
if ! $if_needed || [ ! -f dist/.built ] || newer_than dist/.built lib tsconfig.build.json scripts/bundle-command.mjs; then
  npm run --silent build:ts >&2
  touch dist/.built
fi
$if_needed || say "ready: npm start shows it at work, npm test tests it"
