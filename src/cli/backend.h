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

/* Waits until it listens: on `wanted`, or, if that is NULL, anywhere. STOPPED: SIGINT or
 * SIGTERM came meanwhile. < 0 and err: it died, or time is up. */
int backend_wait(struct backend *b, const struct ww_addr *wanted, uint32_t timeout_ms,
                 struct ww_addr *out_addr, struct ww_err *err);

/* What serve calls: ctx is a backend. */
int backend_open(void *ctx, struct ww_loop *loop, struct server *s, struct ww_err *err);
void backend_close(void *ctx);

/* Ended of its own accord, with a failure. */
bool backend_failed(const struct backend *b);

#endif
