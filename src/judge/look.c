/* judge: an exchange as the rules read it: resource, route, view, values carried, cookies. */
#include "look.h"

#include <stdlib.h>

/* What is known of a request field's name. */
enum { FIELD_KNOWN = 1, FIELD_IDLE = 2, FIELD_ACTOR = 4 };

/* ---- texts */

void ww_add2(struct ww_buf *out, const char *before, ww_str text)
{
    ww_buf_add_c(out, before);
    ww_buf_add(out, text);
}

struct ww_buf *ww_scratch(struct model *m)
{
    ww_buf_clear(&m->scratch);
    return &m->scratch;
}

uint32_t ww_scratch_word(struct model *m)
{
    return ww_word(&m->normal, ww_buf_str(&m->scratch));
}

ww_str ww_text_kept(struct model *m, ww_str text, uint32_t word)
{
    ww_str known = ww_word_text(&m->normal, word);

    return ww_str_eq(text, known) ? known : ww_arena_dup(&m->arena, text);
}

ww_str ww_query_of(ww_str target)
{
    ptrdiff_t at = ww_str_find(target, WW_STR("?"));
    ww_str query = at < 0 ? (ww_str){ 0 } : ww_str_from(target, (size_t)at + 1);
    ptrdiff_t hash = ww_str_find(query, WW_STR("#"));

    return hash < 0 ? query : ww_str_upto(query, (size_t)hash);
}

/* "http://host/login?next=/a" to "/login?next=/a". */
ww_str ww_without_origin(ww_str location)
{
    ptrdiff_t scheme = ww_str_find(location, WW_STR("://"));

    if (scheme < 0)
        return location;
    location = ww_str_from(location, (size_t)scheme + 3);
    ptrdiff_t slash = ww_str_find(location, WW_STR("/"));
    return slash < 0 ? WW_STR("/") : ww_str_from(location, (size_t)slash);
}

/* ---- routes and resources */

/* "t" is one in Engine.IO only. */
static bool is_cache_buster(ww_str name, bool engine_io)
{
    return ww_str_eq(name, WW_STR("_")) || ww_str_eq(name, WW_STR("cb")) ||
           ww_str_eq(name, WW_STR("nocache")) || ww_str_eq(name, WW_STR("ts")) ||
           (engine_io && ww_str_eq(name, WW_STR("t")));
}

static void add_query(struct ww_buf *out, ww_str query)
{
    bool engine_io = ww_str_find(query, WW_STR("EIO=")) >= 0;
    char before = '?';
    ww_str pair, name;

    while (ww_str_cut(&query, '&', &pair)) {
        ww_str rest = pair;
        if (pair.len == 0 ||
            (ww_str_cut(&rest, '=', &name) && is_cache_buster(name, engine_io)))
            continue;
        ww_buf_add_char(out, before);
        ww_buf_add(out, pair);
        before = '&';
    }
}

static void add_template(const struct model *m, struct ww_buf *out, ww_str path)
{
    ww_str segment;
    bool first = true;

    while (ww_str_cut(&path, '/', &segment)) {
        if (!first)
            ww_buf_add_char(out, '/');
        ww_buf_add(out, ww_smell_id(m->normal.smell, segment) ? WW_STR("{id}") : segment);
        first = false;
    }
}

static void add_other_cookies(const struct model *m, struct ww_buf *out, ww_str cookies)
{
    ww_str name, value;

    while (ww_cookie_next(&cookies, &name, &value)) {
        enum ww_cookie_kind kind = ww_sessions_cookie(m->keys, name, value);
        if (kind != WW_COOKIE_OTHER && kind != WW_COOKIE_WHO)
            continue;
        ww_add2(out, "\ncookie ", name);
        ww_add2(out, "=", value);
    }
}

static size_t field_kind(struct model *m, ww_str name)
{
    size_t *known = ww_map_find(&m->field, name), kind = FIELD_KNOWN;

    if (known != NULL)
        return *known;
    if (ww_smell_idle_field(name)) {
        kind |= FIELD_IDLE;
    } else if (ww_smell_actor(m->normal.smell, name)) {
        kind |= FIELD_ACTOR;
    }
    ww_map_put(&m->field, ww_arena_dup(&m->normal.arena, name), kind, NULL);
    return kind;
}

static void add_field(struct ww_buf *out, const struct ww_field *f)
{
    ww_add2(out, "\n", f->name);
    ww_add2(out, ":", f->value);
}

