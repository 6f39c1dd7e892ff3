/* trace: a worker: one process that answers requests, and how it is known that it did. */
#ifndef WHICHWORKER_WORKER_H
#define WHICHWORKER_WORKER_H

#include <whichworker/str.h>

#define WW_WORKER_COMMAND 64

/* PIDs are reused: identity is the PID together with the start time. */
struct ww_worker_id {
    int32_t pid;          /* 0: no worker */
    uint64_t start_ticks; /* field 22 of /proc/PID/stat: clock ticks since boot; 0: not known */
};

struct ww_worker {
    struct ww_worker_id id;
    uint32_t slot;      /* a small number that stays: a successor takes the place of the dead */
    int64_t started_us; /* microseconds since 1970; 0: not known */
    int64_t ended_us;   /* the same; 0: not seen to have ended */
    char command[WW_WORKER_COMMAND]; /* from /proc/PID/cmdline, cut */
};

bool ww_worker_same(struct ww_worker_id a, struct ww_worker_id b);

/* How the worker of an exchange is known. */
enum ww_source {
    WW_BY_NOBODY,    /* the request never reached a worker: it counts nowhere */
    WW_BY_KERNEL,    /* the kernel named the process that accepted the connection */
    WW_BY_PRELOAD,   /* the shim inside the worker reported its accept */
    WW_BY_HEADER,    /* the worker said so in a response field */
    WW_BY_AMBIGUOUS, /* several processes hold the connection: none is claimed */
    WW_BY_UNKNOWN,   /* it was forwarded, and nobody could say to whom */
    WW_SOURCES
};

/* "none", "kernel", "preload", "header", "ambiguous", "unknown". */
const char *ww_source_token(enum ww_source s);
enum ww_source ww_source_find(ww_str token); /* WW_SOURCES if there is none */

#endif
