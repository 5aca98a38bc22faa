#!/bin/bash
# Runs in the virtual machine of scripts/vm-test, as its only job: the tests, with their TAP on the second serial line.
exec >/dev/ttyS1 2>&1
stty -F /dev/ttyS1 raw -echo
cd /job/checkout || exit 1
export PATH="$PWD/node_modules/.bin:/usr/sbin:/usr/bin:/sbin:/bin" NO_COLOR=1 HOME=/root
# Few rounds: what differs here is the kernel, not its luck.
export LEAK_ROUNDS=4 DIFFERENTIAL_ROUNDS=10 RACE_ROUNDS=100
mapfile -t tests </job/tests
echo "vm: Linux $(uname -r), $(/usr/sbin/nft --version), Node $(node --version)"
ava --tap --concurrency 1 "${tests[@]}"
echo "vm: ended $?"