/* Whatever else of a request may choose the answer: fields, and cookies that are no session.
 * Without the user: what users have in common. */
static void add_inputs(struct model *m, struct ww_buf *out, const struct ww_exchange *x,
                       bool with_user)
{
    for (size_t i = 0; i < x->request_fields.n; i++) {
        const struct ww_field *f = &x->request_fields.v[i];
        if (ww_str_eq_nocase(f->name, WW_STR("authorization")) && !with_user) {
            ww_buf_add_c(out, "\nauthorization");
        } else if (!with_user && ww_field_is_session(f->name)) {
            ww_buf_add_c(out, "\nsession");
        } else if (ww_str_eq_nocase(f->name, WW_STR("cookie"))) {
            add_other_cookies(m, out, f->value);
        } else if ((field_kind(m, f->name) & FIELD_IDLE) == 0) {
            add_field(out, f);
        }
    }
}

/* One client may speak for several users, each by a field of the request. */
static uint32_t actor_of(struct model *m, const struct ww_exchange *x)
{
    struct ww_buf *b = ww_scratch(m);

    ww_buf_add_c(b, "actor");
    for (size_t i = 0; i < x->request_fields.n; i++) {
        if (field_kind(m, x->request_fields.v[i].name) & FIELD_ACTOR)
            add_field(b, &x->request_fields.v[i]);
    }
    return ww_scratch_word(m);
}

/* A servlet's session id in the path chooses no resource. */
static ww_str without_id(ww_str path)
{
    ptrdiff_t at = ww_str_find_nocase(path, WW_STR(";jsessionid="));

    return at < 0 ? path : ww_str_upto(path, (size_t)at);
}

static void look_names(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str path = without_id(ww_exchange_path(x)), query = ww_query_of(x->target);

    l->path = ww_word(&m->normal, path);
    l->actor = actor_of(m, x);
    struct ww_buf *b = ww_scratch(m);
    ww_buf_add(b, x->method);
    ww_buf_add_char(b, ' ');
    add_template(m, b, path);
    l->route = ww_scratch_word(m);
    ww_buf_consume(b, x->method.len + 1);
    add_query(b, query);
    add_inputs(m, b, x, false);
    l->scope = ww_scratch_word(m);
    b = ww_scratch(m);
    if (!ww_str_eq(x->method, WW_STR("GET"))) {
        ww_buf_add(b, x->method);
        ww_buf_add_char(b, ' ');
    }
    ww_buf_add(b, path);
    add_query(b, query);
    add_inputs(m, b, x, true);
    for (size_t i = 0; i < l->carrieds; i++) {
        ww_add2(b, "\nfield ", ww_word_text(&m->normal, m->carried[l->carried + i].field));
    }
    l->resource = ww_scratch_word(m);
}

/* ---- the rest */

static bool answered_by_cache(const struct ww_exchange *x)
{
    static const char *const field[] = { "x-cache", "cf-cache-status", "x-cache-status",
                                         "x-proxy-cache" };

    if (x->status == 304 || ww_fields_get(&x->response_fields, WW_STR("age")).ptr != NULL)
        return true;
    for (size_t i = 0; i < sizeof field / sizeof *field; i++) {
        ww_str v = ww_fields_get(&x->response_fields, ww_str_c(field[i]));
        if (ww_str_find_nocase(v, WW_STR("hit")) >= 0 ||
            ww_str_find_nocase(v, WW_STR("stale")) >= 0)
            return true;
    }
    return false;
}

/* RFC 9110 10.2.3; draft-ietf-httpapi-ratelimit-headers and its forerunners. */
static bool speaks_of_limit(const struct ww_exchange *x)
{
    if (x->status < 400)
        return false;
    for (size_t i = 0; i < x->response_fields.n; i++) {
        ww_str name = x->response_fields.v[i].name;
        if (ww_str_eq_nocase(name, WW_STR("retry-after")) ||
            ww_str_find_nocase(name, WW_STR("ratelimit")) >= 0 ||
            ww_str_find_nocase(name, WW_STR("rate-limit")) >= 0)
            return true;
    }
    return false;
}

