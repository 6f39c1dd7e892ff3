/* http: HTTP/1.1 messages as values: heads, fields, cookies, framing, codings; no sockets. */
#ifndef WHICHWORKER_HTTP_H
#define WHICHWORKER_HTTP_H

#include <whichworker/arena.h>
#include <whichworker/buf.h>
#include <whichworker/str.h>

/* One field line. Order and duplicates are kept as sent. */
struct ww_field {
    ww_str name;
    ww_str value;
};

struct ww_fields {
    struct ww_field *v;
    size_t n;
    size_t cap;
};

/* Appends; the vector lives in the arena. False if the arena's limit would be passed. */
bool ww_fields_add(struct ww_fields *f, struct ww_arena *a, ww_str name, ww_str value);

/* The first value under name (compared without case), or absent. */
ww_str ww_fields_get(const struct ww_fields *f, ww_str name);
size_t ww_fields_count(const struct ww_fields *f, ww_str name);

/* Whether a comma-separated field (RFC 9110 5.6.1) has this token, over all its lines, no case.
 */
bool ww_fields_has_token(const struct ww_fields *f, ww_str name, ww_str token);

/*
 * Fields as text, one "Name: value" a line, each ended by a line feed (values cannot hold one);
 * and back. Read borrows text and puts the vector into the arena; a line without ": " is
 * skipped.
 */
bool ww_fields_write(const struct ww_fields *f, struct ww_buf *out);
void ww_fields_read(struct ww_fields *f, struct ww_arena *a, ww_str text);

/* Cookie (RFC 6265 4.2.1): takes the next name=value pair from *rest. Both borrow. */
bool ww_cookie_next(ww_str *rest, ww_str *out_name, ww_str *out_value);

/* Set-Cookie (RFC 6265 5.2). */
struct ww_set_cookie {
    ww_str name;
    ww_str value;
    ww_str attributes; /* all behind the first ';', as sent */
    bool cleared;      /* Max-Age not positive, Expires before `now`, or an empty value */
    bool http_only;
};

/* False if there is no name=value. now_seconds: since 1970, to tell whether Expires has passed.
 */
WW_MUST bool ww_set_cookie_parse(ww_str value, int64_t now_seconds, struct ww_set_cookie *out);

/* A date to seconds since 1970, by the lenient algorithm of RFC 6265 5.1.1, which reads all three
 * forms of an HTTP-date (RFC 9110 5.6.7). False if it is none. */
WW_MUST bool ww_http_date(ww_str s, int64_t *out_seconds);

/* What a cookie's or token's value says that anybody can read without its key. */
struct ww_readable {
    ww_str json;      /* in the arena */
    const char *form; /* "itsdangerous", "django", "jwt"; static */
    /* The part of the value that was signed; borrows it. Absent where one key may sign one
     * content in several ways (a JWT by ECDSA or RSA-PSS). So: equal content and another value,
     * another key. */
    ww_str content;
};

/*
 * Reads the payload of an itsdangerous cookie (Flask's, also zlib-packed), of a Django signed
 * cookie, of a JWT. False where it is none of them, or unpacks to more than 64 KiB. Never
 * returns the signature.
 */
WW_MUST bool ww_cookie_payload(ww_str value, struct ww_arena *a, struct ww_readable *out);

/*
 * Session ids and tokens outside of cookies, known by their names: "sid", "session_id",
 * "access_token" … (without case, '_' and '-'; the whole list is in src/http/ids.c). Where such
 * a name has other uses as well ("?sid=3"), the value must look like nothing that counts or can
 * be guessed. A value may be masked (ww_exchange_redact): it is then found as well.
 */
enum ww_id_kind {
    WW_ID_SESSION, /* names a session */
    WW_ID_TOKEN    /* proves who one is; may be a JWT */
};

struct ww_id {
    ww_str name; /* as written */
    ww_str value;
    enum ww_id_kind kind;
};

/* Takes the next name=value from a target, a URL, a form, or a text with URLs in it: it begins
 * the text or stands behind '?', '&' or ';'. *rest goes on behind the value. Borrows. */
WW_MUST bool ww_url_id_next(ww_str *rest, struct ww_id *out);

/* Takes the next "name": "value" from JSON, at any depth; the text may be cut off. The value is
 * as written between its quotes. */
WW_MUST bool ww_json_id_next(ww_str *rest, struct ww_id *out);

