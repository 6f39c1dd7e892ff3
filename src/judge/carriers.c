/* judge: finds session identities in fields, cookies, targets and answers. */
#include "carriers.h"

/* An answer that gives out an id is small. */
#define BODY_SEEN (64u << 10)
#define BODY_IDS  8

static void add(struct identities *out, enum rank rank, struct identity id)
{
    if (out->n < IDENTITIES_MAX && id.value.len > 0)
        out->v[out->n++] = (struct ranked_identity){ .id = id, .rank = rank };
}

static bool configured(const struct finder *f, enum ww_key_kind kind, ww_str name)
{
    for (size_t i = 0; i < f->cfg->carriers; i++) {
        const struct ww_carrier *c = &f->cfg->carrier[i];
        if (c->kind == kind && (kind == WW_KEY_HEADER ? ww_str_eq_nocase(c->name, name)
                                                      : ww_str_eq(c->name, name)))
            return true;
    }
    return false;
}

/* Adds nothing for a cookie that is no session. */
static void add_cookie(const struct finder *f, ww_str name, ww_str value,
                       struct identities *out)
{
    enum ww_cookie_kind kind = f->cookie(f->ctx, name, value);
    enum rank rank = kind == WW_COOKIE_WHO ? RANK_QUERY : RANK_COOKIE;

    if (configured(f, WW_KEY_COOKIE, name))
        rank = RANK_CONFIGURED;
    if (kind >= WW_COOKIE_WHO)
        add(out, rank, (struct identity){ SPACE_COOKIE, WW_KEY_COOKIE, name, value });
}

/* ---- where configured carriers look */

static ww_str cookie_value(const struct ww_exchange *x, ww_str want)
{
    for (size_t i = 0; i < x->request_fields.n; i++) {
        ww_str rest = x->request_fields.v[i].value, name, value;
        if (!ww_str_eq_nocase(x->request_fields.v[i].name, WW_STR("cookie")))
            continue;
        while (ww_cookie_next(&rest, &name, &value)) {
            if (ww_str_eq(name, want))
                return value;
        }
    }
    return (ww_str){ 0 };
}

/* Behind the first '?', up to a '#'. */
static ww_str query_part(ww_str target)
{
    ptrdiff_t at = ww_str_find(target, WW_STR("?"));
    ww_str query = at < 0 ? (ww_str){ 0 } : ww_str_from(target, (size_t)at + 1);
    ptrdiff_t hash = ww_str_find(query, WW_STR("#"));

    return hash < 0 ? query : ww_str_upto(query, (size_t)hash);
}

/* The value under want among name=value pairs. */
static ww_str pair_value(ww_str pairs, char sep, ww_str want)
{
    ww_str value, name;

    while (ww_str_cut(&pairs, sep, &value)) {
        if (ww_str_cut(&value, '=', &name) && ww_str_eq(name, want))
            return value;
    }
    return (ww_str){ 0 };
}

/* "/a;name=value/b": a parameter ends at the next segment. */
static ww_str path_value(ww_str path, ww_str want)
{
    ww_str segment, value = { 0 };

    while (value.ptr == NULL && ww_str_cut(&path, '/', &segment)) {
        value = pair_value(segment, ';', want);
    }
    return value;
}

ww_str ww_carrier_capture(const struct ww_carrier *c, ww_str text)
{
    ww_str whole, capture = { 0 };

    if (text.ptr == NULL || !ww_re_match(c->pattern, text, 0, &whole, &capture))
        return (ww_str){ 0 };
    return capture;
}

static ww_str pattern_value(const struct finder *f, size_t carrier, const struct ww_exchange *x)
{
    const struct ww_carrier *c = &f->cfg->carrier[carrier];
    ww_str value = { 0 };

    switch (c->of) {
    case WW_OF_TARGET:
        return ww_carrier_capture(c, x->target);
    case WW_OF_HEADER:
        return ww_carrier_capture(c, ww_fields_get(&x->request_fields, c->name));
    case WW_OF_COOKIE:
        value = cookie_value(x, c->name);
        break;
    }
    ww_str capture = ww_carrier_capture(c, value);
    return capture.len > 0 || value.ptr == NULL ? capture : f->captured(f->ctx, carrier, value);
}

