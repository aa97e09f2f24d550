//! System calls: seccomp(2). Three filters, of which the strictest answer counts; of answers that are alike, that
//! of the last one.
//!
//! - What no program of an appliance can mean well ends it, by SIGSYS ([`DEADLY`]).
//! - What is in neither list does not exist here: ENOSYS, so that a newer library falls back on what does.
//! - What exists, and is not for it, is refused: EPERM ([`REFUSED`]).
//!
//! [`ALLOWED`] is `@system-service` of systemd (`src/shared/seccomp-util.c`) without keyrings and with `io_uring`.
//! Linux keeps in a bitmap which calls are always allowed, so a list that is long costs them nothing.

use std::collections::BTreeMap;
use std::io::{self, Error};

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

use super::lacks;

/// The numbers of calls by their names.
macro_rules! calls {
    ($($name:ident)*) => { &[$(libc::$name),*] };
}

/// They change the kernel, reach devices past it, or end the machine.
const DEADLY: &[i64] = calls![
    SYS_delete_module SYS_finit_module SYS_init_module SYS_ioperm SYS_iopl SYS_kexec_file_load
    SYS_kexec_load SYS_pivot_root SYS_reboot SYS_swapoff SYS_swapon
];

/// What is for those who run a machine, and what looks into others' memory.
const REFUSED: &[i64] = calls![
    SYS_acct SYS_add_key SYS_adjtimex SYS_bpf SYS_chroot SYS_clock_adjtime SYS_clock_settime SYS_fanotify_init
    SYS_fanotify_mark SYS_fsconfig SYS_fsmount SYS_fsopen SYS_fspick SYS_kcmp SYS_keyctl SYS_modify_ldt
    SYS_mount SYS_mount_setattr SYS_move_mount SYS_name_to_handle_at SYS_open_by_handle_at SYS_open_tree
    SYS_perf_event_open SYS_personality SYS_pidfd_getfd SYS_process_vm_readv SYS_process_vm_writev SYS_ptrace
    SYS_quotactl SYS_quotactl_fd SYS_request_key SYS_setdomainname SYS_sethostname SYS_setns SYS_settimeofday
    SYS_syslog SYS_umount2 SYS_unshare SYS_userfaultfd SYS_vhangup
];

/// Those of Linux 6.12 that not each libc names: `io_pgetevents`, `map_shadow_stack`, `futex_wake`,
/// `futex_wait`, `futex_requeue`.
const UNNAMED: [i64; 5] = [333, 453, 454, 455, 456];

