#!/usr/bin/env bash
# Brings what `npm test` and `npm start` need beyond npm's own install, and says what it does:
#   1. Debian packages: Chromium and a font to look at VS Code with, a compiler and two libraries to build its server;
#   2. VS Code's server (npm package code-server) with the Node.js it wants (npm package node), in a cache folder
#      outside the repository, compiled once.
# Whatever is already there is left alone. Nothing comes from anywhere but the npm registry and Debian's archive.
#   scripts/installTestTools.sh                 everything
#   scripts/installTestTools.sh --server-only   only VS Code's server, for `npm start`
#   scripts/installTestTools.sh --print-cache   only print the cache folder
set -euo pipefail

code_server=4.139.1 # holds VS Code 1.139
node_version=24.21.0 # the major version that code-server insists on
recipe=1 # count up to have every cache built anew
cache="${FOVEA_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/fovea}/vscode-$code_server"
server_main="$cache/server/node_modules/code-server/lib/vscode/out/server-main.js"
node="$cache/node/node_modules/node/bin/node"
stamp="$cache/installed"
stamp_text="code-server $code_server, node $node_version, recipe $recipe, $(uname -s) $(uname -m)"

say() { echo "installTestTools: $*"; }

# is_there PACKAGE: whether the machine already has what the Debian package would bring.
is_there() {
  case "$1" in
    chromium) [ -n "${CHROMIUM:-}" ] || command -v chromium || command -v chromium-browser || command -v google-chrome ;;
    fonts-dejavu-core) [ -e /usr/share/fonts/truetype/dejavu/DejaVuSans.ttf ] ;;
    g++ | make | python3 | pkg-config | git) command -v "$1" ;;
    libkrb5-dev) pkg-config --exists krb5-gssapi || [ -e /usr/include/gssapi/gssapi.h ] ;;
    libsecret-1-dev) pkg-config --exists libsecret-1 ;;
    ca-certificates) [ -e /etc/ssl/certs/ca-certificates.crt ] ;;
  esac > /dev/null 2>&1
}

# install_packages PACKAGE…: by apt-get those that are missing, or say which command would.
install_packages() {
  local missing=() package as_root=()
  for package in "$@"; do is_there "$package" || missing+=("$package"); done
  if [ "${#missing[@]}" -eq 0 ]; then
    say "system packages: all there"
    return
  fi
  local command="apt-get install -y --no-install-recommends ${missing[*]}"
  if ! command -v apt-get > /dev/null; then
    say "please install what these Debian packages bring, then run this again: ${missing[*]}" >&2
    exit 1
  fi
  if [ "$(id -u)" -ne 0 ]; then
    if ! command -v sudo > /dev/null; then
      say "missing packages; please run as root: $command" >&2
      exit 1
    fi
    as_root=(sudo)
  fi
  say "$command"
  "${as_root[@]}" apt-get update -qq || say "apt-get update failed, trying with the lists at hand"
  if ! "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive $command; then
    say "could not install the packages; please run as root: apt-get update && $command" >&2
    exit 1
  fi
}

server_works() {
  [ "$(cat "$stamp" 2> /dev/null)" = "$stamp_text" ] && "$node" "$server_main" --version > /dev/null 2>&1
}

# npm_under_node_24 ARGUMENT…: code-server's build refuses to run under any other major version.
npm_under_node_24() {
  local npm_cli="${npm_execpath:-}"
  case "$npm_cli" in *npm-cli.js) ;; *) npm_cli="$(readlink -f "$(command -v npm)")" ;; esac
  PATH="$(dirname "$node"):$PATH" "$node" "$npm_cli" "$@"
}

# start_folder FOLDER: an empty npm project in the cache, entered.
start_folder() {
  rm -rf "$1"
  mkdir -p "$1"
  cd "$1"
  echo '{ "private": true, "allowScripts": { "node": true, "code-server": true, "argon2": true } }' > package.json
}

install_server() {
  say "installing VS Code's server (code-server $code_server, Node.js $node_version) into $cache; this takes some minutes"
  rm -f "$stamp"
  # Started by npm, this script inherits settings meant for the project's own install.
  unset npm_config_local_prefix npm_config_user_agent npm_config_omit npm_config_production npm_config_node_gyp NODE_ENV NODE_OPTIONS
  export npm_config_ignore_scripts=false npm_config_fund=false npm_config_audit=false npm_config_update_notifier=false
  # Under another Node.js, npm would look for this machine's settings (its registry, its certificates) elsewhere.
  npm_config_globalconfig="$(npm config get globalconfig)"
  export npm_config_globalconfig
  start_folder "$cache/node"
  npm install --no-save --no-package-lock "node@$node_version"
  # Native modules are compiled against the headers that this Node.js brings, never against those of the system.
  local header
  header="$(find -L "$cache/node/node_modules" -path '*/include/node/node.h' -print -quit)"
  if [ -z "$header" ]; then
    say "the npm package node@$node_version brought no headers to compile against" >&2
    exit 1
  fi
  export npm_config_nodedir="${header%/include/node/node.h}"
  start_folder "$cache/server"
  npm_under_node_24 install --no-save --no-package-lock "code-server@$code_server"
  "$node" "$server_main" --version
  echo "$stamp_text" > "$stamp"
}

case "${1:-}" in
  --print-cache)
    echo "$cache"
    exit 0
    ;;
  --server-only | '') ;;
  *)
    say "unknown option $1" >&2
    exit 2
    ;;
esac

mkdir -p "$cache"
# Two runs at once would build into each other's folder; the second waits.
if command -v flock > /dev/null; then
  exec 9> "$cache/lock"
  flock 9
fi
wanted=()
[ "${1:-}" = --server-only ] || wanted+=(chromium fonts-dejavu-core git)
if server_works; then
  say "VS Code's server: there, in $cache"
else
  wanted+=(g++ make python3 pkg-config libkrb5-dev libsecret-1-dev ca-certificates)
fi
[ "${#wanted[@]}" -eq 0 ] || install_packages "${wanted[@]}"
server_works || install_server
