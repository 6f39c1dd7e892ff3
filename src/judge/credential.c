/* judge: who asks: the session cookies, tokens and session ids of an exchange. */
#include "look.h"

static void add_cookie(struct model *m, ww_str name, ww_str value, bool cleared)
{
    enum ww_cookie_kind kind = ww_sessions_cookie(m->keys, name, value);

    if (kind < WW_COOKIE_SESSION || (value.len == 0 && !cleared))
        return;
    struct ww_buf *b = ww_scratch(m);
    ww_add2(b, "cookie ", name);
    ww_add2(b, "=", value);
    uint32_t pair = ww_scratch_word(m);
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

void ww_look_cookies(struct model *m, const struct ww_exchange *x, struct look *l)
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
    for (size_t i = 0; i < l->sents; i++) {
        uint32_t payload = m->cookie[l->sent + i].payload;
        l->untimely = l->untimely || (payload != WW_NONE && ww_is_untimely(m, payload, x));
    }
    l->set = m->cookies;
    for (size_t i = 0; i < x->response_fields.n; i++) {
        struct ww_set_cookie c;
        if (ww_str_eq_nocase(x->response_fields.v[i].name, WW_STR("set-cookie")) &&
            ww_set_cookie_parse(x->response_fields.v[i].value, x->ended_us / 1000000, &c))
            add_cookie(m, c.name, c.value, c.cleared);
    }
    l->sets = m->cookies - l->set;
}

static bool names_session(ww_str name)
{
    static const char *const known[] = { "sid", "session_id", "sessionid" };

    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (ww_str_eq_nocase(name, ww_str_c(known[i])))
            return true;
    }
    return false;
}

/* By what the request says who asks, beside its cookies: what the one worker knows of it
 * another may not. */
void ww_look_credential(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str rest = ww_query_of(x->target), pair, name;
    bool engine_io =
        ww_str_find(x->target, WW_STR("EIO=")) >= 0; /* else "?sid=3" is anything */
    ptrdiff_t path_id = ww_str_find_nocase(x->target, WW_STR(";jsessionid="));
    struct ww_buf *b = ww_scratch(m);

    ww_buf_add_c(b, "credential");
    size_t none = b->len;
    for (size_t i = 0; i < x->request_fields.n; i++) {
        const struct ww_field *f = &x->request_fields.v[i];
        bool is_auth = ww_str_eq_nocase(f->name, WW_STR("authorization"));
        if (f->value.len == 0 || (!is_auth && !ww_field_is_session(f->name)))
            continue;
        l->sid = l->sid || !is_auth;
        ww_str scheme, token = f->value;
        if (is_auth && ww_str_cut(&token, ' ', &scheme)) {
            size_t *payload = ww_map_find(&m->payload, ww_str_trim(token));
            l->token = l->token || payload != NULL;
            l->untimely =
                l->untimely || (payload != NULL && ww_is_untimely(m, (uint32_t)*payload, x));
        }
        ww_add2(b, "\n", f->value);
    }
    while (ww_str_cut(&rest, '&', &pair)) {
        ww_str value = pair;
        if (!ww_str_cut(&value, '=', &name) || value.len == 0 || !names_session(name) ||
            (!engine_io && !ww_is_unguessable(value)))
            continue;
        l->sid = true;
        ww_add2(b, "\n", value);
    }
    if (path_id >= 0) {
        l->sid = true;
        ww_str id = ww_str_from(x->target, (size_t)path_id), path;
        if (ww_str_cut(&id, '?', &path))
            ww_add2(b, "\n", path);
    }
    l->credential = b->len > none ? ww_scratch_word(m) : WW_NONE;
}
