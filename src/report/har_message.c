/* The request and the response of a HAR entry: URL, fields, cookies, bodies. */
#include "har.h"

#include <stdlib.h>

#define MAX_DECODED (16U << 20) /* bytes of a body with its content coding undone */
#define MAC_DIGITS  24

/* ---- the URL */

/* What may stand in a path or a query as it is (RFC 3986 3.3, 3.4); '%' is looked at apart. */
static bool stays_in_url(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c != '\0' && strchr("-._~!$&'()*+,;=:@/?", c) != NULL);
}

static bool is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static void add_url(struct ww_buf *out, ww_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        bool is_escape =
            s.ptr[i] == '%' && i + 2 < s.len && is_hex(s.ptr[i + 1]) && is_hex(s.ptr[i + 2]);

        if (stays_in_url(s.ptr[i]) || is_escape)
            ww_buf_add_char(out, s.ptr[i]);
        else
            ww_buf_printf(out, "%%%02X", (unsigned)(unsigned char)s.ptr[i]);
    }
}

static bool is_port(ww_str s)
{
    uint64_t number;

    return ww_str_u64(s, &number) && number < 65536;
}

static bool is_name(ww_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];

        if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
            c != '-' && c != '.' && c != '_')
            return false;
    }
    return s.len > 0;
}

static bool is_v6(ww_str s)
{
    for (size_t i = 0; i < s.len; i++) {
        if (!is_hex(s.ptr[i]) && s.ptr[i] != ':' && s.ptr[i] != '.')
            return false;
    }
    return s.len > 1;
}

/* "name", "name:80", "[::1]", "[::1]:80". */
static bool is_authority(ww_str s)
{
    ww_str rest = s, host;

    if (s.len == 0 || s.len > 300)
        return false;
    if (s.ptr[0] != '[') {
        ww_str_cut(&rest, ':', &host);
        return is_name(host) && (rest.ptr == NULL || is_port(rest));
    }
    rest = ww_str_from(s, 1);
    ww_str_cut(&rest, ']', &host);
    return is_v6(host) && rest.ptr != NULL &&
           (rest.len == 0 || (rest.ptr[0] == ':' && is_port(ww_str_from(rest, 1))));
}

/* Takes "http://authority" from the front of a target in absolute form (RFC 9112 3.2.2), if it
 * is one that can be believed. */
static bool cut_origin(ww_str *target, ww_str *out_origin)
{
    static const char *const schemes[] = { "http://", "https://" };

    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        size_t from = strlen(schemes[i]), to = from;

        if (!ww_str_starts_nocase(*target, ww_str_c(schemes[i])))
            continue;
        while (to < target->len && target->ptr[to] != '/' && target->ptr[to] != '?')
            to++;
        if (!is_authority(ww_str_n(target->ptr + from, to - from)))
            return false;
        *out_origin = ww_str_upto(*target, to);
        *target = ww_str_from(*target, to);
        return true;
    }
    return false;
}

static void put_url(struct ww_json *j, const struct ww_exchange *x, ww_str upstream)
{
    ww_str host = ww_fields_get(&x->request_fields, WW_STR("Host"));
    ww_str target = x->target, origin;
    struct ww_buf b;

    ww_buf_init(&b, SIZE_MAX);
    if (cut_origin(&target, &origin)) {
        ww_buf_add(&b, origin);
    } else {
        ww_buf_add_c(&b, "http://");
        ww_buf_add(&b, is_authority(host)       ? host
                       : is_authority(upstream) ? upstream
                                                : WW_STR("unknown.invalid"));
    }
    if (!ww_str_starts(target, WW_STR("/")))
        ww_buf_add_char(&b, '/');
    add_url(&b, target);
    ww_json_str(j, "url", ww_buf_str(&b));
    ww_buf_release(&b);
}

static void put_query(struct ww_json *j, ww_str target)
{
    ptrdiff_t at = ww_str_find(target, WW_STR("?"));
    ww_str rest = at < 0 ? (ww_str){ 0 } : ww_str_from(target, (size_t)at + 1);
    ww_str pair;

    ww_json_arr(j, "queryString");
    while (ww_str_cut(&rest, '&', &pair)) {
        ww_str value = pair, name;

        if (pair.len == 0)
            continue;
        ww_str_cut(&value, '=', &name);
        ww_json_obj(j, NULL);
        ww_json_str(j, "name", name);
        ww_json_str(j, "value", value.ptr == NULL ? WW_STR("") : value);
        ww_json_end(j);
    }
    ww_json_end(j);
}

/* ---- fields and cookies */

