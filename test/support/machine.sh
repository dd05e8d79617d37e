# Boots a machine in a container and removes it when standard input closes, which also happens when the test is killed.
# Usage: machine.sh NAME OPTION_OF_SYSTEMD_NSPAWN...
name=$1
shift

# Two machines in one control group would kill each other's processes. The first group belongs to version 2 of control
# groups.
groups=
for root in /sys/fs/cgroup /sys/fs/cgroup/unified /sys/fs/cgroup/systemd; do
  if [ -e "$root/cgroup.procs" ]; then groups="$groups $root/$name"; fi
done
mkdir $groups || exit

sh -c 'for group in $0; do echo $$ >"$group/cgroup.procs" || exit; done; exec systemd-nspawn "$@"' \
  "$groups" --machine="$name" --register=no --keep-unit --boot "$@" </dev/null &
cat >/dev/null

set -- $groups
# Kill the processes in the container, after which systemd-nspawn exits cleanly. If this fails, kill systemd-nspawn too.
echo 1 2>/dev/null >"$1/payload/cgroup.kill" || echo 1 >"$1/cgroup.kill"
wait
for group in $groups; do
  # The kernel keeps a group until it has removed the last process.
  until find "$group" -depth -type d -exec rmdir {} + 2>/dev/null; do sleep 0.1; done
done
rmdir "/run/systemd/nspawn/propagate/$name" 2>/dev/null