static void add_configured(const struct finder *f, const struct ww_exchange *x,
                           struct identities *out)
{
    for (size_t i = 0; i < f->cfg->carriers; i++) {
        const struct ww_carrier *c = &f->cfg->carrier[i];
        struct identity id = { .kind = c->kind, .name = c->name };
        switch (c->kind) {
        case WW_KEY_COOKIE:
            id.space = SPACE_COOKIE;
            id.value = cookie_value(x, c->name);
            break;
        case WW_KEY_HEADER:
            id.space = SPACE_HEADER;
            id.value = ww_fields_get(&x->request_fields, c->name);
            break;
        case WW_KEY_QUERY:
            id.space = SPACE_QUERY;
            id.value = pair_value(query_part(x->target), '&', c->name);
            break;
        case WW_KEY_PATH:
            id.space = SPACE_CONFIGURED;
            id.value = path_value(ww_exchange_path(x), c->name);
            break;
        case WW_KEY_PATTERN:
            id.space = SPACE_CONFIGURED;
            id.value = pattern_value(f, i, x);
            break;
        case WW_KEY_AUTHORIZATION:
        case WW_KEY_CLIENT:
            break;
        }
        add(out, RANK_CONFIGURED, id);
    }
}

/* ---- what is known by itself */

static bool is_engine_io(ww_str target)
{
    return ww_str_find(target, WW_STR("EIO=")) >= 0;
}

/* Servlets and PHP put the id of their cookie into URLs for clients that keep none: it is the
 * same identity. */
static bool is_cookie_id(const struct ww_id *id)
{
    return ww_str_eq_nocase(id->name, WW_STR("jsessionid")) ||
           ww_str_eq_nocase(id->name, WW_STR("phpsessid"));
}

/* Other query fields may name a conversation, a class, a visit: unless it is Engine.IO's,
 * whoever has a cookie is known by that (`rank`). */
static void add_url_id(const struct ww_id *id, enum rank rank, struct identities *out)
{
    bool is_java = ww_str_eq_nocase(id->name, WW_STR("jsessionid"));
    struct identity one = { SPACE_QUERY, WW_KEY_QUERY, id->name, id->value };

    if (id->kind != WW_ID_SESSION)
        return;
    if (is_cookie_id(id)) {
        rank = RANK_COOKIE;
        one.space = SPACE_COOKIE;
        one.kind = is_java ? WW_KEY_PATH : WW_KEY_QUERY;
        one.name = is_java ? WW_STR("JSESSIONID") : WW_STR("PHPSESSID");
    }
    add(out, rank, one);
}

static void add_url_ids(ww_str text, enum rank rank, struct identities *out)
{
    struct ww_id id;

    for (size_t i = 0; i < BODY_IDS && ww_url_id_next(&text, &id); i++) {
        add_url_id(&id, rank, out);
    }
}

static void add_cookies(const struct finder *f, ww_str cookies, struct identities *out)
{
    ww_str name, value;

    while (ww_cookie_next(&cookies, &name, &value)) {
        add_cookie(f, name, value, out);
    }
}

static bool is_token_field(ww_str name)
{
    return ww_str_eq_nocase(name, WW_STR("x-auth-token")) ||
           ww_str_eq_nocase(name, WW_STR("x-access-token"));
}

ww_str ww_credential(ww_str authorization)
{
    ww_str rest = authorization, scheme;

    if (ww_str_cut(&rest, ' ', &scheme) && rest.ptr != NULL)
        return ww_str_trim(rest);
    return authorization;
}

void ww_carried(const struct finder *f, const struct ww_exchange *x, struct identities *out)
{
    out->n = 0;
    add_configured(f, x, out);
    add_url_ids(x->target, is_engine_io(x->target) ? RANK_FIELD : RANK_QUERY, out);
    for (size_t i = 0; i < x->request_fields.n; i++) {
        const struct ww_field *one = &x->request_fields.v[i];
        if (ww_str_eq_nocase(one->name, WW_STR("cookie"))) {
            add_cookies(f, one->value, out);
        } else if (ww_str_eq_nocase(one->name, WW_STR("authorization"))) {
            add(out, RANK_AUTHORIZATION,
                (struct identity){ SPACE_AUTHORIZATION, WW_KEY_AUTHORIZATION,
                                   WW_STR("Authorization"), one->value });
        } else if (is_token_field(one->name)) {
            add(out, RANK_AUTHORIZATION,
                (struct identity){ SPACE_AUTHORIZATION, WW_KEY_HEADER, one->name, one->value });
        } else if (ww_field_is_session(one->name)) {
            add(out, RANK_FIELD,
                (struct identity){ SPACE_HEADER, WW_KEY_HEADER, one->name, one->value });
        }
    }
}

