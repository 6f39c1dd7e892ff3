/* proxy: what the room's files share: the proxy, a client, one exchange in flight. */
#ifndef WW_PROXY_PRIVATE_H
#define WW_PROXY_PRIVATE_H

#include "hold.h"
#include "roster.h"

#include <whichworker/buf.h>
#include <whichworker/proxy.h>

struct client;

/* The pipeline of one exchange. DONE: there is none. */
enum forward_state {
    FORWARD_DONE,
    FORWARD_CONNECT, /* the upstream is being dialled */
    FORWARD_HOLD,    /* the head, or its last byte, is kept back: who has accepted? */
    FORWARD_AWAIT,   /* the request is going out, or is out; no final head has come back */
    FORWARD_RELAY,   /* the response is coming */
    FORWARD_TUNNEL,  /* both sides have left HTTP: bytes go to and fro */
    FORWARD_FLUSH, /* all that the client gets is written; its socket may not have taken all */
    FORWARD_CUT,   /* over: the client must see that the response is not whole */
};

#define FORWARD_PIECES 48 /* of one vectored write */
#define CHUNK_HEAD     20 /* "ffffffffffffffff\r\n" and a NUL */

/* Bytes on their way to one side, gathered so that one system call takes them. */
struct batch {
    ww_str piece[FORWARD_PIECES];
    char chunk_head[FORWARD_PIECES][CHUNK_HEAD];
    size_t n;
    size_t chunks;
};

/* A captured body: grows in the exchange's arena up to the limit. */
struct capture {
    char *ptr;
    size_t len;
    size_t cap;
    bool closed; /* nothing more is kept: a hole in the middle would be worse than a cut */
};

/*
 * One exchange on its way. Lives inside its client. Owns: x until it is emitted, upstream,
 * hold. client ─▶ parser ─▶ upstream        request_done once all of it is written client ◀─
 * parser ◀─ upstream        state says how far
 */
struct forward {
    enum forward_state state;
    struct client *client;
    struct ww_exchange *x;
    struct ww_head request;
    struct ww_head response;
    struct ww_stream *upstream;
    struct ww_http *parser; /* of responses; kept from exchange to exchange */
    struct ww_buf in;       /* a response head that has not come whole yet */
    ww_str upgrade; /* protocols that the request offers and the origin is told of; or absent */
    struct hold hold;
    struct ww_worker worker; /* who accepted, then who answered; only while x->worker is one */
    struct capture request_capture;
    struct capture response_capture;
    bool head_begun;          /* all of the head but its last byte is out */
    bool request_done;        /* nothing more will be written upstream */
    bool upstream_blocked;    /* the upstream is slow to take: the client is not read */
    bool client_blocked;      /* the client is slow to take: the upstream is not read */
    bool close_after;         /* the client's connection cannot be kept */
    bool client_ended;        /* the client has closed its side meanwhile */
    bool client_gone;         /* the client cannot be written to */
    bool upstream_ended;      /* of a tunnel: the origin has closed its side */
    enum ww_framing out_body; /* how the client sees the response's body framed */
};

enum client_state {
    CLIENT_IDLE,   /* between requests */
    CLIENT_HEAD,   /* a head has begun */
    CLIENT_WAIT,   /* a head is there, but the recorder is behind */
    CLIENT_BUSY,   /* forward has an exchange */
    CLIENT_LINGER, /* the last answer is out: what still comes is thrown away */
};

/* One client connection. Owns all it points at but proxy. Gives each finished exchange to the
 * sink. */
struct client {
    enum client_state state;
    struct ww_proxy *proxy;
    struct ww_stream *stream;
    struct ww_http *parser; /* of requests */
    struct ww_timer *timer;
    struct ww_buf in; /* read, not consumed */
    size_t looked;    /* how far `in` was searched for the head's end */
    int64_t head_us;  /* when the first byte of the head came */
    struct ww_connection info;
    ww_str address; /* info.peer without the port */
    bool ended;     /* it will send nothing more than what is in `in` */
    struct forward forward;
    struct client *prev;
    struct client *next;
};

