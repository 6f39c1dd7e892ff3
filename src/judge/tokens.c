/* judge: tokens: what they say of their own time, and which ones an answer gives out. */
#include "keys.h"
#include "look.h"

#define TOKENS_SEEN  4
#define BODY_SEEN    (64u << 10) /* an answer that gives a token out is small */
#define USEC_PER_SEC 1000000.0
#define LEEWAY_US    USEC_PER_SEC /* clocks differ, and checks are lenient (RFC 7519 4.1.4) */

/* A number of seconds since 1970 in what the token says, as microseconds; or 0. */
static double claim_us(struct model *m, uint32_t view, ww_str claim)
{
    uint32_t path = ww_word(&m->normal, claim), at = ww_view_first(&m->normal, view, path);
    const struct view *v = &m->normal.view[view];

    if (at >= v->leaves || v->leaf[at].path != path)
        return 0;
    const struct word *w = &m->normal.word[v->leaf[at].value];
    return w->is_number ? w->number * USEC_PER_SEC : 0;
}

bool ww_is_untimely(struct model *m, uint32_t payload, const struct ww_exchange *x)
{
    double expires = claim_us(m, payload, WW_STR("/exp"));
    double begins = claim_us(m, payload, WW_STR("/nbf"));

    return (expires > 0 && (double)x->ended_us > expires - LEEWAY_US) ||
           (begins > 0 && (double)x->started_us < begins + LEEWAY_US);
}

static void add_token(struct model *m, ww_str value)
{
    size_t *payload = ww_map_find(&m->payload, value),
           *content = ww_map_find(&m->content, value);

    if (payload == NULL || content == NULL)
        return;
    struct ww_buf *b = ww_scratch(m);
    ww_add2(b, "token ", value);
    uint32_t pair = ww_scratch_word(m);
    if (m->cookies == m->cookie_cap)
        m->cookie = ww_grow(m->cookie, m->cookies + 1, &m->cookie_cap, sizeof *m->cookie);
    m->cookie[m->cookies++] =
        (struct cookie_use){ .name = ww_word(&m->normal, WW_STR(TOKEN_NAME)),
                             .pair = pair,
                             .payload = (uint32_t)*payload,
                             .content = (uint32_t)*content };
}

void ww_look_tokens(struct model *m, const struct ww_exchange *x, struct look *l)
{
    ww_str type = ww_fields_get(&x->response_fields, WW_STR("content-type"));
    ww_str text = ww_str_upto(x->response_body.bytes, BODY_SEEN);
    struct ww_id id;

    l->given = m->cookies;
    l->givens = 0;
    if (m->content.len == 0 || !(l->login || l->kind == LOOK_WRITE) ||
        ww_str_find_nocase(type, WW_STR("json")) < 0)
        return;
    for (size_t i = 0; i < TOKENS_SEEN && ww_json_id_next(&text, &id); i++) {
        add_token(m, id.value);
    }
    l->givens = m->cookies - l->given;
}

bool ww_signers_differ(struct model *m, size_t step, size_t worker_a, size_t worker_b)
{
    const struct look *l = &m->look[step];

    if (l->token &&
        ww_keys_differ(m->signers, ww_word(&m->normal, WW_STR(TOKEN_NAME)), worker_a, worker_b))
        return true;
    for (size_t i = 0; i < l->sents; i++) {
        if (ww_keys_differ(m->signers, m->cookie[l->sent + i].name, worker_a, worker_b))
            return true;
    }
    return false;
}
