/* judge: an exchange as the rules read it: resource, route, view, values carried, cookies. */
#include "model.h"

#include <stdlib.h>

#define CARRIED_MAX  48  /* values of one write that are followed */
#define ANSWER_MAX   16  /* scalars of a write's answer that are followed */
#define VALUE_MIN    3   /* shorter texts occur by chance */
#define SHAPE_WORDS  8   /* a longer text answer is told by its status alone */
#define CHANGES_SEEN 512 /* changes that are looked at for one interval */

/* What is known of a request field's name. */
enum { FIELD_KNOWN = 1, FIELD_IDLE = 2, FIELD_ACTOR = 4 };

/* ---- texts */

static void add2(struct ww_buf *out, const char *before, ww_str text)
{
    ww_buf_add_c(out, before);
    ww_buf_add(out, text);
}

static struct ww_buf *scratch(struct model *m)
{
    ww_buf_clear(&m->scratch);
    return &m->scratch;
}

static uint32_t scratch_word(struct model *m)
{
    return ww_word(&m->normal, ww_buf_str(&m->scratch));
}

ww_str ww_text_kept(struct model *m, ww_str text, uint32_t word)
{
    ww_str known = ww_word_text(&m->normal, word);

    return ww_str_eq(text, known) ? known : ww_arena_dup(&m->arena, text);
}

/* ---- routes and resources */

static ww_str query_of(ww_str target)
{
    ptrdiff_t at = ww_str_find(target, WW_STR("?"));
    ww_str query = at < 0 ? (ww_str){ 0 } : ww_str_from(target, (size_t)at + 1);
    ptrdiff_t hash = ww_str_find(query, WW_STR("#"));

    return hash < 0 ? query : ww_str_upto(query, (size_t)hash);
}

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
        if (ww_sessions_cookie(m->keys, name, value) != WW_COOKIE_OTHER)
            continue;
        add2(out, "\ncookie ", name);
        add2(out, "=", value);
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
    add2(out, "\n", f->name);
    add2(out, ":", f->value);
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
    struct ww_buf *b = scratch(m);

    ww_buf_add_c(b, "actor");
    for (size_t i = 0; i < x->request_fields.n; i++) {
        if (field_kind(m, x->request_fields.v[i].name) & FIELD_ACTOR)
            add_field(b, &x->request_fields.v[i]);
    }
    return scratch_word(m);
}

static bool names_session(ww_str name)
{
    static const char *const known[] = { "mcp-session-id", "x-session-id", "x-session-token",
                                         "session-id",     "sid",          "session_id",
                                         "sessionid" };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (ww_str_eq_nocase(name, ww_str_c(known[i])))
            return true;
    }
    return false;
}

/* By what the request says who asks, beside its cookies: what the one worker knows of it
 * another may not. */
static void look_credential(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str rest = query_of(x->target), pair, name;
    ptrdiff_t path_id = ww_str_find_nocase(x->target, WW_STR(";jsessionid="));
    struct ww_buf b;

    ww_buf_init(&b, TEXT_MAX);
    ww_buf_add_c(&b, "credential");
    size_t none = b.len;
    for (size_t i = 0; i < x->request_fields.n; i++) {
        const struct ww_field *f = &x->request_fields.v[i];
        bool is_auth = ww_str_eq_nocase(f->name, WW_STR("authorization"));
        if (f->value.len == 0 || (!is_auth && !names_session(f->name)))
            continue;
        l->sid = l->sid || !is_auth;
        ww_str scheme, token = f->value;
        if (is_auth && ww_str_cut(&token, ' ', &scheme))
            l->token = l->token || ww_map_find(&m->payload, ww_str_trim(token)) != NULL;
        ww_buf_printf(&b, "\n" WW_STRF, WW_STRV(f->value));
    }
    while (ww_str_cut(&rest, '&', &pair)) {
        ww_str value = pair;
        if (!ww_str_cut(&value, '=', &name) || value.len == 0 || !names_session(name))
            continue;
        l->sid = true;
        ww_buf_printf(&b, "\n" WW_STRF, WW_STRV(value));
    }
    if (path_id >= 0) {
        l->sid = true;
        ww_str id = ww_str_from(x->target, (size_t)path_id), path;
        if (ww_str_cut(&id, '?', &path))
            ww_buf_printf(&b, "\n" WW_STRF, WW_STRV(path));
    }
    l->credential = b.len > none ? ww_word(&m->normal, ww_buf_str(&b)) : WW_NONE;
    ww_buf_release(&b);
}

