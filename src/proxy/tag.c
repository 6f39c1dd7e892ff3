/* Heads as they go out: what is taken away, what is added (RFC 9110 7.6). */
#include "proxy_private.h"

#include <inttypes.h>
#include <stdio.h>

#define ID_MAX 128

static void add_field(struct ww_buf *out, ww_str name, ww_str value)
{
    ww_buf_add(out, name);
    ww_buf_add(out, WW_STR(": "));
    ww_buf_add(out, value);
    ww_buf_add(out, WW_STR("\r\n"));
}

static bool is_one_of(ww_str name, const ww_str *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (ww_str_eq_nocase(name, list[i]))
            return true;
    return false;
}

/* Whether a client's id may be used in our headers and lines: visible ASCII, not too long. */
static bool is_sane_id(ww_str id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.ptr[i] < 0x21 || id.ptr[i] > 0x7e)
            return false;
    return id.len > 0 && id.len <= ID_MAX;
}

ww_str tag_request_id(struct ww_proxy *p, struct ww_exchange *x)
{
    ww_str sent = ww_fields_get(&x->request_fields, WW_STR("X-Request-ID"));

    if (is_sane_id(sent))
        return sent;
    return ww_arena_printf(&x->arena, "%08" PRIx32 "-%" PRIu64, p->run, x->id);
}

/* http://host/path becomes host and /path (RFC 9112 3.2.2): origins need not know
 * absolute-form. */
static ww_str split_target(ww_str target, ww_str *out_authority)
{
    *out_authority = (ww_str){ 0 };
    if (!ww_str_starts_nocase(target, WW_STR("http://")))
        return target;

    ww_str rest = ww_str_from(target, 7);
    size_t len = 0;

    while (len < rest.len && strchr("/?", rest.ptr[len]) == NULL)
        len++;
    *out_authority = ww_str_upto(rest, len);
    return ww_str_from(rest, len);
}

static void add_forwarded(const struct forward *f, ww_str host, struct ww_buf *out)
{
    const struct ww_fields *fields = &f->x->request_fields;

    ww_buf_add(out, WW_STR("X-Forwarded-For: "));
    for (size_t i = 0; i < fields->n; i++) {
        const struct ww_field *field = &fields->v[i];

        if (!ww_str_eq_nocase(field->name, WW_STR("X-Forwarded-For")) || field->value.len == 0)
            continue;
        ww_buf_add(out, field->value);
        ww_buf_add(out, WW_STR(", "));
    }
    /* RFC 7239 6.2: a client without an address is "unknown". */
    ww_buf_add(out, ww_str_starts(f->client->address, WW_STR("unix:")) ? WW_STR("unknown")
                                                                       : f->client->address);
    ww_buf_add(out, WW_STR("\r\n"));
    /* A TLS terminator in front of us knows better what the client asked for. */
    if (ww_fields_count(fields, WW_STR("X-Forwarded-Proto")) == 0)
        ww_buf_add(out, WW_STR("X-Forwarded-Proto: http\r\n"));
    if (ww_fields_count(fields, WW_STR("X-Forwarded-Host")) == 0 && host.len > 0)
        add_field(out, WW_STR("X-Forwarded-Host"), host);
}

static void add_upgrade(struct ww_buf *out, ww_str protocols)
{
    add_field(out, WW_STR("Upgrade"), protocols);
    ww_buf_add(out, WW_STR("Connection: Upgrade\r\n"));
}

