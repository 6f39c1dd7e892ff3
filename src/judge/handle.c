/* judge: what one answer gives out and later requests bring along: ids, tokens, states. */
#include "look.h"

#define HANDLE_MIN 6  /* shorter texts occur by chance */
#define ISSUED_MAX 48 /* values that one answer can give out */
#define USED_MAX   24 /* values of one request that are looked up */
#define SEARCHED_MAX                                                                           \
    (64u << 10) /* bytes of a request's body in which an echo is looked for                    \
                 */

struct handles {
    struct model *m;
    const struct ww_exchange *x;
    const struct look *l;
    size_t step;
    size_t looked, found;
};

/* ---- what looks like a handle */

static bool is_date(ww_str s)
{
    return s.len >= 10 && s.ptr[4] == '-' && s.ptr[7] == '-';
}

/* Letters and digits mixed, as ids and tokens are; or long and of both cases. */
static bool is_handle(ww_str s)
{
    size_t digits = 0, lower = 0, upper = 0;

    if (s.len < HANDLE_MIN || is_date(s))
        return false;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.ptr[i];
        if (c <= ' ' || c == '<' || c == '>' || c == '{' || c == '[' || c == ',')
            return false;
        digits += c >= '0' && c <= '9';
        lower += c >= 'a' && c <= 'z';
        upper += c >= 'A' && c <= 'Z';
    }
    return (digits > 0 && lower + upper > 0) ||
           (s.len >= 12 && lower > 2 && upper > 2 && lower + upper == s.len);
}

/* ---- requests: what they bring along */

static void use(struct handles *h, const char *prefix, ww_str name, ww_str value,
                bool credential)
{
    struct model *m = h->m;

    if (h->looked == USED_MAX || !is_handle(value))
        return;
    h->looked++;
    size_t *known = ww_map_find(&m->normal.word_at, value);
    uint32_t word = known == NULL ? WW_NONE : (uint32_t)*known;
    if (word >= m->issued_cap || m->issued[word] == 0)
        return;
    for (size_t i = m->uses - h->found; i < m->uses; i++) {
        if (m->use[i].word == word)
            return;
    }
    ww_add2(ww_scratch(m), prefix, name);
    if (m->uses == m->use_cap)
        m->use = ww_grow(m->use, m->uses + 1, &m->use_cap, sizeof *m->use);
    m->use[m->uses++] = (struct handle_use){ .step = h->step,
                                             .issued = m->issued[word] - 1,
                                             .field = ww_scratch_word(m),
                                             .word = word,
                                             .credential = credential,
                                             .secret = ww_is_unguessable(value) };
    h->found++;
}

static void use_path(struct handles *h, ww_str path)
{
    ww_str segment;

    while (ww_str_cut(&path, '/', &segment)) {
        use(h, "path", (ww_str){ 0 }, segment, false);
    }
}

static void use_pairs(struct handles *h, const char *prefix, ww_str pairs)
{
    ww_str pair, name;

    while (h->looked < USED_MAX && ww_str_cut(&pairs, '&', &pair)) {
        if (!ww_str_cut(&pair, '=', &name) || pair.len < HANDLE_MIN)
            continue;
        use(h, prefix, name, ww_form_decode(&h->m->normal, pair),
            ww_str_eq_nocase(name, WW_STR("sid")) ||
                ww_str_eq_nocase(name, WW_STR("session_id")));
    }
}

static void use_fields(struct handles *h)
{
    for (size_t i = 0; i < h->x->request_fields.n; i++) {
        const struct ww_field *f = &h->x->request_fields.v[i];
        ww_str value = ww_str_trim(f->value), scheme;
        if (ww_str_eq_nocase(f->name, WW_STR("authorization"))) {
            ww_str token = value;
            ww_str_cut(&token, ' ', &scheme);
            use(h, "", f->name, token.ptr == NULL ? value : ww_str_trim(token), true);
        } else if (ww_field_is_session(f->name) ||
                   ww_str_find_nocase(f->name, WW_STR("csrf")) >= 0 ||
                   ww_str_find_nocase(f->name, WW_STR("token")) >= 0) {
            use(h, "header ", f->name, value, ww_field_is_session(f->name));
        }
    }
}

static void use_body(struct handles *h)
{
    const struct ww_exchange *x = h->x;
    ww_str type = ww_fields_get(&x->request_fields, WW_STR("content-type"));
    struct normal *n = &h->m->normal;

    if (x->request_body.bytes.len == 0)
        return;
    if (ww_str_find_nocase(type, WW_STR("x-www-form-urlencoded")) >= 0) {
        use_pairs(h, "form ", x->request_body.bytes);
        return;
    }
    uint32_t view = ww_view_of(n, &x->request_fields, &x->request_body, true);
    if (view == WW_NONE || n->view[view].kind != VIEW_JSON)
        return;
    for (uint32_t i = 0; i < n->view[view].leaves && h->looked < USED_MAX; i++) {
        struct leaf leaf = n->view[view].leaf[i];
        use(h, "", ww_word_text(n, leaf.path), ww_word_text(n, leaf.value), false);
    }
}

