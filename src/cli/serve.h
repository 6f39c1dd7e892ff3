/* cli: a proxy with all its parts: listener, attribution, recorder, live lines, signals. */
#ifndef WW_SERVE_H
#define WW_SERVE_H

#include "config.h"

struct server;

/* What `run` has beside a proxy's parts. Called on the loop's thread; all borrowed. */
struct serve_extra {
    struct ww_addr upstream;
    struct ww_preload *preload; /* NULL: only the kernel is asked */
    /* The proxy is open: whatever ends it may call serve_stop from now on, until close. */
    int (*open)(void *ctx, struct ww_loop *loop, struct server *s, struct ww_err *err);
    void (*close)(void *ctx);
    void *ctx;
};

/* Serves until SIGINT, SIGTERM or serve_stop, prints the summary. An exit status, or < 0 and
 * err. extra is NULL for a proxy in front of --upstream. */
int serve(const struct config *c, const struct serve_extra *extra, struct ww_err *err);

/* As a signal does: lets what is in flight end; the second time cuts it off. */
void serve_stop(struct server *s);

#endif