/// What a service does.
const ALLOWED: &[i64] = calls![
    SYS_accept SYS_accept4 SYS_access SYS_alarm SYS_arch_prctl SYS_bind SYS_brk SYS_capget SYS_capset SYS_chdir
    SYS_chmod SYS_chown SYS_clock_getres SYS_clock_gettime SYS_clock_nanosleep SYS_clone SYS_clone3 SYS_close
    SYS_close_range SYS_connect SYS_copy_file_range SYS_creat SYS_dup SYS_dup2 SYS_dup3 SYS_epoll_create
    SYS_epoll_create1 SYS_epoll_ctl SYS_epoll_ctl_old SYS_epoll_pwait SYS_epoll_pwait2 SYS_epoll_wait
    SYS_epoll_wait_old SYS_eventfd SYS_eventfd2 SYS_execve SYS_execveat SYS_exit SYS_exit_group SYS_faccessat
    SYS_faccessat2 SYS_fadvise64 SYS_fallocate SYS_fchdir SYS_fchmod SYS_fchmodat SYS_fchmodat2 SYS_fchown
    SYS_fchownat SYS_fcntl SYS_fdatasync SYS_fgetxattr SYS_flistxattr SYS_flock SYS_fork SYS_fremovexattr
    SYS_fsetxattr SYS_fstat SYS_fstatfs SYS_fsync SYS_ftruncate SYS_futex SYS_futex_waitv SYS_futimesat
    SYS_get_mempolicy SYS_get_robust_list SYS_get_thread_area SYS_getcpu SYS_getcwd SYS_getdents SYS_getdents64
    SYS_getegid SYS_geteuid SYS_getgid SYS_getgroups SYS_getitimer SYS_getpeername SYS_getpgid SYS_getpgrp
    SYS_getpid SYS_getppid SYS_getpriority SYS_getrandom SYS_getresgid SYS_getresuid SYS_getrlimit SYS_getrusage
    SYS_getsid SYS_getsockname SYS_getsockopt SYS_gettid SYS_gettimeofday SYS_getuid SYS_getxattr
    SYS_inotify_add_watch SYS_inotify_init SYS_inotify_init1 SYS_inotify_rm_watch SYS_io_cancel SYS_io_destroy
    SYS_io_getevents SYS_io_setup SYS_io_submit SYS_io_uring_enter SYS_io_uring_register
    SYS_io_uring_setup SYS_ioctl SYS_ioprio_get SYS_ioprio_set SYS_kill SYS_landlock_add_rule
    SYS_landlock_create_ruleset SYS_landlock_restrict_self SYS_lchown SYS_lgetxattr SYS_link SYS_linkat
    SYS_listen SYS_listxattr SYS_llistxattr SYS_lremovexattr SYS_lseek SYS_lsetxattr SYS_lstat SYS_madvise
    SYS_mbind SYS_membarrier SYS_memfd_create SYS_memfd_secret SYS_migrate_pages SYS_mincore SYS_mkdir
    SYS_mkdirat SYS_mknod SYS_mknodat SYS_mlock SYS_mlock2 SYS_mlockall SYS_mmap SYS_move_pages SYS_mprotect
    SYS_mq_getsetattr SYS_mq_notify SYS_mq_open SYS_mq_timedreceive SYS_mq_timedsend SYS_mq_unlink SYS_mremap
    SYS_mseal SYS_msgctl SYS_msgget SYS_msgrcv SYS_msgsnd SYS_msync SYS_munlock SYS_munlockall SYS_munmap
    SYS_nanosleep SYS_newfstatat SYS_open SYS_openat SYS_openat2 SYS_pause SYS_pidfd_open SYS_pidfd_send_signal
    SYS_pipe SYS_pipe2 SYS_pkey_alloc SYS_pkey_free SYS_pkey_mprotect SYS_poll SYS_ppoll SYS_prctl SYS_pread64
    SYS_preadv SYS_preadv2 SYS_prlimit64 SYS_process_madvise SYS_process_mrelease SYS_pselect6 SYS_pwrite64
    SYS_pwritev SYS_pwritev2 SYS_read SYS_readahead SYS_readlink SYS_readlinkat SYS_readv SYS_recvfrom
    SYS_recvmmsg SYS_recvmsg SYS_remap_file_pages SYS_removexattr SYS_rename SYS_renameat SYS_renameat2
    SYS_restart_syscall SYS_rmdir SYS_rseq SYS_rt_sigaction SYS_rt_sigpending SYS_rt_sigprocmask
    SYS_rt_sigqueueinfo SYS_rt_sigreturn SYS_rt_sigsuspend SYS_rt_sigtimedwait SYS_rt_tgsigqueueinfo
    SYS_sched_get_priority_max SYS_sched_get_priority_min SYS_sched_getaffinity SYS_sched_getattr
    SYS_sched_getparam SYS_sched_getscheduler SYS_sched_rr_get_interval SYS_sched_setaffinity SYS_sched_setattr
    SYS_sched_setparam SYS_sched_setscheduler SYS_sched_yield SYS_seccomp SYS_select SYS_semctl SYS_semget
    SYS_semop SYS_semtimedop SYS_sendfile SYS_sendmmsg SYS_sendmsg SYS_sendto SYS_set_mempolicy
    SYS_set_mempolicy_home_node SYS_set_robust_list SYS_set_thread_area SYS_set_tid_address SYS_setfsgid
    SYS_setfsuid SYS_setgid SYS_setgroups SYS_setitimer SYS_setpgid SYS_setpriority SYS_setregid SYS_setresgid
    SYS_setresuid SYS_setreuid SYS_setrlimit SYS_setsid SYS_setsockopt SYS_setuid SYS_setxattr SYS_shmat
    SYS_shmctl SYS_shmdt SYS_shmget SYS_shutdown SYS_sigaltstack SYS_signalfd SYS_signalfd4 SYS_socket
    SYS_socketpair SYS_splice SYS_stat SYS_statfs SYS_statx SYS_symlink SYS_symlinkat SYS_sync
    SYS_sync_file_range SYS_syncfs SYS_sysinfo SYS_tee SYS_tgkill SYS_time SYS_timer_create SYS_timer_delete
    SYS_timer_getoverrun SYS_timer_gettime SYS_timer_settime SYS_timerfd_create SYS_timerfd_gettime
    SYS_timerfd_settime SYS_times SYS_tkill SYS_truncate SYS_umask SYS_uname SYS_unlink SYS_unlinkat SYS_utime
    SYS_utimensat SYS_utimes SYS_vfork SYS_vmsplice SYS_wait4 SYS_waitid SYS_write SYS_writev
];