struct ww_proxy {
    struct ww_proxy_config cfg;
    struct ww_proxy_parts parts;
    struct ww_proxy_stats stats;
    struct client *clients;
    struct holds holds;
    struct roster roster;
    struct ww_buf out;      /* heads are composed here */
    struct batch batch;     /* and bodies gathered here: both live for one write only */
    int64_t wall_offset_us; /* what makes a monotonic time a time since 1970 */
    uint32_t run;           /* the beginning of our request ids */
    bool draining;
    bool full; /* the gate is closed */
    struct ww_timer *drain_timer;
    ww_loop_cb *on_idle;
    void *on_idle_ctx;
};

/* proxy.c */
int64_t proxy_now_us(const struct ww_proxy *p); /* since 1970, never going back */
void proxy_forget(struct client *c);            /* takes it off the list */
void proxy_emit(struct ww_proxy *p, struct ww_exchange *x);
void proxy_note_obstacle(struct ww_proxy *p, enum ww_obstacle why); /* says it the first time */

/* client.c */
void client_new(struct ww_proxy *p, struct ww_stream *s, const struct ww_addr *peer);
void client_step(struct client *c);             /* looks at what has been read */
void client_done(struct client *c, bool whole); /* the exchange is over; what next? */
void client_close(struct client *c);            /* frees it */
void client_drain(struct client *c);

/*
 * forward.c. Nothing is freed while an event is being worked on: everybody notes what happened
 * in f (forward_stop among them), and whoever got the event calls forward_settle last, which
 * decides, and after which f may be gone with its client.
 */
void forward_start(struct forward *f);                      /* x and request are set */
void forward_client_bytes(struct forward *f, ww_str bytes); /* keeps what it cannot use yet */
void forward_client_drained(struct forward *f);
void forward_client_ended(struct forward *f);
void forward_client_gone(struct forward *f);
void forward_timed_out(struct forward *f);
void forward_stop(struct forward *f,
                  enum ww_end end); /* the exchange shall end, for this reason */
void forward_settle(struct forward *f);
void forward_release(struct forward *f);

/* upstream.c: what comes from and goes to the worker */
void upstream_dial(struct forward *f);
void upstream_close(struct forward *f);
size_t upstream_send_body(struct forward *f, ww_str bytes); /* how many belonged to the body */

/* relay.c: what goes back to the client */
void relay_head(struct forward *f, ww_str rest);
void relay_interim(struct forward *f, const struct ww_head *h);
void relay_body(struct forward *f, ww_str bytes);
void relay_close(struct forward *f); /* the origin closed: that ends a body without a length */
void relay_refusal(struct forward *f, enum ww_end end);

/* tunnel.c: after 101 */
ww_str tunnel_offered(const struct ww_head *request);
bool tunnel_is_agreed(const struct forward *f, const struct ww_head *response);
void tunnel_begin(struct forward *f, const struct ww_head *h, ww_str rest);
void tunnel_from_client(struct forward *f, ww_str bytes);
void tunnel_from_upstream(struct forward *f, ww_str bytes);
void tunnel_client_ended(struct forward *f);
void tunnel_upstream_ended(struct forward *f);
bool tunnel_is_over(const struct forward *f);
uint32_t tunnel_patience_ms(const struct forward *f);

/* tag.c: heads as they go out, composed into out */
void tag_request(const struct forward *f, struct ww_buf *out);
void tag_response(const struct forward *f, const struct ww_head *h, struct ww_buf *out);
void tag_switch(const struct forward *f, const struct ww_head *h, struct ww_buf *out);
void tag_common(const struct forward *f, struct ww_buf *out);
ww_str tag_request_id(struct ww_proxy *p, struct ww_exchange *x);

/* batch.c */
void batch_reset(struct batch *b);
bool batch_is_full(const struct batch *b);
void batch_add(struct batch *b, ww_str piece);
void batch_add_chunk(struct batch *b, ww_str data);
void capture_add(struct capture *c, struct ww_arena *a, size_t limit, ww_str data);

#endif
