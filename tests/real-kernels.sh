#!/usr/bin/env bash
# The promises on real file systems: ext4, xfs and btrfs, each on a loop device. Not part of CI: it needs
# root, loop devices and /dev/fuse, and the mkfs of each file system (e2fsprogs, xfsprogs, btrfs-progs);
# without one of those it says what it skips.
#
#     sudo tests/real-kernels.sh [ext4|xfs|btrfs ...]
#
# On each: the conformance suite, a kill at every system call, rivals and the model; and then the power is
# cut (power_cut.py). SAVES=200 CUTS=60 SEED=1 are the defaults of the latter.
set -euo pipefail
cd "$(dirname "$0")/.."

[ "$(id -u)" = 0 ] || { echo "real-kernels.sh: run it as root" >&2; exit 2; }

passed=0
failed=0
scratch=$(mktemp -d)
device=
cleanup() {
    mountpoint -q "$scratch/mount" && umount "$scratch/mount"
    [ -z "$device" ] || losetup --detach "$device"
    rm -rf "$scratch"
}
trap cleanup EXIT
mkdir "$scratch/mount"

# Adds up "N passed" and "N failed" of what ran.
tally() {
    # What did not get to its end has no counts.
    grep -q passed "$1" || failed=$((failed + 1))
    passed=$((passed + $(grep -oE '[0-9]+ passed' "$1" | awk '{n += $1} END {print n + 0}')))
    failed=$((failed + $(grep -oE '[0-9]+ failed' "$1" | awk '{n += $1} END {print n + 0}')))
}

binary=$(cargo test --quiet --test tests --no-run --message-format=json |
    grep -oE '"executable":"[^"]+"' | tail -1 | cut -d '"' -f 4)

[ $# -gt 0 ] || set -- ext4 xfs btrfs
for kind in "$@"; do
    if ! command -v "mkfs.$kind" >/dev/null || ! grep -qw "$kind" /proc/filesystems; then
        echo "== $kind: skipped, mkfs.$kind or the kernel's part is missing"
        continue
    fi
    echo "== $kind: tests"
    truncate --size=1G "$scratch/image"
    device=$(losetup --find --show "$scratch/image")
    "mkfs.$kind" -q "$device"
    mount -t "$kind" "$device" "$scratch/mount"
    TMPDIR=$scratch/mount "$binary" conformance:: killed:: model:: rivals:: >"$scratch/log" 2>&1 || true
    grep -E '^test .* FAILED|^test result|panicked' "$scratch/log" || cat "$scratch/log"
    tally "$scratch/log"
    umount "$scratch/mount"
    losetup --detach "$device"
    device=
    rm "$scratch/image"

    if [ ! -e /dev/fuse ]; then
        echo "== $kind: power cut skipped, there is no /dev/fuse"
        continue
    fi
    echo "== $kind: power cut"
    python3 tests/power_cut.py "$kind" "$binary" "${SAVES:-200}" "${CUTS:-60}" "${SEED:-1}" \
        >"$scratch/log" || true
    cat "$scratch/log"
    tally "$scratch/log"
done
echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
