//! Namespaces for a service manager: it has a control group of its own, so that managers of several
//! tests, and of several runs of the tests at once, do not stop each other's units.

use std::process::Command;

/// Makes a control group, runs the arguments in it and in new namespaces, and removes it. The tmpfs
/// below each tree is there because the kernel refuses to mount the tree of control groups on
/// itself.
const SCRIPT: &str = r#"
[ -d /sys/fs/cgroup ] || mount -t sysfs none /sys
mount_tree='mount -t tmpfs none /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup'
eval "$mount_tree"
group=$(mktemp -d /sys/fs/cgroup/pop3fs-test.XXXXXX)
status=0
sh -euc 'echo $$ >"$0/cgroup.procs"; exec unshare --cgroup --pid --fork --kill-child --mount-proc "$@"' \
    "$group" sh -euc "$mount_tree; exec \"\$@\"" sh "$@" || status=$?
find "$group" -depth -type d -exec rmdir {} +
exit $status
"#;

/// A command of root that runs the program and the arguments that are added to it. The program has
/// namespaces of its own for mounts, processes and control groups; what it starts ends with it.
pub fn with_own_control_group() -> Command {
    let mut command = Command::new("unshare");
    command.args(["--mount", "sh", "-euc", SCRIPT, "sh"]);
    command
}
