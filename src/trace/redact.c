/* trace: turns the secrets in an exchange's fields into keyed hashes, and reads what cookies
 * say. */
#include "redact.h"

#define MASK_PREFIX "mac:"
#define MASK_BYTES  (sizeof(MASK_PREFIX) - 1 + WW_MAC_TEXT - 1)

/* Of one exchange. A cookie that can be read may unpack to 64 KiB, so a peer must not be able
 * to ask for that as often as it likes. */
#define MAX_PAYLOADS      16
#define MAX_PAYLOAD_LOOKS 64
#define USEC_PER_SEC      1000000

/* A field value that is being written; there is always room (see begin). */
struct text {
    char *ptr;
    size_t len;
};

static void put(struct text *t, ww_str s)
{
    if (s.len > 0)
        memcpy(t->ptr + t->len, s.ptr, s.len);
    t->len += s.len;
}

/* Room for value once each of its pieces (see sep) has become a mask. */
static struct text begin(struct redaction *r, ww_str value, char sep)
{
    size_t pieces = 1;

    for (size_t i = 0; i < value.len; i++)
        pieces += value.ptr[i] == sep;
    /* 2: the space behind a separator, and a separator of ours behind a scheme. */
    return (struct text){ .ptr = ww_arena_alloc(&r->x->arena,
                                                value.len + pieces * (MASK_BYTES + 2) + 1) };
}

static ww_str finish(const struct text *t)
{
    return ww_str_n(t->ptr, t->len);
}

/* The secret itself: the same whether a client sends a cookie's quotes back or not. */
static ww_str bare(ww_str value)
{
    value = ww_str_trim(value);
    if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
        return ww_str_n(value.ptr + 1, value.len - 2);
    return value;
}

/* Returns the mask as it was written, or what is empty as it was. */
static ww_str put_mask(struct redaction *r, struct text *t, ww_str secret)
{
    char mac[WW_MAC_TEXT];
    size_t from = t->len;

    secret = bare(secret);
    if (secret.len > 0) {
        ww_mac(r->key, secret, mac);
        put(t, WW_STR(MASK_PREFIX));
        put(t, ww_str_n(mac, WW_MAC_TEXT - 1));
    }
    return ww_str_n(t->ptr + from, t->len - from);
}

/* A name for what was signed: without the signature, but hidden as the value is. */
static ww_str name_content(struct redaction *r, ww_str content)
{
    char mac[WW_MAC_TEXT];

    if (r->key == NULL)
        return ww_arena_dup(&r->x->arena, content);
    ww_mac(r->key, content, mac);
    return ww_arena_printf(&r->x->arena, "%s%s", MASK_PREFIX, mac);
}

void ww_redact_payload(struct redaction *r, ww_str secret, ww_str as_kept)
{
    struct ww_exchange *x = r->x;
    struct ww_payload p = { 0 };

    secret = bare(secret);
    if (secret.len == 0 || x->payloads == MAX_PAYLOADS || r->looks == MAX_PAYLOAD_LOOKS)
        return;
    /* Every form that can be read has its parts behind one of these. */
    if (memchr(secret.ptr, '.', secret.len) == NULL &&
        memchr(secret.ptr, ':', secret.len) == NULL)
        return;
    r->looks++;
    struct ww_readable read;
    if (!ww_cookie_payload(secret, &x->arena, &read))
        return;
    /* What it stood in may be gone before the exchange is: an unpacked body. */
    p.value = ww_arena_dup(&x->arena, as_kept);
    p.form = read.form;
    p.json = read.json;
    if (read.content.len > 0)
        p.content = name_content(r, read.content);
    if (x->payload == NULL)
        x->payload = ww_arena_try(&x->arena, MAX_PAYLOADS * sizeof(*x->payload));
    if (x->payload != NULL)
        x->payload[x->payloads++] = p;
}

/* ---- Cookie: "a=1; b=2" */

static void put_cookie_pair(struct redaction *r, struct text *t, ww_str piece)
{
    ww_str rest = piece;
    ww_str name, value;

    if (memchr(piece.ptr, '=', piece.len) == NULL || !ww_cookie_next(&rest, &name, &value)) {
        put_mask(r, t, piece);
        return;
    }
    put(t, name);
    put(t, WW_STR("="));
    ww_redact_payload(r, value, put_mask(r, t, value));
}