static void look_names(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str path = ww_exchange_path(x), query = query_of(x->target);

    l->path = ww_word(&m->normal, path);
    l->actor = actor_of(m, x);
    struct ww_buf *b = scratch(m);
    ww_buf_add(b, x->method);
    ww_buf_add_char(b, ' ');
    add_template(m, b, path);
    l->route = scratch_word(m);
    ww_buf_consume(b, x->method.len + 1);
    add_query(b, query);
    add_inputs(m, b, x, false);
    l->scope = scratch_word(m);
    b = scratch(m);
    if (!ww_str_eq(x->method, WW_STR("GET"))) {
        ww_buf_add(b, x->method);
        ww_buf_add_char(b, ' ');
    }
    ww_buf_add(b, path);
    add_query(b, query);
    add_inputs(m, b, x, true);
    for (size_t i = 0; i < l->carrieds; i++) {
        add2(b, "\nfield ", ww_word_text(&m->normal, m->carried[l->carried + i].field));
    }
    l->resource = scratch_word(m);
}

/* ---- values that a write carries */

static bool worth_following(const struct model *m, uint32_t value)
{
    const struct word *w = &m->normal.word[value];

    return (w->is_number || w->text.len >= VALUE_MIN) && !ww_str_eq(w->text, WW_STR("true")) &&
           !ww_str_eq(w->text, WW_STR("false")) && !ww_str_eq(w->text, WW_STR("null"));
}

static bool is_secret_name(ww_str field)
{
    return ww_str_find_nocase(field, WW_STR("passw")) >= 0 ||
           ww_str_find_nocase(field, WW_STR("secret")) >= 0 ||
           ww_str_find_nocase(field, WW_STR("csrf")) >= 0 ||
           ww_str_find_nocase(field, WW_STR("xsrf")) >= 0;
}

static void carry(struct model *m, struct look *l, ww_str field, uint32_t value, bool place)
{
    if (l->carrieds >= CARRIED_MAX || is_secret_name(field) || !worth_following(m, value))
        return;
    for (size_t i = 0; i < l->carrieds; i++) {
        if (m->carried[l->carried + i].value == value &&
            m->carried[l->carried + i].place == place)
            return;
    }
    if (m->carrieds == m->carried_cap)
        m->carried = ww_grow(m->carried, m->carrieds + 1, &m->carried_cap, sizeof *m->carried);
    m->carried[m->carrieds++] =
        (struct carried){ .field = ww_word(&m->normal, field), .value = value, .place = place };
    l->carrieds++;
}

static void carry_form(struct model *m, struct look *l, const char *prefix, ww_str form)
{
    ww_str pair, name;

    while (l->carrieds < CARRIED_MAX && ww_str_cut(&form, '&', &pair)) {
        ww_str value = pair;
        if (!ww_str_cut(&value, '=', &name) || value.len == 0)
            continue;
        add2(scratch(m), prefix, name);
        carry(m, l, ww_buf_str(&m->scratch),
              ww_word(&m->normal, ww_form_decode(&m->normal, value)), false);
    }
}

static void carry_view(struct model *m, struct look *l, const char *prefix, uint32_t view,
                       uint32_t max)
{
    for (uint32_t i = 0; i < m->normal.view[view].leaves && i < max; i++) {
        struct leaf leaf = m->normal.view[view].leaf[i];
        if (*prefix != '\0' && m->normal.word[leaf.path].volatile_key)
            continue;
        add2(scratch(m), prefix, ww_word_text(&m->normal, leaf.path));
        carry(m, l, ww_buf_str(&m->scratch), leaf.value, false);
    }
}

