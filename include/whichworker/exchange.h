/* trace: an exchange: one request and what came back for it, with times and the worker. */
#ifndef WHICHWORKER_EXCHANGE_H
#define WHICHWORKER_EXCHANGE_H

#include <whichworker/arena.h>
#include <whichworker/end.h>
#include <whichworker/http.h>
#include <whichworker/mac.h>
#include <whichworker/worker.h>

/* A message body as captured: without chunk framing, content coding still on it. */
struct ww_body {
    ww_str bytes;  /* what was kept; a beginning if size is larger */
    uint64_t size; /* what went over the wire */
};

/* What a cookie or token says without its key (ww_cookie_payload). */
struct ww_payload {
    ww_str value; /* the cookie's value, or the token, as the exchange has it (masked or not) */
    const char *form; /* "itsdangerous", "django", "jwt"; static */
    ww_str json;
    ww_str content; /* names what was signed, payload and time: ww_readable.content, masked as
                       value is; absent: nothing follows from equal content */
};

/*
 * Owns everything that its slices point at, through arena. Times are microseconds since 1970,
 * of a clock that never goes back within a run; 0: that never happened.
 */
struct ww_exchange {
    struct ww_arena arena;
    uint64_t id;         /* 1, 2, …: the order in which the requests' heads were complete */
    uint64_t connection; /* the client's connection: ww_connection.id */
    uint64_t upstream;   /* a number for the upstream's connection; 0: none was made */
    ww_str request_id;   /* X-Request-ID: the client's, or ours */
    ww_str client;       /* the client's address without its port, "127.0.0.1" */

    int64_t started_us;   /* the first byte of the request came */
    int64_t connected_us; /* the upstream's kernel took the connection */
    int64_t accepted_us;  /* a worker was seen to have accepted it (or the wait was given up) */
    int64_t answered_us;  /* the first byte of an answer came */
    int64_t ended_us;     /* the last byte was handed to the client's socket, or it failed */

    ww_str method;
    ww_str target; /* as sent: path and query */
    unsigned request_minor;
    struct ww_fields request_fields;
    struct ww_body request_body;

    unsigned status; /* 0: no response at all; ours when `end` has a status of its own */
    struct ww_fields response_fields;
    struct ww_body response_body;

    enum ww_end end;
    enum ww_source by;
    struct ww_worker_id worker; /* pid 0 unless by names a source */
    enum ww_source also_by;     /* another source that named somebody else; NOBODY: none did */
    struct ww_worker_id also_worker;

    struct ww_payload *payload; /* filled by ww_exchange_redact */
    size_t payloads;
};

struct ww_exchange *ww_exchange_new(size_t arena_limit_bytes);
void ww_exchange_free(struct ww_exchange *x); /* NULL is fine */

/* Path of the target, without query and fragment; of an absolute-form target, behind the host.
 */
ww_str ww_exchange_path(const struct ww_exchange *x);

/* About how much memory it holds. */
size_t ww_exchange_bytes(const struct ww_exchange *x);

/*
 * Replaces secrets in the fields, in place: the values of Cookie and Set-Cookie pairs and the
 * credentials of Authorization and its kin become "mac:" and 24 hex digits (ww_mac under key);
 * the names, the authentication scheme and the cookie attributes stay; an empty value stays
 * empty. So do session ids and tokens (http.h: struct ww_id) in fields, in the target, in
 * fields with URLs, and in bodies of JSON, forms and text: the same secret gets the same mask
 * wherever it stands. A packed body that had one is kept unpacked, with Content-Encoding:
 * identity. A masked body's size is counted as if it had come so. Also fills payload. key NULL
 * keeps the values and only fills payload. Call once, before anything reads the exchange: what
 * the judge, the trace and the terminal see must be the same.
 */
void ww_exchange_redact(struct ww_exchange *x, const struct ww_mac_key *key);

/* A client's connection. */
struct ww_connection {
    uint64_t id;    /* 1, 2, … within a run */
    char peer[128]; /* "127.0.0.1:41234" */
    int64_t opened_us;
    int64_t closed_us; /* 0: still open */
};

/* What is true of a whole recording. */
struct ww_run {
    int64_t started_us;
    int64_t ended_us; /* 0: the proxy did not end it: it was killed, or is still running */
    char version[16]; /* of whichworker */
    char upstream[128];
    char upstream_connections[16]; /* "fresh" */
    char schedule[16];             /* "natural" */
    uint64_t stalls; /* how often the proxy stopped reading because the recorder was behind */
    uint64_t lost;   /* exchanges that could not be written (a full disk) */
};

#endif
