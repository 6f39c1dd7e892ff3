/* cli: a proxy with all its parts: listener, attribution, recorder, live lines, signals. */
#ifndef WW_SERVE_H
#define WW_SERVE_H

#include "config.h"

struct server;

/* What `run` and `gate` have beside a proxy's parts. Called on the loop's thread; all borrowed.
 */
struct serve_extra {
    struct ww_addr upstream;
    struct ww_preload *preload; /* NULL: only the kernel is asked */
    /* The proxy is open: whatever ends it may call serve_stop from now on, until close. */
    int (*open)(void *ctx, struct ww_loop *loop, struct server *s, struct ww_err *err);
    void (*close)(void *ctx);
    void (*on_signal)(void *ctx, int signum); /* SIGINT or SIGTERM; NULL: it is a serve_stop */
    /* Where it listens is not said, and the summary only if some worker stayed unknown. */
    bool reticent;
    void *ctx;
};

/* Serves until SIGINT, SIGTERM or serve_stop, prints the summary. An exit status, or < 0 and
 * err. extra is NULL for a proxy in front of --upstream. */
int serve(const struct config *c, const struct serve_extra *extra, struct ww_err *err);

/* Where clients connect; borrowed while it is open. */
const struct ww_addr *server_addr(const struct server *s);

/* As a signal does: lets what is in flight end; the second time cuts it off. */
void serve_stop(struct server *s);

#endif