static void carry_request(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str type = ww_fields_get(&x->request_fields, WW_STR("content-type"));

    if (ww_str_find_nocase(type, WW_STR("x-www-form-urlencoded")) >= 0) {
        carry_form(m, l, "form ", x->request_body.bytes);
    } else if (x->request_body.bytes.len > 0) {
        uint32_t view = ww_view_of(&m->normal, &x->request_fields, &x->request_body, true);
        if (view != WW_NONE && m->normal.view[view].kind == VIEW_JSON)
            carry_view(m, l, "", view, CARRIED_MAX);
    }
    carry_form(m, l, "query ", query_of(x->target));
}

/* "http://host/login?next=/a" to "/login?next=/a". */
static ww_str without_origin(ww_str location)
{
    ptrdiff_t scheme = ww_str_find(location, WW_STR("://"));

    if (scheme < 0)
        return location;
    location = ww_str_from(location, (size_t)scheme + 3);
    ptrdiff_t slash = ww_str_find(location, WW_STR("/"));
    return slash < 0 ? WW_STR("/") : ww_str_from(location, (size_t)slash);
}

/* The path of what a write created: its Location, or its own path and the id in the answer. */
static void carry_place(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str location = ww_fields_get(&x->response_fields, WW_STR("location"));

    if (x->status != 201 && x->status != 200)
        return;
    location = without_origin(location);
    if (x->status == 201 && ww_str_starts(location, WW_STR("/"))) {
        carry(m, l, WW_STR("Location"), ww_word(&m->normal, location), true);
        return;
    }
    if (l->view == WW_NONE || !ww_str_eq(x->method, WW_STR("POST")))
        return;
    for (uint32_t i = 0; i < m->normal.view[l->view].leaves; i++) {
        struct leaf leaf = m->normal.view[l->view].leaf[i];
        ww_str path = ww_exchange_path(x);
        if (!ww_str_eq(ww_word_text(&m->normal, leaf.path), WW_STR("/id")))
            continue;
        ww_str made = ww_arena_printf(&m->normal.arena, "%.*s%s" WW_STRF, (int)path.len,
                                      path.ptr, ww_str_ends(path, WW_STR("/")) ? "" : "/",
                                      WW_STRV(ww_word_text(&m->normal, leaf.value)));
        carry(m, l, WW_STR("id"), ww_word(&m->normal, made), true);
    }
}

static bool says_how_it_went(ww_str path)
{
    static const char *const key[] = { "status", "result", "success", "ok",
                                       "error",  "code",   "state" };

    for (size_t i = 0; i < sizeof key / sizeof *key; i++) {
        if (ww_str_ends(path, ww_str_c(key[i])))
            return true;
    }
    return false;
}

static bool is_fixed_word(ww_str value)
{
    return ww_str_eq(value, WW_STR("true")) || ww_str_eq(value, WW_STR("false")) ||
           ww_str_eq(value, WW_STR("null"));
}

static void add_json_shape(const struct model *m, struct ww_buf *b, const struct view *v)
{
    for (uint32_t i = 0; i < v->leaves; i++) {
        ww_str path = ww_word_text(&m->normal, v->leaf[i].path);
        ww_str value = ww_word_text(&m->normal, v->leaf[i].value);
        if (i > 0 && v->leaf[i].path == v->leaf[i - 1].path)
            continue;
        add2(b, "\n", path);
        if (is_fixed_word(value) || says_how_it_went(path))
            add2(b, "=", value);
    }
}

/* A short text: its words, but for numbers and what the request had brought along. */
static void add_text_shape(const struct model *m, struct ww_buf *b, const struct view *v,
                           const struct look *l)
{
    for (uint32_t i = 0; i < v->leaves && v->leaves <= SHAPE_WORDS; i++) {
        const struct word *w = &m->normal.word[v->leaf[i].value];
        bool brought = w->is_number || w->volatile_value;
        for (size_t k = 0; k < l->carrieds && !brought; k++) {
            brought = m->carried[l->carried + k].value == v->leaf[i].value;
        }
        if (!brought)
            add2(b, "\n", w->text);
    }
}