void tag_request(const struct forward *f, struct ww_buf *out)
{
    /* Made anew below, or never believed from a client. Host is kept whatever Connection says.
     */
    static const ww_str replaced[] = {
        { "Host", 4 },          { "Content-Length", 14 },  { "X-Worker-PID", 12 },
        { "X-Request-ID", 12 }, { "X-Forwarded-For", 15 },
    };
    const struct ww_head *h = &f->request;
    ww_str authority;
    ww_str path = split_target(h->target, &authority);
    ww_str host = authority.ptr != NULL ? authority : ww_fields_get(&h->fields, WW_STR("Host"));

    ww_buf_clear(out);
    ww_buf_add(out, h->method);
    ww_buf_add_char(out, ' ');
    if (path.len == 0 || path.ptr[0] == '?')
        ww_buf_add_char(out, '/');
    ww_buf_add(out, path);
    ww_buf_add(out, WW_STR(" HTTP/1.1\r\n"));
    /* HTTP/1.1 needs a Host, and an HTTP/1.0 client may have sent none: an empty one is proper.
     */
    add_field(out, WW_STR("Host"), host);
    for (size_t i = 0; i < h->fields.n; i++) {
        const struct ww_field *field = &h->fields.v[i];

        if (!is_one_of(field->name, replaced, sizeof(replaced) / sizeof(replaced[0])) &&
            !ww_http_is_hop_by_hop(h, field->name))
            add_field(out, field->name, field->value);
    }
    if (h->framing == WW_BODY_CHUNKED)
        ww_buf_add(out, WW_STR("Transfer-Encoding: chunked\r\n"));
    else if (ww_fields_count(&h->fields, WW_STR("Content-Length")) > 0)
        ww_buf_printf(out, "Content-Length: %" PRIu64 "\r\n", h->content_length);
    add_forwarded(f, host, out);
    add_field(out, WW_STR("X-Request-ID"), f->x->request_id);
    if (f->upgrade.len > 0)
        add_upgrade(out, f->upgrade);
    else
        ww_buf_add(out, WW_STR("Connection: close\r\n"));
    ww_buf_add(out, WW_STR("\r\n"));
}

static void add_names(const struct forward *f, struct ww_buf *out)
{
    const struct ww_exchange *x = f->x;

    if (x->worker.pid != 0)
        ww_buf_printf(out, "X-Worker-PID: %" PRId32 "\r\n", x->worker.pid);
    else
        add_field(out, WW_STR("X-Worker-PID"), ww_str_c(ww_source_token(x->by)));
    add_field(out, WW_STR("X-Request-ID"), x->request_id);
}

/* The worker's name, the request's name, and whether the connection stays; then the empty line.
 */
void tag_common(const struct forward *f, struct ww_buf *out)
{
    add_names(f, out);
    if (f->close_after)
        ww_buf_add(out, WW_STR("Connection: close\r\n"));
    else if (f->request.minor == 0)
        ww_buf_add(out, WW_STR("Connection: keep-alive\r\n"));
    ww_buf_add(out, WW_STR("\r\n"));
}

/* Status line and fields, but what is meant for our connection only or is made anew. */
static void copy_response(const struct ww_head *h, struct ww_buf *out)
{
    static const ww_str replaced[] = { { "Content-Length", 14 },
                                       { "X-Worker-PID", 12 },
                                       { "X-Request-ID", 12 } };

    ww_buf_clear(out);
    ww_buf_printf(out, "HTTP/1.1 %u ", h->status);
    ww_buf_add(out, h->reason);
    ww_buf_add(out, WW_STR("\r\n"));
    for (size_t i = 0; i < h->fields.n; i++) {
        const struct ww_field *field = &h->fields.v[i];

        if (!is_one_of(field->name, replaced, sizeof(replaced) / sizeof(replaced[0])) &&
            !ww_http_is_hop_by_hop(h, field->name))
            add_field(out, field->name, field->value);
    }
}

void tag_switch(const struct forward *f, const struct ww_head *h, struct ww_buf *out)
{
    copy_response(h, out);
    add_names(f, out);
    add_upgrade(out, ww_fields_get(&h->fields, WW_STR("Upgrade")));
    ww_buf_add(out, WW_STR("\r\n"));
}

void tag_response(const struct forward *f, const struct ww_head *h, struct ww_buf *out)
{
    copy_response(h, out);
    if (h->status < 200) {
        ww_buf_add(out, WW_STR("\r\n"));
        return;
    }
    /* Also what a HEAD or a 304 says about the body that it does not have (RFC 9110 8.6). */
    if (f->out_body == WW_BODY_CHUNKED)
        ww_buf_add(out, WW_STR("Transfer-Encoding: chunked\r\n"));
    else if (h->status != 204 && ww_fields_count(&h->fields, WW_STR("Content-Length")) > 0)
        ww_buf_printf(out, "Content-Length: %" PRIu64 "\r\n", h->content_length);
    tag_common(f, out);
}