/* A field that carries a session's id: Mcp-Session-Id, X-Session-ID, X-Session-Token,
 * Session-Id, X-Shop-Session-Id … but not X-Session-Timeout. */
bool ww_field_is_session(ww_str name);

/* "mac:" and 24 hex digits: what ww_exchange_redact leaves of a secret. */
bool ww_is_masked(ww_str value);

/* Masked, or at least 16 characters without blanks, of two kinds (a, A, 0). */
bool ww_is_unguessable(ww_str value);

/* Undoes Content-Encoding (gzip, x-gzip, deflate, br, zstd; several in a row). */
enum ww_decoded {
    WW_DECODED,     /* all of it is in out */
    WW_DECODED_CUT, /* the input ended early, or out is full: a beginning is in out */
    WW_DECODED_NOT  /* a coding that we do not know, or garbage: nothing can be said */
};
enum ww_decoded ww_content_decode(ww_str encoding, ww_str bytes, struct ww_buf *out);

/* How a message's end is known (RFC 9112 6.3). */
enum ww_framing { WW_BODY_NONE, WW_BODY_LENGTH, WW_BODY_CHUNKED, WW_BODY_UNTIL_CLOSE };

/* A parsed head. Every slice borrows the bytes that it was parsed from. */
struct ww_head {
    ww_str method;           /* requests */
    ww_str target;           /* requests: as sent */
    unsigned status;         /* responses */
    ww_str reason;           /* responses */
    unsigned minor;          /* HTTP/1.minor */
    struct ww_fields fields; /* in the arena that the parser was given */
    enum ww_framing framing;
    uint64_t content_length; /* of WW_BODY_LENGTH */
    bool keep_alive;         /* what version and Connection say together */
};

/* What a piece of input did. */
enum ww_parse {
    WW_PARSE_MORE,    /* fine so far */
    WW_PARSE_DONE,    /* the message is complete */
    WW_PARSE_BAD,     /* malformed or ambiguous; ww_http_why says what */
    WW_PARSE_TOO_MANY /* the arena is full: too many fields */
};

/* One message after another on one connection. */
struct ww_http;

/* max_trailer_bytes: of the trailers of a chunked body, and of its chunk extensions beyond the
 * data that they came with; more is BAD. Both are read and thrown away. */
struct ww_http *ww_http_new(bool is_response, uint64_t max_trailer_bytes);
void ww_http_free(struct ww_http *p);

/* Where the head ends: the offset just behind its empty line, or 0 if it is not complete.
 * `from` is how far an earlier call has looked. */
size_t ww_http_head_end(ww_str bytes, size_t from);

/*
 * Parses a complete head (bytes up to ww_http_head_end; leading empty lines removed by the
 * caller). Refuses what two parsers could read differently: a bare CR or LF, NUL, obs-fold,
 * space before the colon, CL with TE, differing or malformed CL, TE other than `chunked`,
 * several or no Host with HTTP/1.1 (RFC 9112 2.2, 3.2, 5.1, 5.2, 6.1, 6.3). `no_body` is for
 * responses: to HEAD. Fields go into the arena; slices borrow bytes. DONE: there is no body.
 * MORE: a body follows.
 */
WW_MUST enum ww_parse ww_http_head(struct ww_http *p, ww_str bytes, bool no_body,
                                   struct ww_arena *a, struct ww_head *out);

/*
 * Feeds body bytes. Calls on_data for each run of payload (borrowed until it returns), without
 * the chunk framing. *out_used says how many of the bytes belong to this message. MORE or DONE
 * or BAD.
 */
WW_MUST enum ww_parse ww_http_body(struct ww_http *p, ww_str bytes,
                                   void (*on_data)(void *ctx, ww_str data), void *ctx,
                                   size_t *out_used);

/* The connection ended: whether that is a proper end of this message (WW_BODY_UNTIL_CLOSE). */
WW_MUST bool ww_http_finish(struct ww_http *p);

/* A few words on the last BAD; a static string. */
const char *ww_http_why(const struct ww_http *p);

/* Whether a field is meant for this connection only: the fixed list of RFC 9110 7.6.1, and what
 * the message's own Connection field names. */
bool ww_http_is_hop_by_hop(const struct ww_head *h, ww_str name);

/* The standard reason phrase, "" if there is none. */
const char *ww_http_reason(unsigned status);

#endif