/* Status, members, and the words that tell a success from a polite refusal. */
static uint32_t shape_of(struct model *m, const struct ww_exchange *x, const struct look *l)
{
    struct ww_buf *b = scratch(m);

    ww_buf_printf(b, "shape %u", x->status);
    if (l->view != WW_NONE && m->normal.view[l->view].kind == VIEW_JSON) {
        add_json_shape(m, b, &m->normal.view[l->view]);
    } else if (l->view != WW_NONE) {
        add_text_shape(m, b, &m->normal.view[l->view], l);
    }
    return scratch_word(m);
}

/* ---- cookies */

static void add_cookie(struct model *m, ww_str name, ww_str value, bool cleared)
{
    enum ww_cookie_kind kind = ww_sessions_cookie(m->keys, name, value);

    if (kind < WW_COOKIE_SESSION || (value.len == 0 && !cleared))
        return;
    struct ww_buf *b = scratch(m);
    add2(b, "cookie ", name);
    add2(b, "=", value);
    uint32_t pair = scratch_word(m);
    size_t *payload = ww_map_find(&m->payload, value);
    size_t *content = ww_map_find(&m->content, value);
    if (m->cookies == m->cookie_cap)
        m->cookie = ww_grow(m->cookie, m->cookies + 1, &m->cookie_cap, sizeof *m->cookie);
    m->cookie[m->cookies++] =
        (struct cookie_use){ .name = ww_word(&m->normal, name),
                             .pair = pair,
                             .payload = payload == NULL ? WW_NONE : (uint32_t)*payload,
                             .content = content == NULL ? WW_NONE : (uint32_t)*content,
                             .is_id = kind == WW_COOKIE_ID,
                             .cleared = cleared };
}

static void look_cookies(struct model *m, const struct ww_exchange *x, struct look *l)
{
    l->sent = m->cookies;
    for (size_t i = 0; i < x->request_fields.n; i++) {
        ww_str rest = x->request_fields.v[i].value, name, value;
        if (!ww_str_eq_nocase(x->request_fields.v[i].name, WW_STR("cookie")))
            continue;
        while (ww_cookie_next(&rest, &name, &value)) {
            add_cookie(m, name, value, false);
        }
    }
    l->sents = m->cookies - l->sent;
    l->set = m->cookies;
    for (size_t i = 0; i < x->response_fields.n; i++) {
        struct ww_set_cookie c;
        if (ww_str_eq_nocase(x->response_fields.v[i].name, WW_STR("set-cookie")) &&
            ww_set_cookie_parse(x->response_fields.v[i].value, x->ended_us / 1000000, &c))
            add_cookie(m, c.name, c.value, c.cleared);
    }
    l->sets = m->cookies - l->set;
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
    return l->kind == LOOK_READ && l->sets == 0 && query_of(x->target).len == 0 &&
           !ww_smell_login(m->normal.smell, segment) && !ww_smell_id(m->normal.smell, last);
}

static void look_login(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str location = without_origin(ww_fields_get(&x->response_fields, WW_STR("location")));

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
    look_cookies(m, x, &l);
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
    if (l.kind == LOOK_WRITE) {
        carry_request(m, x, &l);
        l.shape = shape_of(m, x, &l);
    }
    look_names(m, x, &l);
    look_credential(m, x, &l);
    /* MCP: DELETE with a session's id ends the session. */
    l.logout = l.logout || (l.sid && ww_str_eq(x->method, WW_STR("DELETE")));
    if (l.kind == LOOK_WRITE && l.acknowledged) {
        if (l.view != WW_NONE)
            carry_view(m, &l, "answer ", l.view, ANSWER_MAX);
        carry_place(m, x, &l);
    }
    look_login(m, x, &l);
    *out = l;
}

/* ---- what needs the whole trace */

bool ww_before(const struct model *m, size_t a, size_t b)
{
    return m->v.step[a].ended_us <= m->v.step[b].started_us;
}

bool ww_speaks(const struct model *m, size_t step)
{
    return m->v.step[step].worker != WW_NO_WORKER && m->look[step].complete &&
           !m->look[step].cached;
}

bool ww_readable(const struct model *m, size_t step)
{
    return m->look[step].kind == LOOK_READ && ww_speaks(m, step) && !m->look[step].overlaps &&
           m->look[step].view != WW_NONE && m->v.step[step].status / 100 == 2;
}