/* Whether a keyed hash stands in place of a secret: "mac:" and 24 hex digits. */
static bool is_redacted(ww_str value)
{
    for (;;) {
        ptrdiff_t at = ww_str_find(value, WW_STR("mac:"));
        size_t digits = 0;

        if (at < 0)
            return false;
        value = ww_str_from(value, (size_t)at + 4);
        while (digits < value.len && is_hex(value.ptr[digits]))
            digits++;
        if (digits == MAC_DIGITS)
            return true;
    }
}

static void put_name_value(struct ww_json *j, ww_str name, ww_str value)
{
    ww_json_str(j, "name", name);
    ww_json_str(j, "value", value);
    if (is_redacted(value))
        ww_json_str(
            j, "comment",
            WW_STR("redacted: a keyed hash, the same for the same value in this recording"));
}

static void put_headers(struct ww_json *j, const struct ww_fields *fields)
{
    ww_json_arr(j, "headers");
    for (size_t i = 0; i < fields->n; i++) {
        ww_json_obj(j, NULL);
        put_name_value(j, fields->v[i].name, fields->v[i].value);
        ww_json_end(j);
    }
    ww_json_end(j);
}

static void put_request_cookies(struct ww_json *j, const struct ww_fields *fields)
{
    ww_json_arr(j, "cookies");
    for (size_t i = 0; i < fields->n; i++) {
        ww_str rest = fields->v[i].value, name, value;

        if (!ww_str_eq_nocase(fields->v[i].name, WW_STR("Cookie")))
            continue;
        while (ww_cookie_next(&rest, &name, &value)) {
            ww_json_obj(j, NULL);
            put_name_value(j, name, value);
            ww_json_end(j);
        }
    }
    ww_json_end(j);
}

static void put_cookie_attributes(struct ww_json *j, const struct ww_set_cookie *c)
{
    ww_str rest = c->attributes, piece, name;
    ww_str path = { 0 }, domain = { 0 };
    bool secure = false;

    while (ww_str_cut(&rest, ';', &piece)) {
        ww_str value = piece;

        ww_str_cut(&value, '=', &name);
        name = ww_str_trim(name);
        if (ww_str_eq_nocase(name, WW_STR("Path")))
            path = ww_str_trim(value);
        else if (ww_str_eq_nocase(name, WW_STR("Domain")))
            domain = ww_str_trim(value);
        secure = secure || ww_str_eq_nocase(name, WW_STR("Secure"));
    }
    if (path.len > 0)
        ww_json_str(j, "path", path);
    if (domain.len > 0)
        ww_json_str(j, "domain", domain);
    ww_json_bool(j, "httpOnly", c->http_only);
    ww_json_bool(j, "secure", secure);
}

static void put_response_cookies(struct ww_json *j, const struct ww_exchange *x)
{
    const struct ww_fields *fields = &x->response_fields;

    ww_json_arr(j, "cookies");
    for (size_t i = 0; i < fields->n; i++) {
        struct ww_set_cookie c = { 0 };

        if (!ww_str_eq_nocase(fields->v[i].name, WW_STR("Set-Cookie")) ||
            !ww_set_cookie_parse(fields->v[i].value, x->answered_us / 1000000, &c))
            continue;
        ww_json_obj(j, NULL);
        put_name_value(j, c.name, c.value);
        put_cookie_attributes(j, &c);
        ww_json_end(j);
    }
    ww_json_end(j);
}

/* ---- bodies */

/* What an editor would show: UTF-8, and no controls but those that lay out text. */
static bool is_text(ww_str s)
{
    for (size_t i = 0; i < s.len;) {
        unsigned char c = (unsigned char)s.ptr[i];
        size_t n = ww_utf8_len(ww_str_from(s, i));

        if (n == 0 || c == 0x7f || (c < 0x20 && c != '\t' && c != '\n' && c != '\r'))
            return false;
        i += n;
    }
    return true;
}