/* ---- what a response gives out */

static void add_set_cookie(const struct finder *f, const struct ww_exchange *x, ww_str value,
                           struct identities *out)
{
    struct ww_set_cookie c;

    if (ww_set_cookie_parse(value, x->ended_us / 1000000, &c) && !c.cleared)
        add_cookie(f, c.name, c.value, out);
}

/* Whether somebody who asks so may want to be let in: an id in the answer is his, perhaps. */
static bool lets_in(const struct finder *f, const struct ww_exchange *x)
{
    return ww_str_eq(x->method, WW_STR("POST")) || ww_str_eq(x->method, WW_STR("PUT")) ||
           ww_smell_login(f->smell, ww_exchange_path(x));
}

/* Something that may be a session's id, or of somebody else, or of nobody: it counts when it
 * is used (pick_gift of session.c). No session begins with it. */
static void add_gift(ww_str value, enum ww_key_kind kind, struct identities *out)
{
    add(out, RANK_CLIENT, (struct identity){ SPACE_GIFT, kind, WW_STR(""), value });
}

static void add_json_ids(const struct ww_exchange *x, ww_str text, struct identities *out)
{
    bool engine_io = is_engine_io(x->target);
    struct ww_id id;

    for (size_t i = 0; i < BODY_IDS && ww_json_id_next(&text, &id); i++) {
        if (engine_io && id.kind == WW_ID_SESSION) {
            add(out, RANK_FIELD,
                (struct identity){ SPACE_QUERY, WW_KEY_QUERY, id.name, id.value });
        } else {
            add_gift(id.value, id.kind == WW_ID_TOKEN ? WW_KEY_AUTHORIZATION : WW_KEY_QUERY,
                     out);
        }
    }
}

static void add_body_ids(const struct finder *f, const struct ww_exchange *x,
                         struct identities *out)
{
    ww_str type = ww_fields_get(&x->response_fields, WW_STR("content-type"));
    ww_str text = ww_str_upto(x->response_body.bytes, BODY_SEEN);

    if (x->status / 100 != 2 || text.len == 0)
        return;
    if (ww_str_starts_nocase(type, WW_STR("text/event-stream"))) {
        add_url_ids(text, RANK_FIELD, out);
    } else if (is_engine_io(x->target) ||
               (ww_str_find_nocase(type, WW_STR("json")) >= 0 && lets_in(f, x))) {
        add_json_ids(x, text, out);
    }
}

/* MCP's is there for nothing else, and one that the request has is changed. Others may be new
 * in every answer, and nobody ever sends them. */
static void add_header(const struct finder *f, const struct ww_exchange *x,
                       const struct ww_field *one, struct identities *out)
{
    struct identity id = { SPACE_HEADER, WW_KEY_HEADER, one->name, one->value };

    if (configured(f, WW_KEY_HEADER, one->name)) {
        add(out, RANK_CONFIGURED, id);
    } else if (ww_str_eq_nocase(one->name, WW_STR("mcp-session-id")) ||
               (ww_field_is_session(one->name) &&
                ww_fields_get(&x->request_fields, one->name).len > 0)) {
        add(out, RANK_FIELD, id);
    } else if (ww_field_is_session(one->name)) {
        add_gift(one->value, WW_KEY_HEADER, out);
    }
}

/* "/cart;jsessionid=…" */
static void add_location(ww_str url, struct identities *out)
{
    struct ww_id id;

    for (size_t i = 0; i < BODY_IDS && ww_url_id_next(&url, &id); i++) {
        if (is_cookie_id(&id))
            add_url_id(&id, RANK_COOKIE, out);
        else
            add_gift(id.value, WW_KEY_QUERY, out);
    }
}

void ww_given(const struct finder *f, const struct ww_exchange *x, struct identities *out)
{
    out->n = 0;
    for (size_t i = 0; i < x->response_fields.n; i++) {
        const struct ww_field *one = &x->response_fields.v[i];
        if (ww_str_eq_nocase(one->name, WW_STR("set-cookie"))) {
            add_set_cookie(f, x, one->value, out);
        } else if (ww_str_eq_nocase(one->name, WW_STR("location"))) {
            add_location(one->value, out);
        } else {
            add_header(f, x, one, out);
        }
    }
    add_body_ids(f, x, out);
}
