/* Heads and bodies: our own strict scan, and llhttp as second reader. */
#include "chunk.h"

#include <whichworker/arena.h>
#include <whichworker/http.h>

#include <assert.h>
#include <llhttp.h>
#include <stdlib.h>

/*
 * Two readers see every head: scan_* below, which refuses what RFC 9112 lets a lenient
 * recipient mend, and llhttp. A head passes only if both accept it and agree on how the body is
 * framed: then no third reader behind us can be made to see another message. Chunks likewise:
 * chunk.c reads their framing, llhttp gives their data, and both must see the same end.
 */
struct ww_http {
    llhttp_t reader;
    llhttp_settings_t settings;
    bool is_response;
    bool no_body; /* the response answers a HEAD */
    bool complete;
    enum ww_framing framing;
    uint64_t left;        /* of WW_BODY_LENGTH */
    struct chunks chunks; /* of WW_BODY_CHUNKED */
    uint64_t max_trailer_bytes;
    const char *why;
    void (*on_data)(void *ctx, ww_str data); /* during ww_http_body */
    void *ctx;
};

/* RFC 9112 6.3: responses that have no body, whatever their fields say. */
static bool has_no_body(const struct ww_http *p, unsigned status)
{
    return p->no_body || (p->is_response && (status < 200 || status == 204 || status == 304));
}

static int on_headers_complete(llhttp_t *reader)
{
    /* llhttp would wait for the body that a 304's Content-Length speaks of; 1: there is none.
     */
    return has_no_body(reader->data, reader->status_code) ? 1 : 0;
}

static int on_body(llhttp_t *reader, const char *at, size_t len)
{
    const struct ww_http *p = reader->data;

    if (p->on_data != NULL)
        p->on_data(p->ctx, ww_str_n(at, len));
    return 0;
}

static int on_message_complete(llhttp_t *reader)
{
    struct ww_http *p = reader->data;

    p->complete = true;
    return HPE_PAUSED; /* what follows belongs to the next message */
}

struct ww_http *ww_http_new(bool is_response, uint64_t max_trailer_bytes)
{
    struct ww_http *p = ww_xcalloc(1, sizeof(*p));

    llhttp_settings_init(&p->settings);
    p->settings.on_headers_complete = on_headers_complete;
    p->settings.on_body = on_body;
    p->settings.on_message_complete = on_message_complete;
    llhttp_init(&p->reader, is_response ? HTTP_RESPONSE : HTTP_REQUEST, &p->settings);
    p->reader.data = p;
    p->is_response = is_response;
    p->max_trailer_bytes = max_trailer_bytes;
    p->why = "";
    return p;
}

void ww_http_free(struct ww_http *p)
{
    free(p);
}

const char *ww_http_why(const struct ww_http *p)
{
    return p->why;
}

size_t ww_http_head_end(ww_str bytes, size_t from)
{
    /* An empty line ends it, also one made of bare LFs: the scan then refuses it at once, where
     * waiting for a CR would hang until the time is up. */
    size_t at = from < 3 ? 0 : from - 3;

    while (at < bytes.len) {
        const char *lf = memchr(bytes.ptr + at, '\n', bytes.len - at);

        if (lf == NULL)
            return 0;
        at = (size_t)(lf - bytes.ptr) + 1;
        if (at < bytes.len && bytes.ptr[at] == '\n')
            return at + 1;
        if (at + 1 < bytes.len && bytes.ptr[at] == '\r' && bytes.ptr[at + 1] == '\n')
            return at + 2;
    }
    return 0;
}

static enum ww_parse bad(struct ww_http *p, const char *why)
{
    p->why = why;
    return WW_PARSE_BAD;
}

/* tchar (RFC 9110 5.6.2) */
static bool is_token_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool is_token(ww_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!is_token_char(s.ptr[i]))
            return false;
    return s.len > 0;
}