/// Restricts this thread, and all that it starts, for ever; `besides` are calls that others are refused.
pub fn restrict(besides: &[i64]) -> io::Result<()> {
    let known = ALLOWED.iter().chain(&UNNAMED).chain(REFUSED);
    let refused = REFUSED.iter().filter(|it| !besides.contains(it));
    forbid()?;
    install(
        known.chain(DEADLY).copied(),
        SeccompAction::Errno(errno(libc::ENOSYS)),
        SeccompAction::Allow,
    )?;
    install(
        refused.copied(),
        SeccompAction::Allow,
        SeccompAction::Errno(errno(libc::EPERM)),
    )
}

/// Has this thread, and all that it starts, end where it makes a call of [`DEADLY`].
pub fn forbid() -> io::Result<()> {
    install(
        DEADLY.iter().copied(),
        SeccompAction::Allow,
        SeccompAction::KillProcess,
    )
}

/// Installs a filter: `action` for these calls, `other` for all the others. What is not of this architecture
/// ends the program.
fn install(
    calls: impl Iterator<Item = i64>,
    other: SeccompAction,
    action: SeccompAction,
) -> io::Result<()> {
    let rules: BTreeMap<_, _> = calls.map(|call| (call, Vec::new())).collect();
    let architecture = TargetArch::try_from(std::env::consts::ARCH).map_err(Error::other)?;
    let program: BpfProgram = SeccompFilter::new(rules, other, action, architecture)
        .and_then(TryInto::try_into)
        .map_err(Error::other)?;
    match apply_filter(&program) {
        Err(seccompiler::Error::Seccomp(error)) if error.raw_os_error() == Some(libc::EINVAL) => {
            lacks("seccomp filters: all system calls are allowed");
            Ok(())
        }
        outcome => outcome.map_err(Error::other),
    }
}

/// As a filter returns it.
fn errno(number: i32) -> u32 {
    number.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rustix::io::Errno;
    use rustix::time::{ClockId, Timespec, clock_settime};

    use super::*;

    #[test]
    fn no_call_is_in_two_lists() {
        let lists = [ALLOWED, &UNNAMED, DEADLY, REFUSED];
        let all: Vec<_> = lists.concat();
        let different: BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), different.len());
    }
    #[test]
    fn a_profile_makes_the_calls_that_it_names() {
        let set = || {
            let never = Timespec {
                tv_sec: 0,
                tv_nsec: 2_000_000_000,
            };
            clock_settime(ClockId::Realtime, never).unwrap_err()
        };
        let restricted = |besides: &'static [i64]| {
            let thread = std::thread::spawn(move || {
                restrict(besides).unwrap();
                set()
            });
            thread.join().unwrap()
        };
        assert_eq!(restricted(&[]), Errno::PERM);
        // EINVAL, or what a container's own filter says.
        assert_eq!(restricted(&[libc::SYS_clock_settime]), set());
    }
}