/* ---- answers: what they give out */

/* Echoes are not given out: the client had it before. */
static bool is_echo(const struct handles *h, ww_str text)
{
    ww_str body = h->x->request_body.bytes;

    return body.len > SEARCHED_MAX || ww_str_find(h->x->target, text) >= 0 ||
           ww_str_find(body, text) >= 0;
}

static void mark_issued(struct handles *h, uint32_t word)
{
    struct model *m = h->m;

    if (word >= m->issued_cap) {
        size_t old = m->issued_cap;
        m->issued = ww_grow(m->issued, (size_t)word + 1, &m->issued_cap, sizeof *m->issued);
        memset(m->issued + old, 0, (m->issued_cap - old) * sizeof *m->issued);
    }
    if (m->issued[word] == 0)
        m->issued[word] = (uint32_t)h->step + 1;
}

static void use_cookies(struct handles *h)
{
    struct model *m = h->m;

    /* With an Authorization beside it a refusal may be of that. */
    for (size_t i = 0; i < h->l->sents && h->l->credential == WW_NONE; i++) {
        struct cookie_use c = m->cookie[h->l->sent + i];
        if (c.pair >= m->issued_cap || m->issued[c.pair] == 0)
            continue;
        ww_add2(ww_scratch(m), "cookie ", ww_word_text(&m->normal, c.name));
        if (m->uses == m->use_cap)
            m->use = ww_grow(m->use, m->uses + 1, &m->use_cap, sizeof *m->use);
        m->use[m->uses++] = (struct handle_use){ .step = h->step,
                                                 .issued = m->issued[c.pair] - 1,
                                                 .field = ww_scratch_word(m),
                                                 .word = c.pair,
                                                 .credential = true,
                                                 .secret = true,
                                                 .cookie = true };
    }
}

static void issue_cookies(struct handles *h)
{
    for (size_t i = 0; i < h->l->sets; i++) {
        if (!h->m->cookie[h->l->set + i].cleared)
            mark_issued(h, h->m->cookie[h->l->set + i].pair);
    }
}

static void issue(struct handles *h, uint32_t word)
{
    struct model *m = h->m;
    ww_str text = ww_word_text(&m->normal, word);

    if (word < h->l->first_word || h->looked == ISSUED_MAX || !is_handle(text))
        return;
    h->looked++;
    if (is_echo(h, text))
        return;
    mark_issued(h, word);
}

static void issue_location(struct handles *h, ww_str location)
{
    ww_str query = ww_query_of(location), path = { 0 }, piece, name;

    ww_str_cut(&location, '?', &path);
    while (ww_str_cut(&path, '/', &piece)) {
        issue(h, ww_word(&h->m->normal, piece));
    }
    while (ww_str_cut(&query, '&', &piece)) {
        if (ww_str_cut(&piece, '=', &name) && piece.len >= HANDLE_MIN)
            issue(h, ww_word(&h->m->normal, ww_form_decode(&h->m->normal, piece)));
    }
}

/* The words of a view are sorted, and new ones have the highest numbers. */
static void issue_view(struct handles *h, uint32_t view)
{
    for (uint32_t i = h->m->normal.view[view].values; i > 0; i--) {
        uint32_t word = h->m->normal.view[view].value[i - 1];
        if (word < h->l->first_word || h->looked == ISSUED_MAX)
            return;
        issue(h, word);
    }
}

void ww_look_handles(struct model *m, const struct ww_exchange *x, const struct look *l)
{
    struct handles h = { .m = m, .x = x, .l = l, .step = m->v.steps };

    use_path(&h, ww_exchange_path(x));
    use_pairs(&h, "query ", ww_query_of(x->target));
    use_fields(&h);
    use_body(&h);
    use_cookies(&h);
    if (!l->complete)
        return;
    issue_cookies(&h);
    if (x->status >= 400)
        return;
    h.looked = 0;
    issue_location(&h,
                   ww_without_origin(ww_fields_get(&x->response_fields, WW_STR("location"))));
    for (size_t i = 0; i < x->response_fields.n; i++) {
        const struct ww_field *f = &x->response_fields.v[i];
        if (ww_field_is_session(f->name) || ww_str_find_nocase(f->name, WW_STR("csrf")) >= 0)
            issue(&h, ww_word(&m->normal, ww_str_trim(f->value)));
    }
    if (l->view != WW_NONE)
        issue_view(&h, l->view);
}