static bool has_control(ww_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* Takes one line without its CRLF; false for a line that ends otherwise (RFC 9112 2.2). */
static bool take_line(ww_str *rest, ww_str *out_line)
{
    if (!ww_str_cut(rest, '\n', out_line) || rest->ptr == NULL)
        return false;
    if (!ww_str_ends(*out_line, WW_STR("\r")))
        return false;
    out_line->len--;
    return !has_control(*out_line); /* a bare CR and NUL are control characters too */
}

/* "HTTP/1.0" or "HTTP/1.1" */
static bool scan_version(ww_str s, unsigned *out_minor)
{
    if (!ww_str_starts(s, WW_STR("HTTP/1.")) || s.len != 8 ||
        (s.ptr[7] != '0' && s.ptr[7] != '1'))
        return false;
    *out_minor = (unsigned)(s.ptr[7] - '0');
    return true;
}

/* method SP target SP version (RFC 9112 3): one space each, nothing else. */
static const char *scan_request_line(ww_str line, struct ww_head *h)
{
    ww_str rest = line;

    if (!ww_str_cut(&rest, ' ', &h->method) || !ww_str_cut(&rest, ' ', &h->target) ||
        rest.ptr == NULL)
        return "the request line is not: method, target, version";
    if (!is_token(h->method))
        return "the method is not a token";
    if (h->target.len == 0 || ww_str_find(h->target, WW_STR("\t")) >= 0)
        return "the target is empty or holds white space";
    if (!scan_version(rest, &h->minor))
        return "the version is neither HTTP/1.0 nor HTTP/1.1";
    return NULL;
}

/* version SP status [SP reason] (RFC 9112 4) */
static const char *scan_status_line(ww_str line, struct ww_head *h)
{
    ww_str rest = line;
    ww_str version;
    ww_str status;
    uint64_t code = 0;

    if (!ww_str_cut(&rest, ' ', &version) || !scan_version(version, &h->minor))
        return "the status line does not begin with HTTP/1.0 or HTTP/1.1";
    if (!ww_str_cut(&rest, ' ', &status) || status.len != 3 || !ww_str_u64(status, &code) ||
        code < 100 || code > 599)
        return "the status is not a number from 100 to 599";
    h->status = (unsigned)code;
    h->reason = rest.ptr == NULL ? WW_STR("") : rest;
    return NULL;
}

static enum ww_parse scan_fields(struct ww_http *p, ww_str rest, struct ww_arena *a,
                                 struct ww_fields *f)
{
    ww_str line;

    for (;;) {
        ww_str name;
        ww_str value;

        if (!take_line(&rest, &line))
            return bad(p, "a line does not end in CR LF, or holds a control character");
        if (line.len == 0)
            return rest.len == 0 ? WW_PARSE_MORE : bad(p, "bytes follow the head's empty line");
        value = line;
        if (!ww_str_cut(&value, ':', &name) || value.ptr == NULL || !is_token(name))
            return bad(p,
                       "a field line has no name and colon, is folded, or has a space before "
                       "the colon");
        if (!ww_fields_add(f, a, name, ww_str_trim(value)))
            return WW_PARSE_TOO_MANY;
    }
}

/* uri-host [":" port]: what can stand there, without its grammar (RFC 9110 7.2). */
static bool is_host(ww_str s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] == '\0' || strchr(" \t\"#/<>?@\\^`{|},", s.ptr[i]) != NULL)
            return false;
    return true;
}

/* http://host/path (RFC 9112 3.2.2): the host counts, and there must be one (RFC 9110 4.2.1).
 */
static bool has_bad_authority(ww_str target)
{
    ww_str rest = ww_str_from(target, strlen("http://"));
    size_t len = 0;

    if (!ww_str_starts_nocase(target, WW_STR("http://")))
        return false;
    while (len < rest.len && rest.ptr[len] != '/' && rest.ptr[len] != '?')
        len++;
    return len == 0 || !is_host(ww_str_upto(rest, len));
}

static const char *check_request(const struct ww_head *h)
{
    size_t hosts = ww_fields_count(&h->fields, WW_STR("Host"));

    if (hosts > 1 || (hosts == 0 && h->minor == 1))
        return "there is no Host field, or more than one";
    if (hosts == 1 && !is_host(ww_fields_get(&h->fields, WW_STR("Host"))))
        return "the Host field is not a host";
    if (has_bad_authority(h->target))
        return "the target's host is not a host";
    return NULL;
}

/* RFC 9112 6.1 to 6.3; what is ambiguous there is refused here, in both directions. */
static const char *find_framing(const struct ww_http *p, struct ww_head *h)
{
    size_t te = ww_fields_count(&h->fields, WW_STR("Transfer-Encoding"));
    size_t cl = ww_fields_count(&h->fields, WW_STR("Content-Length"));
    ww_str coding = ww_fields_get(&h->fields, WW_STR("Transfer-Encoding"));
    ww_str length = ww_fields_get(&h->fields, WW_STR("Content-Length"));

    if (te > 0 && cl > 0)
        return "it has both Transfer-Encoding and Content-Length";
    if (te > 1 || cl > 1)
        return "it has Transfer-Encoding or Content-Length twice";
    if (te == 1 && (h->minor == 0 || !ww_str_eq_nocase(coding, WW_STR("chunked"))))
        return "its Transfer-Encoding is not just chunked, or stands in HTTP/1.0";
    if (cl == 1 && !ww_str_u64(length, &h->content_length))
        return "its Content-Length is not a number below 10^19";

    if (has_no_body(p, h->status))
        h->framing = WW_BODY_NONE;
    else if (te == 1)
        h->framing = WW_BODY_CHUNKED;
    else if (cl == 1)
        h->framing = h->content_length > 0 ? WW_BODY_LENGTH : WW_BODY_NONE;
    else
        h->framing = p->is_response ? WW_BODY_UNTIL_CLOSE : WW_BODY_NONE;
    return NULL;
}

/*
 * llhttp reads the same head; it must accept it and see the same framing. It knows a list of
 * methods only, while any token is one (RFC 9110 9.1) and none changes the framing of a request:
 * it is given POST in the place of each but CONNECT, whose target is of a form of its own.
 */
