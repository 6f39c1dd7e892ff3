/* cli: the process between us and the backend: nothing of the backend outlives it, nor us. */
#ifndef WW_KEEPER_H
#define WW_KEEPER_H

#include <stdint.h>

/*
 *     whichworker ◀─ orders, events ─▶ keeper ─▶ backend ─▶ its processes
 *
 * The keeper is a fork of ours that runs no program. Whatever the backend's processes do (fork
 * twice, make sessions, drop privileges), they are its descendants, and orphans become its
 * children (PR_SET_CHILD_SUBREAPER). When we are gone, however we went, it reads the end of its
 * socket and takes all of them down.
 */
enum keeper_order {
    KEEPER_SIGNAL, /* value: to the backend; to its orphans once it is gone */
    KEEPER_STOP,   /* SIGTERM; SIGKILL to whatever is left after value milliseconds */
};

enum keeper_event {
    KEEPER_STARTED, /* value: 0, or the errno with which exec failed */
    KEEPER_ENDED,   /* value: wait status of the process that was started */
    KEEPER_ALONE,   /* nothing is left; the keeper ends. value: of whoever ended last */
};

struct keeper_message {
    int32_t what;
    int32_t value;
};

struct keeper_job {
    char *const *argv;
    const char *shim;  /* path; NULL: nothing is preloaded */
    const char *token; /* WW_SHIM_ENV */
};

/* In the forked child, which has one thread. fd is a SOCK_SEQPACKET pair's end. */
_Noreturn void keeper_run(int fd, const struct keeper_job *job);

#endif
