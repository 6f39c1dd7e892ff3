/* cli: the backend that `run` has started: from its first process to the last one's end. */
#ifndef WW_BACKEND_H
#define WW_BACKEND_H

#include "serve.h"

#include <signal.h>

#define BACKEND_SIGNALS 6 /* those that are passed on */

struct backend;

struct backend_signal {
    struct backend *backend;
    int signum;
    struct ww_signal *handle;
};

/* Owns its keeper, which owns the backend's processes. Zeroed with fd -1: none. */
struct backend {
    int fd;                /* to the keeper; -1: it is gone */
    bool ended;            /* the process that was started */
    bool alone;            /* nothing of it is left */
    int32_t status;        /* wait status of whoever ended last */
    sigset_t mask;         /* of signals, before ours were blocked */
    struct server *server; /* while the proxy is open */
    struct ww_ready *ready;
    struct backend_signal passed_on[BACKEND_SIGNALS];
};

/* Starts it. Signals that end or concern it are blocked until backend_open. */
int backend_start(struct backend *b, char *const *argv, const char *shim, const char *token,
                  struct ww_err *err);

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
int backend_exit_status(const struct backend *b);

/* "ended with status 3", "was killed by signal 9 (Killed)". */
void backend_describe(const struct backend *b, struct ww_buf *out);

/* Takes down what is left: SIGTERM, SIGKILL after that time. Idempotent. */
void backend_stop(struct backend *b, uint32_t drain_ms);

#endif
