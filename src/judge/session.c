/* judge: exchanges to client sessions: cookie lineage, then Authorization, then the client. */
#include "session.h"

#include <whichworker/map.h>

#include <assert.h>
#include <stdlib.h>

/* How many holders of one cookie value, and cookies of one session, are looked at. */
#define HOLDERS_SEEN 64

/* Heads are limited long before a cookie gets so large; what is longer is compared as far. */
#define KEY_MAX (1u << 20)

#define NOBODY SIZE_MAX

/*
 * That a session was given a cookie value. A signed cookie is made of payload, second and key:
 * two clients that begin in the same second get the same value. So a value has many holders,
 * and only those that were given no newer one since are `live`.
 */
struct holder {
    size_t session;
    size_t older;      /* the next holder of the same value, or NOBODY */
    size_t older_mine; /* the next value of the same session, or NOBODY */
    ww_str name;
    bool live;
};

struct session {
    struct ww_session_key key;
    uint64_t connection; /* the client's, at the last exchange */
    size_t mine;         /* its newest holder */
};

struct ww_sessions {
    struct ww_sessions_config cfg;
    struct ww_arena arena;
    struct ww_buf scratch;
    struct ww_smell smell;
    struct ww_map value;   /* "name=value" of a cookie: its newest holder */
    struct ww_map other;   /* "Authorization…" or "client…": its session */
    struct ww_map payload; /* cookie values with a readable payload */
    struct holder *holder;
    size_t holders, holder_cap;
    struct session *session;
    size_t sessions, session_cap;
};

struct ww_sessions *ww_sessions_new(const struct ww_sessions_config *cfg)
{
    struct ww_sessions *s = ww_xcalloc(1, sizeof *s);

    if (cfg != NULL)
        s->cfg = *cfg;
    ww_arena_init(&s->arena, SIZE_MAX);
    ww_buf_init(&s->scratch, KEY_MAX);
    ww_smell_init(&s->smell);
    ww_map_init(&s->value);
    ww_map_init(&s->other);
    ww_map_init(&s->payload);
    return s;
}

void ww_sessions_free(struct ww_sessions *s)
{
    if (s == NULL)
        return;
    ww_map_release(&s->value);
    ww_map_release(&s->other);
    ww_map_release(&s->payload);
    ww_smell_release(&s->smell);
    ww_buf_release(&s->scratch);
    ww_arena_release(&s->arena);
    free(s->holder);
    free(s->session);
    free(s);
}

size_t ww_sessions_count(const struct ww_sessions *s)
{
    return s->sessions;
}

const struct ww_smell *ww_sessions_smell(const struct ww_sessions *s)
{
    return &s->smell;
}

void ww_sessions_payload(struct ww_sessions *s, ww_str value)
{
    if (ww_map_find(&s->payload, value) == NULL)
        ww_map_put(&s->payload, ww_arena_dup(&s->arena, value), 1, NULL);
}

enum ww_cookie_kind ww_sessions_cookie(const struct ww_sessions *s, ww_str name, ww_str value)
{
    enum ww_cookie_kind kind = ww_smell_cookie(&s->smell, name);

    if (kind == WW_COOKIE_OTHER && ww_map_find(&s->payload, value) != NULL)
        return WW_COOKIE_SESSION;
    return kind;
}

static bool is_session_cookie(const struct ww_sessions *s, ww_str name, ww_str value)
{
    return value.len > 0 && ww_sessions_cookie(s, name, value) >= WW_COOKIE_SESSION;
}

static size_t session_add(struct ww_sessions *s, enum ww_key_kind kind, ww_str name,
                          ww_str value, bool weak)
{
    if (s->sessions == s->session_cap)
        s->session = ww_grow(s->session, s->sessions + 1, &s->session_cap, sizeof *s->session);
    s->session[s->sessions] = (struct session){
        .key = { .number = s->sessions + 1,
                 .kind = kind,
                 .name = ww_arena_dup(&s->arena, name),
                 .value = ww_arena_dup(&s->arena, value),
                 .weak = weak },
        .mine = NOBODY,
    };
    return s->sessions++;
}

/* Borrowed until the next pair. */
static ww_str pair_key(struct ww_sessions *s, ww_str name, ww_str value)
{
    ww_buf_clear(&s->scratch);
    ww_buf_add(&s->scratch, name);
    ww_buf_add_char(&s->scratch, '=');
    ww_buf_add(&s->scratch, value);
    return ww_buf_str(&s->scratch);
}

static size_t holders_of(struct ww_sessions *s, ww_str name, ww_str value)
{
    size_t *at = ww_map_find(&s->value, pair_key(s, name, value));

    return at == NULL ? NOBODY : *at;
}

/* Names are few and values many: keeps one copy of each name. */
static ww_str cookie_name(struct ww_sessions *s, ww_str name)
{
    if (s->holders > 0 && ww_str_eq(s->holder[s->holders - 1].name, name))
        return s->holder[s->holders - 1].name;
    return ww_arena_dup(&s->arena, name);
}

/* The session is given this value: its earlier one of the same name is no longer live. */
static void hold(struct ww_sessions *s, size_t session, ww_str name, ww_str value)
{
    struct session *one = &s->session[session];
    ww_str key = pair_key(s, name, value);
    size_t *head = ww_map_find(&s->value, key);
    size_t seen = 0;

    if (head == NULL)
        head = ww_map_put(&s->value, ww_arena_dup(&s->arena, key), NOBODY, NULL);

    for (size_t h = one->mine; h != NOBODY && seen < HOLDERS_SEEN;
         h = s->holder[h].older_mine) {
        if (ww_str_eq(s->holder[h].name, name))
            s->holder[h].live = false;
        seen++;
    }
    if (s->holders == s->holder_cap)
        s->holder = ww_grow(s->holder, s->holders + 1, &s->holder_cap, sizeof *s->holder);
    s->holder[s->holders] = (struct holder){ .session = session,
                                             .older = *head,
                                             .older_mine = one->mine,
                                             .name = cookie_name(s, name),
                                             .live = true };
    *head = s->holders;
    one->mine = s->holders++;
}

