/* attrib: what /proc says about one process. No memory of its own, nothing decided here. */
#ifndef WW_ATTRIB_PROCFS_H
#define WW_ATTRIB_PROCFS_H

#include <whichworker/str.h>

#define WW_PROC_COMM 32

/*
 * One process. Owns dir: a handle to its directory, which stays with this very process: once it
 * is dead every look through it fails, also when a later process has got the same PID.
 */
struct ww_proc {
    int dir;
    int32_t pid;
    int32_t ppid;
    uint64_t start_ticks; /* field 22: since boot */
    uint64_t reaped;      /* field 11: page faults of the children that it has waited for */
    char state;           /* 'Z' for a zombie */
    char comm[WW_PROC_COMM];
};

/* False, and nothing to close, if there is no such process or its stat cannot be read. */
WW_MUST bool ww_proc_open(int root, int32_t pid, struct ww_proc *out_proc);
void ww_proc_close(struct ww_proc *p); /* also of a closed one */

/* Reads stat again (state, ppid, reaped). False: the process is gone. */
WW_MUST bool ww_proc_refresh(struct ww_proc *p);

/* The text of a stat file. False unless it has all the fields; the name may contain anything.
 */
WW_MUST bool ww_proc_parse_stat(ww_str text, struct ww_proc *out_proc);

enum ww_held {
    WW_HELD_NO,
    WW_HELD_YES,
    WW_HELD_HIDDEN /* it may not be read */
};

/* Is file descriptor fd this socket? One readlink. */
enum ww_held ww_proc_holds_at(const struct ww_proc *p, int fd, uint64_t inode);

/* Calls back for each socket among its descriptors until the callback says false. NO: it looked
 * at all of them; YES: the callback stopped; HIDDEN: they cannot be listed. */
typedef bool ww_proc_socket_fn(void *ctx, int fd, uint64_t inode);
enum ww_held ww_proc_each_socket(const struct ww_proc *p, ww_proc_socket_fn *fn, void *ctx);

/* Looks through all of its descriptors; *out_fd only with YES. */
enum ww_held ww_proc_find_socket(const struct ww_proc *p, uint64_t inode, int *out_fd);

/* The children of all of its threads; more than room are counted, not written. -1: this kernel
 * does not say, or the process is gone. */
int ww_proc_children(const struct ww_proc *p, int32_t *out_pids, size_t room);

/* All processes, in PID order of the listing; false once the callback says so. */
typedef bool ww_proc_pid_fn(void *ctx, int32_t pid);
void ww_proc_each_pid(int root, ww_proc_pid_fn *fn, void *ctx);

/* Does it let the kernel reap its children (SIGCHLD ignored)? True also if that cannot be read.
 */
bool ww_proc_ignores_children(const struct ww_proc *p);

/* Whose it is, and what it may do; from its status. */
struct ww_proc_status {
    uint32_t uid;          /* the effective one */
    uint64_t ignores;      /* signals, the first in bit 0 */
    uint64_t cap_allowed;  /* capabilities that count now */
    uint64_t cap_bounding; /* capabilities that a program may ever get */
};
WW_MUST bool ww_proc_status(const struct ww_proc *p, struct ww_proc_status *out_status);
WW_MUST bool ww_proc_parse_status(ww_str text, struct ww_proc_status *out_status);

/* Really reads the link of one of its descriptors. 0, or the errno of what forbids it. */
int ww_proc_fd_error(const struct ww_proc *p);

/* Its descriptors belong to root although the process does not: it changed its user without an
 * exec, and then also its own user may not read its descriptors. */
bool ww_proc_is_closed(const struct ww_proc *p, uint32_t uid);

/* Its command line with spaces between the arguments, cut; its name if it has none. */
void ww_proc_command(const struct ww_proc *p, char *out, size_t room);

/* Microseconds of CLOCK_MONOTONIC, and since 1970, when a process started. */
int64_t ww_proc_start_mono_us(const struct ww_proc *p);
int64_t ww_proc_start_wall_us(const struct ww_proc *p);

/* How far a process may have started after its start_ticks say. */
int64_t ww_proc_tick_us(void);

/*
 * The PID that was given out last, of all processes and threads: while it stays the same,
 * nothing has been forked. `fd` is an open loadavg file. 0: cannot be read.
 */
uint64_t ww_proc_last_pid(int fd);
WW_MUST bool ww_proc_parse_loadavg(ww_str text, uint64_t *out_last_pid);

#endif
