/* proxy: takes requests, forwards each to a worker, names the worker, emits exchanges. */
#ifndef WHICHWORKER_PROXY_H
#define WHICHWORKER_PROXY_H

#include <whichworker/attrib.h>
#include <whichworker/sink.h>
#include <whichworker/stream.h>

/* Times and sizes have a default in the options table; none of the times may be 0. */
struct ww_proxy_config {
    uint32_t header_timeout_ms; /* from a request's first byte to the end of its head: 408 */
    uint32_t idle_timeout_ms; /* a client's silence: between requests, in a body, not reading */
    uint32_t connect_timeout_ms;  /* for the upstream's kernel to take the connection: 504 */
    uint32_t response_timeout_ms; /* the upstream's silence: 504, or a cut response */
    uint32_t tunnel_timeout_ms; /* both sides' silence after an upgrade; cut */
    uint32_t attrib_timeout_ms;   /* how long a request may be held until a worker accepts */
    uint32_t handover_timeout_ms; /* how long an accepted one may wait for its final owner */
    uint32_t drain_timeout_ms; /* what is in flight when the proxy is stopped may take this */
    uint64_t max_connections;   /* of clients: at so many parts.gate is closed; 0: any number */
    uint64_t max_head_bytes;   /* of a request (431) and of a response (502) */
    uint64_t max_body_bytes;   /* of a request: 413; 0: no limit */
    ww_str worker_header;      /* the response field with the worker's own PID; absent: none */
    uint64_t capture_body_bytes; /* how much of each body is kept in the exchange */
};

/* Who accepted, and who answered? ww_attrib_look and ww_attrib_confirm for real connections, a
 * script in tests. */
struct ww_looker {
    enum ww_owner (*look)(void *ctx, struct ww_flow *flow, struct ww_worker *out_worker);
    enum ww_owner (*confirm)(void *ctx, struct ww_flow *flow, struct ww_worker *worker);
    enum ww_obstacle (*why)(void *ctx); /* of the last of either; NULL: not to be had */
    void *ctx;
};

/* What the proxy works with; all borrowed until ww_proxy_free. */
struct ww_proxy_parts {
    struct ww_loop *loop;
    struct ww_dialer *dialer;
    struct ww_addr upstream; /* what the dialer connects to */
    struct ww_looker looker;
    struct ww_sink *sink; /* takes every exchange that had at least a byte of a request */
    /* Whether a new request may be read: false while the recorder is behind. May be NULL. */
    bool (*may_begin)(void *ctx);
    /* No further client may be taken, or one may again. Called when that changes. May be NULL. */
    void (*gate)(void *ctx, bool open);
    void *ctx;
};

struct ww_proxy_stats {
    uint64_t exchanges;
    uint64_t by[WW_SOURCES];
    uint64_t end[WW_ENDS];
    uint64_t obstacle[WW_OBSTACLES]; /* why a worker stayed unknown or ambiguous */
    uint64_t connections;            /* of clients */
    uint64_t dials;                  /* upstream connections */
    uint64_t held;                   /* requests that had to wait until a worker was known */
    size_t clients;                  /* connected now */
    uint64_t times_full;             /* the gate was closed */
};

struct ww_proxy;

struct ww_proxy *ww_proxy_new(const struct ww_proxy_config *cfg,
                              const struct ww_proxy_parts *parts, struct ww_err *err);

/* Takes a client's connection. */
void ww_proxy_take(struct ww_proxy *p, struct ww_stream *s, const struct ww_addr *peer);

/* Requests that had to wait for may_begin are looked at again. */
void ww_proxy_resume(struct ww_proxy *p);

/* Begins no new exchange, lets those in flight end (at most drain_timeout_ms), then calls back
 * once, when no client is left. */
void ww_proxy_drain(struct ww_proxy *p, ww_loop_cb *on_idle, void *ctx);

/* Cuts off what is in flight at once; for a second signal while draining. */
void ww_proxy_cut(struct ww_proxy *p);

const struct ww_proxy_stats *ww_proxy_stats(const struct ww_proxy *p); /* borrowed, live */

/* After on_idle, or before anything was taken. NULL is fine. */
void ww_proxy_free(struct ww_proxy *p);

#endif