/*
 * Whose request carries this value? The live holder on the same client connection, else the
 * only live one. Where several fit, the newest is taken and all of them become weak: what
 * follows may have been mixed up. An old value still belongs to whoever had it: a lineage is a
 * tree.
 */
static size_t holder_session(struct ww_sessions *s, size_t newest, uint64_t connection)
{
    size_t live = 0, seen = 0, pick = NOBODY;

    for (size_t h = newest; h != NOBODY && seen < HOLDERS_SEEN; h = s->holder[h].older) {
        if (s->holder[h].live && s->session[s->holder[h].session].connection == connection)
            return s->holder[h].session;
        if (s->holder[h].live && live++ == 0)
            pick = s->holder[h].session;
        seen++;
    }
    if (live == 1 || (live == 0 && seen == 1))
        return live == 1 ? pick : s->holder[newest].session;
    seen = 0;
    for (size_t h = newest; h != NOBODY && seen < HOLDERS_SEEN; h = s->holder[h].older) {
        s->session[s->holder[h].session].key.weak = true;
        seen++;
    }
    return live > 0 ? pick : s->holder[newest].session;
}

/* By a session cookie of the request: one that is known before one that is not. */
static size_t by_request_cookie(struct ww_sessions *s, const struct ww_exchange *x)
{
    ww_str first_name = { 0 }, first_value = { 0 };

    for (size_t i = 0; i < x->request_fields.n; i++) {
        ww_str rest = x->request_fields.v[i].value, name, value;

        if (!ww_str_eq_nocase(x->request_fields.v[i].name, WW_STR("cookie")))
            continue;
        while (ww_cookie_next(&rest, &name, &value)) {
            if (!is_session_cookie(s, name, value))
                continue;
            size_t h = holders_of(s, name, value);
            if (h != NOBODY)
                return holder_session(s, h, x->connection);
            if (first_name.ptr == NULL) {
                first_name = name;
                first_value = value;
            }
        }
    }
    if (first_name.ptr == NULL)
        return NOBODY;
    size_t session = session_add(s, WW_KEY_COOKIE, first_name, first_value, false);
    hold(s, session, first_name, first_value);
    return session;
}

/* Holds what the response sets; begins a session with it if there is none yet. */
static size_t by_response_cookie(struct ww_sessions *s, const struct ww_exchange *x,
                                 size_t session)
{
    for (size_t i = 0; i < x->response_fields.n; i++) {
        struct ww_set_cookie c;

        if (!ww_str_eq_nocase(x->response_fields.v[i].name, WW_STR("set-cookie")) ||
            !ww_set_cookie_parse(x->response_fields.v[i].value, x->ended_us / 1000000, &c) ||
            c.cleared || !is_session_cookie(s, c.name, c.value))
            continue;
        if (session == NOBODY)
            session = session_add(s, WW_KEY_COOKIE, c.name, c.value, false);
        hold(s, session, c.name, c.value);
    }
    return session;
}

/* A client on this machine is a test; anybody else may be many people behind one address. */
static bool is_local(ww_str client)
{
    return ww_str_starts(client, WW_STR("127.")) || ww_str_eq(client, WW_STR("::1")) ||
           ww_str_eq(client, WW_STR("::ffff:127.0.0.1")) ||
           ww_str_starts(client, WW_STR("unix"));
}

static size_t by_other_key(struct ww_sessions *s, const struct ww_exchange *x)
{
    ww_str auth = ww_fields_get(&x->request_fields, WW_STR("authorization"));
    ww_str agent = ww_fields_get(&x->request_fields, WW_STR("user-agent"));
    bool has_auth = auth.len > 0;
    ww_str name = has_auth ? WW_STR("Authorization") : WW_STR("client");

    /* "Authorization=…" or "client=address agent" */
    pair_key(s, name, has_auth ? auth : x->client);
    if (!has_auth) {
        ww_buf_add_char(&s->scratch, ' ');
        ww_buf_add(&s->scratch, agent);
    }
    ww_str key = ww_buf_str(&s->scratch);
    size_t *known = ww_map_find(&s->other, key);

    if (known != NULL)
        return *known;
    key = ww_arena_dup(&s->arena, key);
    size_t session =
        session_add(s, has_auth ? WW_KEY_AUTHORIZATION : WW_KEY_CLIENT, name,
                    ww_str_from(key, name.len + 1), !has_auth && !is_local(x->client));
    ww_map_put(&s->other, key, session, NULL);
    return session;
}

size_t ww_sessions_assign(struct ww_sessions *s, const struct ww_exchange *x)
{
    for (size_t i = 0; i < x->payloads; i++) {
        ww_sessions_payload(s, x->payload[i].value);
    }
    size_t session = by_response_cookie(s, x, by_request_cookie(s, x));
    if (session == NOBODY)
        session = by_other_key(s, x);
    s->session[session].connection = x->connection;
    return session;
}

const struct ww_session_key *ww_sessions_key(const struct ww_sessions *s, size_t session)
{
    assert(session < s->sessions);
    return &s->session[session].key;
}