int32_t ww_step_pid(const struct model *m, size_t step)
{
    size_t w = m->v.step[step].worker;

    return w == WW_NO_WORKER ? 0 : m->v.worker[w].worker.id.pid;
}

bool ww_changed_between(const struct model *m, int64_t from_us, int64_t to_us,
                        bool (*counts)(const struct model *m, size_t step, void *ctx),
                        void *ctx)
{
    size_t low = 0, high = m->changes, seen = 0;

    while (low < high) {
        size_t mid = (low + high) / 2;
        if (m->v.step[m->change[mid]].started_us < to_us) {
            low = mid + 1;
        } else {
            high = mid;
        }
    }
    for (size_t i = low; i > 0 && m->change_end[i - 1] > from_us; i--) {
        if (++seen > CHANGES_SEEN)
            return true;
        if (m->v.step[m->change[i - 1]].ended_us > from_us && counts(m, m->change[i - 1], ctx))
            return true;
    }
    return false;
}

static bool every_change(const struct model *m, size_t step, void *ctx)
{
    return true;
}

bool ww_any_change(const struct model *m, int64_t from_us, int64_t to_us)
{
    return ww_changed_between(m, from_us, to_us, every_change, NULL);
}

static void settle_session(struct model *m, const struct ww_verdict_session *s)
{
    int64_t latest = INT64_MIN;

    for (size_t i = 0; i < s->steps; i++) {
        const struct ww_step *step = &m->v.step[s->step[i]];
        struct look *l = &m->look[s->step[i]];
        l->at = i;
        l->overlaps =
            latest > step->started_us ||
            (i + 1 < s->steps && m->v.step[s->step[i + 1]].started_us < step->ended_us);
        if (step->ended_us > latest)
            latest = step->ended_us;
    }
}

static void settle_changes(struct model *m)
{
    int64_t latest = INT64_MIN;

    m->change = ww_xcalloc(m->v.steps + 1, sizeof *m->change);
    m->change_end = ww_xcalloc(m->v.steps + 1, sizeof *m->change_end);
    for (size_t i = 0; i < m->v.steps; i++) {
        if (!m->look[i].changes)
            continue;
        if (m->v.step[i].ended_us > latest)
            latest = m->v.step[i].ended_us;
        m->change[m->changes] = i;
        m->change_end[m->changes++] = latest;
    }
}

/* Two reads of a resource in one session, by one worker, nothing changed between: the control.
 */
static void learn_masks(struct model *m, const struct ww_verdict_session *s, uint32_t *last)
{
    size_t run = 0; /* where the present run of one worker began */

    for (size_t i = 0; i < s->steps; i++) {
        size_t step = s->step[i];
        uint32_t resource = m->look[step].resource;
        if (i > 0 && m->v.step[step].worker != m->v.step[s->step[i - 1]].worker)
            run = i;
        if (!ww_readable(m, step))
            continue;
        uint32_t before = last[resource];
        last[resource] = (uint32_t)step;
        if (before == WW_NONE || m->v.step[before].session != m->v.step[step].session ||
            m->look[before].at < run || m->look[before].view == m->look[step].view ||
            ww_any_change(m, m->v.step[before].started_us, m->v.step[step].ended_us))
            continue;
        ww_mask_learn(&m->normal, m->look[step].scope, m->look[before].view,
                      m->look[step].view);
    }
}

void ww_model_settle(struct model *m)
{
    uint32_t *last = ww_xmalloc((m->normal.words + 1) * sizeof *last);

    memset(last, 0xff, (m->normal.words + 1) * sizeof *last);
    for (size_t i = 0; i < m->v.sessions; i++) {
        settle_session(m, &m->v.session[i]);
    }
    settle_changes(m);
    for (size_t i = 0; i < m->v.sessions; i++) {
        learn_masks(m, &m->v.session[i], last);
    }
    free(last);
    m->blamed = ww_xcalloc(m->v.steps + 1, sizeof *m->blamed);
    m->reset = ww_xcalloc(m->v.steps + 1, sizeof *m->reset);
}
