/* judge: read-your-writes, what the session's readable cookie says of a loss. */
#include "read_your_writes.h"

static bool any_payload_shows(struct model *m, size_t first, size_t n, uint32_t value)
{
    for (size_t i = 0; i < n; i++) {
        uint32_t payload = m->cookie[first + i].payload;
        if (payload != WW_NONE && ww_view_shows(&m->normal, payload, value))
            return true;
    }
    return false;
}

bool ww_in_payload(struct model *m, size_t write, size_t lost)
{
    const struct look *w = &m->look[write], *r = &m->look[lost];

    for (size_t i = 0; i < w->carrieds; i++) {
        struct carried what = m->carried[w->carried + i];
        if (!what.place && any_payload_shows(m, w->set, w->sets, what.value) &&
            !any_payload_shows(m, w->sent, w->sents, what.value) &&
            any_payload_shows(m, r->sent, r->sents, what.value))
            return true;
    }
    return false;
}

bool ww_mirrors(struct model *m, size_t read)
{
    const struct look *l = &m->look[read];
    uint32_t payload = l->sets == 0 ? WW_NONE : m->cookie[l->set].payload;

    if (m->reset[read] < WW_LIKELY || payload == WW_NONE || l->view == WW_NONE ||
        m->normal.view[payload].leaves == 0)
        return false;
    for (uint32_t i = 0; i < m->normal.view[payload].leaves; i++) {
        if (!ww_view_shows(&m->normal, l->view, m->normal.view[payload].leaf[i].value))
            return false;
    }
    return true;
}

/* "/cars/ * /name" to "cars" */
static ww_str top_member(ww_str path)
{
    ww_str rest = ww_str_from(path, path.len > 0), name;

    ww_str_cut(&rest, '/', &name);
    return name;
}

/* The member of the payload in which the value stands, or WW_NONE. */
static uint32_t member_holding(struct model *m, uint32_t payload, uint32_t value)
{
    for (uint32_t i = 0; i < m->normal.view[payload].leaves; i++) {
        struct leaf leaf = m->normal.view[payload].leaf[i];
        if (leaf.value == value)
            return ww_word(&m->normal, top_member(ww_word_text(&m->normal, leaf.path)));
    }
    return WW_NONE;
}

/* The scalars under a member of this name, wherever it stands. */
static size_t scalars_under(const struct normal *n, uint32_t view, ww_str member)
{
    const struct view *v = &n->view[view];
    size_t found = 0;

    for (uint32_t i = 0; i < v->leaves; i++) {
        ww_str rest = ww_word_text(n, v->leaf[i].path), name;
        bool under = false;
        while (!under && ww_str_cut(&rest, '/', &name)) {
            under = ww_str_eq(name, member);
        }
        found += under;
    }
    return found;
}

bool ww_names_member(struct model *m, size_t write, const struct carried *what, size_t read)
{
    const struct look *w = &m->look[write], *r = &m->look[read];

    /* A read that takes something out of the session sets the cookie anew. */
    if (r->sets > 0 || r->view == WW_NONE || m->normal.view[r->view].kind != VIEW_JSON)
        return false;
    for (size_t i = 0; i < w->sets; i++) {
        uint32_t payload = m->cookie[w->set + i].payload;
        uint32_t member =
            payload == WW_NONE ? WW_NONE : member_holding(m, payload, what->value);
        if (member == WW_NONE || !ww_view_shows(&m->normal, r->view, member))
            continue;
        /* As much under another form (translated, in capitals) is no loss. */
        ww_str name = ww_word_text(&m->normal, member);
        if (scalars_under(&m->normal, r->view, name) < scalars_under(&m->normal, payload, name))
            return true;
    }
    return false;
}