static ww_str mask_cookie(struct redaction *r, ww_str value)
{
    struct text t = begin(r, value, ';');
    ww_str rest = value;
    ww_str piece;

    while (ww_str_cut(&rest, ';', &piece)) {
        piece = ww_str_trim(piece);
        if (piece.len == 0)
            continue;
        if (t.len > 0)
            put(&t, WW_STR("; "));
        put_cookie_pair(r, &t, piece);
    }
    return finish(&t);
}

static void read_cookie(struct redaction *r, ww_str value)
{
    ww_str name, one;

    while (ww_cookie_next(&value, &name, &one))
        ww_redact_payload(r, one, one);
}

/* ---- Set-Cookie: "a=1; Path=/; HttpOnly" */

static const ww_str attributes[] = {
    { "Expires", 7 },  { "Max-Age", 7 },  { "Domain", 6 },   { "Path", 4 },
    { "Secure", 6 },   { "HttpOnly", 8 }, { "SameSite", 8 }, { "Partitioned", 11 },
    { "Priority", 8 }, { "Version", 7 },  { "Comment", 7 },
};

/*
 * Whether a piece behind the first ';' is an attribute and nothing else. A value with a ';' in
 * quotes, or several cookies folded into one line, leave pieces of a secret where attributes
 * stand.
 */
static bool is_attribute(ww_str piece)
{
    ww_str value = piece;
    ww_str name;

    ww_str_cut(&value, '=', &name);
    if (value.ptr != NULL && value.len > 0 &&
        (memchr(value.ptr, '=', value.len) != NULL ||
         memchr(value.ptr, '"', value.len) != NULL))
        return false;
    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
        if (ww_str_eq_nocase(ww_str_trim(name), attributes[i]))
            return true;
    }
    return false;
}

static void put_attributes(struct redaction *r, struct text *t, ww_str rest)
{
    ww_str piece;

    while (ww_str_cut(&rest, ';', &piece)) {
        piece = ww_str_trim(piece);
        if (piece.len == 0)
            continue;
        put(t, WW_STR("; "));
        if (is_attribute(piece)) {
            put(t, piece);
        } else {
            put_mask(r, t, piece);
        }
    }
}

static ww_str mask_set_cookie(struct redaction *r, ww_str value)
{
    struct text t = begin(r, value, ';');
    struct ww_set_cookie c = { 0 };
    ww_str pair;
    ww_str rest = value;

    ww_str_cut(&rest, ';', &pair);
    if (memchr(pair.ptr, '=', pair.len) == NULL ||
        !ww_set_cookie_parse(value, r->x->answered_us / USEC_PER_SEC, &c)) {
        put_mask(r, &t, value);
        return finish(&t);
    }
    put(&t, c.name);
    put(&t, WW_STR("="));
    ww_redact_payload(r, c.value, put_mask(r, &t, c.value));
    put_attributes(r, &t, rest);
    return finish(&t);
}

static void read_set_cookie(struct redaction *r, ww_str value)
{
    struct ww_set_cookie c = { 0 };

    if (ww_set_cookie_parse(value, r->x->answered_us / USEC_PER_SEC, &c))
        ww_redact_payload(r, c.value, c.value);
}

/* ---- Authorization: "Basic dXNlcjpw" */

/* A first word that is none of these may be the secret. */
static const ww_str schemes[] = {
    { "Basic", 5 },
    { "Bearer", 6 },
    { "Digest", 6 },
    { "Negotiate", 9 },
    { "NTLM", 4 },
    { "Token", 5 },
    { "JWT", 3 },
    { "ApiKey", 6 },
    { "DPoP", 4 },
    { "Hawk", 4 },
    { "HOBA", 4 },
    { "Mutual", 6 },
    { "OAuth", 5 },
    { "GNAP", 4 },
    { "PrivateToken", 12 },
    { "vapid", 5 },
    { "SCRAM-SHA-1", 11 },
    { "SCRAM-SHA-256", 13 },
    { "AWS4-HMAC-SHA256", 16 },
};

static bool is_scheme(ww_str word)
{
    for (size_t i = 0; i < sizeof(schemes) / sizeof(schemes[0]); i++) {
        if (ww_str_eq_nocase(word, schemes[i]))
            return true;
    }
    return false;
}

static ww_str mask_whole(struct redaction *r, ww_str value)
{
    struct text t = begin(r, value, '\n');

    ww_redact_payload(r, value, put_mask(r, &t, value));
    return finish(&t);
}

