/* cli: the backend that `run` has started: from its first process to the last one's end. */
#ifndef WW_BACKEND_H
#define WW_BACKEND_H

#include "child.h"
#include "serve.h"

#include <signal.h>

#define BACKEND_SIGNALS 6 /* those that are passed on */

struct backend;

struct backend_signal {
    struct backend *backend;
    int signum;
    struct ww_signal *handle;
};

/* A zeroed one whose child has fd -1 is none. */
struct backend {
    struct child child;
    bool hangup_ends;      /* SIGHUP is no word for the backend, but our own end */
    int stopped_by;        /* the signal that ended a wait; 0: none */
    sigset_t mask;         /* of signals, before ours were blocked */
    struct server *server; /* while the proxy is open */
    struct ww_ready *ready;
    struct backend_signal passed_on[BACKEND_SIGNALS];
};

/* Starts it. Signals that end or concern it are blocked until backend_open. */
int backend_start(struct backend *b, const struct keeper_job *job, struct ww_err *err);

/* Blocks those that end us or are passed on, and remembers what it was before. */
void backend_block_signals(struct backend *b);

enum backend_readiness { BACKEND_READY, BACKEND_STOPPED };

/* Where somebody said that it listens. "localhost" may be either of two; n 0: nobody said. */
struct backend_wanted {
    struct ww_addr addr[2];
    size_t n;
};

/* Reads --upstream; absent is nobody. */
int backend_want(ww_str upstream, struct backend_wanted *out, struct ww_err *err);

/* Whether somebody listens there. */
bool backend_answers(const struct ww_addr *addr);

/* Waits until it listens, where that is wanted or else anywhere. STOPPED: SIGINT or SIGTERM
 * came meanwhile, which b->stopped_by tells. < 0 and err: it died, or time is up. Without a
 * child it is waited for all the same. */
int backend_wait(struct backend *b, const struct backend_wanted *wanted, uint32_t timeout_ms,
                 struct ww_addr *out_addr, struct ww_err *err);

struct backend_roll {
    size_t accepted; /* processes that have accepted a connection, as far as they can be seen */
    size_t silent;   /* those that could, and have not */
};

/* Waits until every worker has accepted once, which only one that is ready does: until_us (of
 * the monotonic clock) bounds it. Where nobody can be seen it returns at once; where some never
 * accept it gives up after a while, and *out tells. Otherwise as backend_wait. */
int backend_call_roll(struct backend *b, const struct ww_addr *addr, int64_t until_us,
                      struct backend_roll *out, struct ww_err *err);

/* One look while waiting: READY to go on (after at most ms), STOPPED, or < 0 as above. */
int backend_look(struct backend *b, int signals, int ms, struct ww_err *err);

/* A signalfd for what ends a wait; -1 and err. */
int backend_stop_signals(const struct backend *b, struct ww_err *err);

/* What serve calls: ctx is a backend. */
int backend_open(void *ctx, struct ww_loop *loop, struct server *s, struct ww_err *err);
void backend_close(void *ctx);

/* Ended of its own accord, with a failure. */
bool backend_failed(const struct backend *b);

#endif