static llhttp_errno_t read_again(struct ww_http *p, ww_str bytes, const struct ww_head *h)
{
    p->complete = false;
    p->on_data = NULL;
    llhttp_reset(&p->reader);
    if (!p->is_response && !ww_str_eq(h->method, WW_STR("CONNECT"))) {
        llhttp_errno_t e = llhttp_execute(&p->reader, "POST", 4);

        if (e != HPE_OK)
            return e;
        bytes = ww_str_from(bytes, h->method.len);
    }
    return llhttp_execute(&p->reader, bytes.ptr, bytes.len);
}

static const char *second_reader(struct ww_http *p, ww_str bytes, const struct ww_head *h)
{
    llhttp_errno_t e = read_again(p, bytes, h);

    if (e != HPE_OK && e != HPE_PAUSED && e != HPE_PAUSED_UPGRADE)
        return llhttp_get_error_reason(&p->reader);

    bool body_follows = h->framing != WW_BODY_NONE;

    /* An upgrade request without a body leaves llhttp at the end of the message. */
    if (p->complete == body_follows && e != HPE_PAUSED_UPGRADE)
        return "two readings of its framing differ";
    return NULL;
}

/* RFC 9112 9.3: close wins over everything. */
static bool is_kept_alive(const struct ww_head *h)
{
    if (ww_fields_has_token(&h->fields, WW_STR("Connection"), WW_STR("close")))
        return false;
    return h->minor == 1 ||
           ww_fields_has_token(&h->fields, WW_STR("Connection"), WW_STR("keep-alive"));
}

enum ww_parse ww_http_head(struct ww_http *p, ww_str bytes, bool no_body, struct ww_arena *a,
                           struct ww_head *out)
{
    struct ww_head h = { 0 };
    ww_str rest = bytes;
    ww_str line;

    p->no_body = no_body;
    p->why = "";
    if (!take_line(&rest, &line))
        return bad(p, "the first line does not end in CR LF, or holds a control character");

    const char *why = p->is_response ? scan_status_line(line, &h) : scan_request_line(line, &h);

    if (why != NULL)
        return bad(p, why);

    enum ww_parse fields = scan_fields(p, rest, a, &h.fields);

    if (fields != WW_PARSE_MORE)
        return fields;
    if (!p->is_response)
        why = check_request(&h);
    if (why == NULL)
        why = find_framing(p, &h);
    if (why == NULL)
        why = second_reader(p, bytes, &h);
    if (why != NULL)
        return bad(p, why);
    h.keep_alive = is_kept_alive(&h);
    p->framing = h.framing;
    p->left = h.content_length;
    chunks_begin(&p->chunks, p->max_trailer_bytes);
    *out = h;
    return h.framing == WW_BODY_NONE ? WW_PARSE_DONE : WW_PARSE_MORE;
}

static enum ww_parse chunked_body(struct ww_http *p, ww_str bytes, size_t *out_used)
{
    size_t used = 0;
    enum ww_parse parsed = chunks_scan(&p->chunks, bytes, &used);

    if (parsed == WW_PARSE_BAD)
        return bad(p, p->chunks.why);

    llhttp_errno_t e = llhttp_execute(&p->reader, bytes.ptr, used);

    if (e != HPE_OK && e != HPE_PAUSED)
        return bad(p, llhttp_get_error_reason(&p->reader));
    if (p->complete != (parsed == WW_PARSE_DONE))
        return bad(p, "two readings of its chunks differ");
    *out_used = used;
    return parsed;
}

enum ww_parse ww_http_body(struct ww_http *p, ww_str bytes,
                           void (*on_data)(void *ctx, ww_str data), void *ctx, size_t *out_used)
{
    assert(p->framing != WW_BODY_NONE);
    if (p->framing == WW_BODY_CHUNKED) {
        p->on_data = on_data;
        p->ctx = ctx;
        return chunked_body(p, bytes, out_used);
    }

    ww_str data = bytes;

    if (p->framing == WW_BODY_LENGTH) {
        data = ww_str_upto(bytes, p->left > SIZE_MAX ? SIZE_MAX : (size_t)p->left);
        p->left -= data.len;
    }
    if (data.len > 0)
        on_data(ctx, data);
    *out_used = data.len;
    return p->framing == WW_BODY_LENGTH && p->left == 0 ? WW_PARSE_DONE : WW_PARSE_MORE;
}

bool ww_http_finish(struct ww_http *p)
{
    return p->framing == WW_BODY_UNTIL_CLOSE;
}

static bool named_by_connection(const struct ww_head *h, ww_str name)
{
    return ww_fields_has_token(&h->fields, WW_STR("Connection"), name);
}

bool ww_http_is_hop_by_hop(const struct ww_head *h, ww_str name)
{
    static const char *const fixed[] = { "Connection", "Keep-Alive",        "Proxy-Connection",
                                         "TE",         "Transfer-Encoding", "Upgrade" };

    for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++)
        if (ww_str_eq_nocase(name, ww_str_c(fixed[i])))
            return true;
    return named_by_connection(h, name);
}