static enum look_kind kind_of(ww_str method)
{
    if (ww_str_eq(method, WW_STR("GET")) || ww_str_eq(method, WW_STR("HEAD")))
        return LOOK_READ;
    if (ww_str_eq(method, WW_STR("OPTIONS")) || ww_str_eq(method, WW_STR("TRACE")))
        return LOOK_OTHER;
    return LOOK_WRITE;
}

/* The form that a redirect led to was only shown: nobody has logged in by looking at it. */
static bool shows_login_form(const struct model *m, const struct ww_exchange *x,
                             const struct look *l)
{
    return l->kind == LOOK_READ && x->status == 200 && l->sets == 0 &&
           ww_map_find(&m->login_page, x->target) != NULL;
}

/* GET /auth/me lies behind a login and is none; a link from a mail has a key in it. */
static bool only_reads(const struct model *m, const struct ww_exchange *x, const struct look *l)
{
    ww_str path = ww_exchange_path(x);
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '/') {
        from--;
    }
    ww_str last = ww_str_from(path, from), segment = ww_str_from(path, from > 0 ? from - 1 : 0);
    return l->kind == LOOK_READ && l->sets == 0 && ww_query_of(x->target).len == 0 &&
           !ww_smell_login(m->normal.smell, segment) && !ww_smell_id(m->normal.smell, last);
}

static void look_login(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str location = ww_without_origin(ww_fields_get(&x->response_fields, WW_STR("location")));

    if (l->to_login && ww_map_find(&m->login_page, location) == NULL)
        ww_map_put(&m->login_page, ww_arena_dup(&m->arena, location), 1, NULL);
    l->login = l->login && !shows_login_form(m, x, l);
}

void ww_look(struct model *m, const struct ww_exchange *x, struct look *out)
{
    ww_str path = ww_exchange_path(x);
    struct look l = { .kind = kind_of(x->method),
                      .view = WW_NONE,
                      .carried = m->carrieds,
                      .first_word = (uint32_t)m->normal.words };
    ww_str location = ww_fields_get(&x->response_fields, WW_STR("location"));

    l.complete = x->end == WW_END_COMPLETE && x->by != WW_BY_NOBODY;
    l.logout = ww_smell_logout(m->normal.smell, path);
    ww_look_cookies(m, x, &l);
    l.login = ww_smell_login(m->normal.smell, path) && !only_reads(m, x, &l);
    l.removal =
        ww_smell_removal(m->normal.smell, path) || ww_str_eq(x->method, WW_STR("DELETE"));
    l.changes = (l.kind == LOOK_WRITE || l.removal) && x->by != WW_BY_NOBODY;
    l.cached = answered_by_cache(x);
    l.to_login = x->status >= 300 && x->status < 400 && x->status != 304 && !l.login &&
                 ww_smell_login(m->normal.smell, location);
    l.acknowledged =
        l.complete && x->status >= 200 && x->status < 400 && x->status != 304 && !l.to_login;
    l.bearer = ww_str_starts_nocase(ww_fields_get(&x->request_fields, WW_STR("authorization")),
                                    WW_STR("bearer"));
    if (x->status != 0 && !ww_str_eq(x->method, WW_STR("HEAD")))
        l.view = ww_view_of(&m->normal, &x->response_fields, &x->response_body, l.complete);
    l.counts = l.kind == LOOK_READ && x->status / 100 == 2 ? ww_look_fields(m, x) : WW_NONE;
    if (l.kind == LOOK_WRITE) {
        ww_carry_request(m, x, &l);
        l.shape = ww_shape_of(m, x, &l);
    }
    look_names(m, x, &l);
    ww_look_credential(m, x, &l);
    /* MCP: DELETE with a session's id ends the session. */
    l.logout = l.logout || (l.sid && ww_str_eq(x->method, WW_STR("DELETE")));
    if (l.kind == LOOK_WRITE && l.acknowledged) {
        ww_carry_answer(m, x, &l);
    }
    look_login(m, x, &l);
    ww_look_tokens(m, x, &l);
    ww_look_handles(m, x, &l);
    l.limited = speaks_of_limit(x);
    l.stream = l.kind == LOOK_READ &&
               (x->status == 101 ||
                ww_str_find_nocase(ww_fields_get(&x->response_fields, WW_STR("content-type")),
                                   WW_STR("event-stream")) >= 0);
    *out = l;
}

void ww_look_skip(struct look *l)
{
    l->view = WW_NONE;
    l->complete = false;
    l->acknowledged = false;
    l->carrieds = 0;
}
