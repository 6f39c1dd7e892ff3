/* cli: a command that we run under a keeper: told when it ends, taken down whole. */
#ifndef WW_CHILD_H
#define WW_CHILD_H

#include "keeper.h"

#include <whichworker/buf.h>
#include <whichworker/err.h>

#include <sys/types.h>

/* Owns its keeper, which owns the command's processes. Zeroed with fd -1: none. */
struct child {
    int fd; /* to the keeper; -1: it is gone */
    pid_t keeper;
    bool ended;     /* the process that was started */
    bool alone;     /* nothing of it is left */
    int32_t own;    /* wait status of the process that was started, once it has ended */
    int32_t status; /* the same if that failed: what it has left behind is then taken down; else
                       of whoever ended last */
};

/* Makes its keeper; nothing runs yet. Call it while this process has one thread and the signals
 * are as the command shall have them. */
int child_fork(struct child *c, const struct keeper_job *job, struct ww_err *err);

/* Starts the command, and waits until it is running. url, for a command that is told of one
 * (struct keeper_job), may be "". */
int child_go(struct child *c, const char *name, const char *url, struct ww_err *err);

/* Takes an event, if there is one: then something in *c may have changed. */
bool child_hear(struct child *c);

void child_order(const struct child *c, enum keeper_order what, int32_t value);

/* Nothing can be expected of it any more: it failed, or is gone altogether. */
bool child_is_over(const struct child *c);

/* As a shell says it: 128 and the signal's number if one killed it. */
int child_exit_status(const struct child *c);

/* "ended with status 3", "was killed by signal 9 (Killed)". */
void child_describe(const struct child *c, struct ww_buf *out);

/* Takes down what is left: SIGTERM, SIGKILL after that time. Idempotent. */
void child_stop(struct child *c, uint32_t grace_ms);

#endif