static void put_base64(struct ww_json *j, const char *key, ww_str s)
{
    static const char digit[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t len = (s.len + 2) / 3 * 4;
    char *text = ww_xmalloc(len + 1), *p = text;

    for (size_t i = 0; i < s.len; i += 3) {
        size_t left = s.len - i;
        uint32_t v = (uint32_t)(unsigned char)s.ptr[i] << 16 |
                     (left > 1 ? (uint32_t)(unsigned char)s.ptr[i + 1] << 8 : 0) |
                     (left > 2 ? (uint32_t)(unsigned char)s.ptr[i + 2] : 0);

        *p++ = digit[v >> 18];
        *p++ = digit[v >> 12 & 63];
        *p++ = left > 1 ? digit[v >> 6 & 63] : '=';
        *p++ = left > 2 ? digit[v & 63] : '=';
    }
    ww_json_str(j, key, ww_str_n(text, len));
    free(text);
}

/* HAR has `encoding` for responses only; for a request it is a field of our own. */
static void put_text(struct ww_json *j, ww_str s, const char *encoding_key)
{
    if (is_text(s)) {
        ww_json_str(j, "text", s);
        return;
    }
    put_base64(j, "text", s);
    ww_json_str(j, encoding_key, WW_STR("base64"));
}

static ww_str mime_of(const struct ww_fields *fields)
{
    ww_str type = ww_fields_get(fields, WW_STR("Content-Type"));

    return type.len > 0 ? type : WW_STR("x-unknown");
}

static void put_cut(struct ww_json *j, const struct ww_body *b)
{
    char text[96];

    if (b->bytes.len >= b->size)
        return;
    snprintf(text, sizeof(text), "cut: %zu of %llu bytes were recorded", b->bytes.len,
             (unsigned long long)b->size);
    ww_json_bool(j, "_truncated", true);
    ww_json_str(j, "comment", ww_str_c(text));
}

static void put_post_data(struct ww_json *j, const struct ww_exchange *x)
{
    const struct ww_body *b = &x->request_body;

    if (b->size == 0)
        return;
    ww_json_obj(j, "postData");
    ww_json_str(j, "mimeType", mime_of(&x->request_fields));
    put_text(j, b->bytes.ptr == NULL ? WW_STR("") : b->bytes, "_encoding");
    put_cut(j, b);
    ww_json_end(j);
}

static void put_content(struct ww_json *j, const struct ww_exchange *x)
{
    const struct ww_body *b = &x->response_body;
    ww_str coding = ww_fields_get(&x->response_fields, WW_STR("Content-Encoding"));
    ww_str bytes = b->bytes.ptr == NULL ? WW_STR("") : b->bytes;
    uint64_t size = b->size;
    struct ww_buf decoded;

    ww_buf_init(&decoded, MAX_DECODED);
    enum ww_decoded r = coding.len > 0 && bytes.len > 0
                            ? ww_content_decode(coding, bytes, &decoded)
                            : WW_DECODED;
    if (decoded.len > 0 && r != WW_DECODED_NOT) {
        bytes = ww_buf_str(&decoded);
        size = r == WW_DECODED && b->bytes.len == b->size ? bytes.len : size;
    }
    ww_json_obj(j, "content");
    ww_json_int(j, "size", (int64_t)size);
    if (size > b->size)
        ww_json_int(j, "compression", (int64_t)(size - b->size));
    ww_json_str(j, "mimeType", mime_of(&x->response_fields));
    if (b->size > 0)
        put_text(j, bytes, "encoding");
    if (b->bytes.len < b->size) {
        put_cut(j, b);
    } else if (r != WW_DECODED) {
        ww_json_bool(j, "_truncated", r == WW_DECODED_CUT);
        ww_json_str(j, "comment",
                    r == WW_DECODED_CUT
                        ? WW_STR("the content coding ends too early, or unpacks to "
                                 "more than 16M")
                        : WW_STR("as it was sent: its content coding is not known"));
    }
    ww_json_end(j);
    ww_buf_release(&decoded);
}

/* ---- the two messages */

void ww_har_request(struct ww_json *j, const struct ww_exchange *x, ww_str upstream)
{
    char version[16];

    snprintf(version, sizeof(version), "HTTP/1.%u", x->request_minor);
    ww_json_obj(j, "request");
    ww_json_str(j, "method", x->method.ptr == NULL ? WW_STR("") : x->method);
    put_url(j, x, upstream);
    ww_json_str(j, "httpVersion", ww_str_c(version));
    put_request_cookies(j, &x->request_fields);
    put_headers(j, &x->request_fields);
    put_query(j, x->target);
    put_post_data(j, x);
    ww_json_int(j, "headersSize", -1);
    ww_json_int(j, "bodySize", (int64_t)x->request_body.size);
    ww_json_end(j);
}

void ww_har_response(struct ww_json *j, const struct ww_exchange *x)
{
    ww_str location = ww_fields_get(&x->response_fields, WW_STR("Location"));

    ww_json_obj(j, "response");
    ww_json_int(j, "status", x->status);
    ww_json_str(j, "statusText", ww_str_c(ww_http_reason(x->status)));
    ww_json_str(j, "httpVersion", WW_STR("HTTP/1.1"));
    put_response_cookies(j, x);
    put_headers(j, &x->response_fields);
    put_content(j, x);
    ww_json_str(j, "redirectURL", location.ptr == NULL ? WW_STR("") : location);
    ww_json_int(j, "headersSize", -1);
    ww_json_int(j, "bodySize", (int64_t)x->response_body.size);
    ww_json_end(j);
}
