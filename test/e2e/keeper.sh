#!/bin/bash
# usage: keeper.sh NAME REPOSITORY
# Makes the network namespaces NAME-host and NAME-inet, joined by a veth (eth0 <-> up0), and the host's mount namespace;
# prints the pid that keeps the latter; takes everything away when its stdin ends.
#
# Why a process of its own: a test that is killed cannot clean up after itself, but the kernel closes its end of our
# stdin. So an orderly end and a SIGKILL take the same way out. Started in a session of its own: Ctrl-C is for the test.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
name=$1 repository=$2
here=$(cd "$(dirname "$0")" && pwd)

# Everything in the two namespaces was started by this world: end it by pid, then remove the names.
end_processes() {
  local pids
  for _ in $(seq 100); do
    pids=$(ip netns pids "$1" 2>/dev/null || true)
    [ -z "$pids" ] && return 0
    # shellcheck disable=SC2086
    kill -KILL $pids 2>/dev/null || true
    sleep 0.02
  done
  echo "keeper: processes of $1 do not end: $pids" >&2
}

clean() {
  trap - EXIT
  for side in host inet; do
    [ -e "/run/netns/$name-$side" ] || continue
    end_processes "$name-$side"
    ip netns delete "$name-$side" || true
  done
}
trap clean EXIT

ip netns add "$name-host"
ip netns add "$name-inet"
# Made inside the namespaces, so neither end ever shows up on the machine itself.
ip -n "$name-inet" link add up0 type veth peer name eth0 netns "$name-host"

exec {enclosure}< <(exec nsenter --net="/run/netns/$name-host" unshare --mount --propagation private \
  bash "$here/enclosure.sh" "$repository" </dev/null)
read -r -t 20 -u "$enclosure" pid || { echo "keeper: the host's mount namespace was not made" >&2; exit 1; }
echo "$pid"

while read -r _; do :; done || true