static void read_whole(struct redaction *r, ww_str value)
{
    ww_redact_payload(r, ww_str_trim(value), ww_str_trim(value));
}

ww_str ww_redact_mask(struct redaction *r, ww_str secret)
{
    struct text t = begin(r, secret, '\n');

    put_mask(r, &t, secret);
    return finish(&t);
}

static ww_str mask_credentials(struct redaction *r, ww_str value)
{
    ww_str rest = ww_str_trim(value);
    ww_str scheme;

    ww_str_cut(&rest, ' ', &scheme);
    if (rest.ptr == NULL || !is_scheme(scheme))
        return mask_whole(r, value);
    struct text t = begin(r, value, '\n');
    put(&t, scheme);
    put(&t, WW_STR(" "));
    ww_redact_payload(r, rest, put_mask(r, &t, rest));
    return finish(&t);
}

/* A bearer token is often a JWT (RFC 6750, RFC 7519). */
static void read_credentials(struct redaction *r, ww_str value)
{
    ww_str rest = ww_str_trim(value);
    ww_str scheme;

    ww_str_cut(&rest, ' ', &scheme);
    rest = rest.ptr != NULL && is_scheme(scheme) ? ww_str_trim(rest) : ww_str_trim(value);
    ww_redact_payload(r, rest, rest);
}

/* ---- which fields */

static const struct secret_field {
    ww_str name;
    ww_str (*mask)(struct redaction *r, ww_str value);
    void (*read)(struct redaction *r, ww_str value); /* without a key; NULL: nothing to read */
} secret_fields[] = {
    { .name = { "Cookie", 6 }, .mask = mask_cookie, .read = read_cookie },
    { .name = { "Set-Cookie", 10 }, .mask = mask_set_cookie, .read = read_set_cookie },
    { .name = { "Authorization", 13 }, .mask = mask_credentials, .read = read_credentials },
    { .name = { "Proxy-Authorization", 19 }, .mask = mask_credentials },
    { .name = { "X-Api-Key", 9 }, .mask = mask_whole },
    { .name = { "X-Auth-Token", 12 }, .mask = mask_whole, .read = read_whole },
    { .name = { "X-Access-Token", 14 }, .mask = mask_whole, .read = read_whole },
    { .name = { "Location", 8 }, .mask = ww_redact_url },
    { .name = { "Content-Location", 16 }, .mask = ww_redact_url },
    { .name = { "Referer", 7 }, .mask = ww_redact_url },
    { .name = { "Link", 4 }, .mask = ww_redact_url },
    { .name = { "Refresh", 7 }, .mask = ww_redact_url },
};

/* Mcp-Session-Id, X-Session-ID and their like. */
static const struct secret_field session_field = { .mask = mask_whole, .read = read_whole };

static const struct secret_field *secret_field_find(ww_str name)
{
    for (size_t i = 0; i < sizeof(secret_fields) / sizeof(secret_fields[0]); i++) {
        if (ww_str_eq_nocase(name, secret_fields[i].name))
            return &secret_fields[i];
    }
    return ww_field_is_session(name) ? &session_field : NULL;
}

static void redact_fields(struct redaction *r, struct ww_fields *fields)
{
    for (size_t i = 0; i < fields->n; i++) {
        struct ww_field *f = &fields->v[i];
        const struct secret_field *s = secret_field_find(f->name);
        if (s == NULL || f->value.len == 0)
            continue;
        if (r->key != NULL) {
            f->value = s->mask(r, f->value);
        } else if (s->read != NULL) {
            s->read(r, f->value);
        }
    }
}

void ww_exchange_redact(struct ww_exchange *x, const struct ww_mac_key *key)
{
    struct redaction r = { .x = x, .key = key };
    size_t limit = x->arena.limit;

    /* A secret must not stay because the arena is full, and a mask that hashed nothing would
     * make different secrets equal. What masks add is bounded all the same: by the head that
     * they were parsed from (two bytes, "a;", become thirty), and by MAX_PAYLOADS. */
    x->arena.limit = SIZE_MAX;
    redact_fields(&r, &x->request_fields);
    redact_fields(&r, &x->response_fields);
    if (key != NULL)
        x->target = ww_redact_url(&r, x->target);
    ww_redact_body(&r, &x->request_fields, &x->request_body);
    ww_redact_body(&r, &x->response_fields, &x->response_body);
    x->arena.limit = limit > x->arena.used ? limit : x->arena.used;
}
