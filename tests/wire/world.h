/* wire: the real proxy between memory streams: clients, upstreams, a looker and a sink. */
#ifndef WW_WIRE_WORLD_H
#define WW_WIRE_WORLD_H

#include <whichworker/proxy.h>

#define MAX_CLIENTS   9
#define MAX_UPSTREAMS 32
#define MAX_EXCHANGES 64

/* One end of a memory stream, as the script plays it. */
struct end {
    struct ww_stream *stream; /* NULL: not there yet */
    size_t taken;             /* how much of what it got the script has looked at */
    size_t mark;              /* where `rest` begins */
    bool connected;
};

/* What the upstream's kernel does with a connection. */
enum dial { DIAL_CONNECT, DIAL_REFUSE, DIAL_HANG };

/* Owns everything in it. */
struct world {
    struct ww_loop *loop;
    struct ww_timer *ticker; /* so that a turn never waits for long */
    struct ww_wake *wake;    /* so that a turn does not wait at all */
    struct ww_proxy *proxy;
    struct ww_dialer dialer;
    struct ww_sink sink;
    struct end client[MAX_CLIENTS];
    struct end upstream[MAX_UPSTREAMS];
    size_t upstreams;
    struct ww_exchange *exchange[MAX_EXCHANGES];
    size_t exchanges;
    size_t exchanges_taken;
    size_t connections_open;
    enum dial dial;
    enum ww_owner owner; /* what a look says */
    int32_t pid;
    enum ww_owner confirmed; /* what a confirmation says, if confirm_set */
    int32_t confirmed_pid;
    bool confirm_set;
    bool recorder_full;
    bool idle; /* the proxy has drained */
};

void world_config(struct ww_proxy_config *cfg); /* short times, small limits */
struct world *world_new(const struct ww_proxy_config *cfg);

/* A client connects. */
void world_connect(struct world *w, size_t client);

/* Lets everybody do what there is to do now; wait: or for a millisecond at most. */
void world_turn(struct world *w, bool wait);
void world_drain(struct world *w);
void world_free(struct world *w); /* once idle: aborts on anything that was not given back */

#endif
