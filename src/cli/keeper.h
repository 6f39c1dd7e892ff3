/* cli: the process between us and a command: nothing of the command outlives it, nor us. */
#ifndef WW_KEEPER_H
#define WW_KEEPER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define KEEPER_URL_MAX 256

/*
 *     whichworker ◀─ orders, events ─▶ keeper ─▶ command ─▶ its processes
 *
 * The keeper is a fork of ours that runs no program. Whatever the command's processes do (fork
 * twice, make sessions, drop privileges), they are its descendants, and orphans become its
 * children (PR_SET_CHILD_SUBREAPER). When we are gone, however we went, it reads the end of its
 * socket and takes all of them down.
 */
enum keeper_order {
    KEEPER_GO,     /* start the command; behind the message stands the URL that it is told */
    KEEPER_SIGNAL, /* value: to the command; to its orphans once it is gone */
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

/* Where the command stands. */
enum keeper_place {
    KEEPER_SESSION, /* in a session of its own: no terminal's signals reach it */
    KEEPER_GROUP,   /* in our session, in a process group of its own */
    KEEPER_OURS     /* in our own group: the terminal is its as much as ours */
};

struct keeper_job {
    char *const *argv;
    const char *shim;  /* path; NULL: nothing is preloaded */
    const char *token; /* WW_SHIM_ENV */
    enum keeper_place place;
    pid_t group;   /* ours, for KEEPER_OURS */
    bool aside;    /* nothing on its standard input, and its output goes to output_fd */
    int output_fd; /* only then */
    bool told_url; /* {url} in its arguments, WHICHWORKER_URL and BASE_URL */
};

/* In the forked child, which has one thread. fd is a SOCK_SEQPACKET pair's end. */
_Noreturn void keeper_run(int fd, const struct keeper_job *job);

#endif
