/* judge: read-your-writes, whether a read shows a value, lacks it, or says nothing of it. */
#include "read_your_writes.h"

#define NAME_MIN  8    /* bytes of a name that occurs nowhere by chance */
#define QUERY_MAX 4096 /* bytes; what a longer query asks for is not known */

static bool is_paged(ww_str target)
{
    static const char *const name[] = {
        "page", "limit", "offset", "per_page", "cursor", "size="
    };

    ptrdiff_t at = ww_str_find(target, WW_STR("?"));
    ww_str query = at < 0 ? (ww_str){ 0 } : ww_str_from(target, (size_t)at);

    for (size_t i = 0; i < sizeof name / sizeof *name && query.len <= QUERY_MAX; i++) {
        if (ww_str_find_nocase(query, ww_str_c(name[i])) >= 0)
            return true;
    }
    return query.len > QUERY_MAX;
}

static bool is_removal(const struct model *m, size_t step, void *ctx)
{
    return m->look[step].removal || m->look[step].logout;
}

/* A path that a write gave out stands for that write alone: what else ran at the time is no
 * matter, as long as it takes nothing away. */
static enum ww_sight see_place(const struct model *m, const struct carried *what, size_t step)
{
    const struct ww_step *s = &m->v.step[step];

    if (m->look[step].path != what->value || !ww_speaks(m, step))
        return SIGHT_NOTHING;
    if (s->status / 100 == 2)
        return SIGHT_SHOWN;
    return (s->status == 404 || s->status == 410) &&
                   !ww_changed_between(m, s->started_us, s->ended_us, is_removal, NULL)
               ? SIGHT_MISSING
               : SIGHT_NOTHING;
}

/* The value stands at a place that differs from read to read within one worker. */
static bool in_noise(const struct model *m, size_t step, uint32_t value)
{
    uint32_t place = ww_view_place(&m->normal, m->look[step].view, value);

    return place != WW_NONE && ww_mask_replaced(&m->normal, m->look[step].scope, place);
}

static bool is_answer(const struct model *m, const struct carried *what)
{
    return ww_str_starts(ww_word_text(&m->normal, what->field), WW_STR("answer "));
}

static ww_str member_of(ww_str path)
{
    size_t from = path.len;

    while (from > 0 && path.ptr[from - 1] != '/') {
        from--;
    }
    return ww_str_from(path, from);
}

/* The view has a scalar of this member's name. */
static bool has_member(const struct normal *n, uint32_t view, ww_str name)
{
    const struct view *v = &n->view[view];

    for (uint32_t i = 0; i < v->leaves; i++) {
        if ((i == 0 || v->leaf[i].path != v->leaf[i - 1].path) &&
            ww_str_eq(member_of(ww_word_text(n, v->leaf[i].path)), name))
            return true;
    }
    return false;
}

/* "item-f1288201": long, and letters and digits: it occurs nowhere by chance. */
static bool is_name(const struct normal *n, uint32_t word)
{
    ww_str text = n->word[word].text;
    size_t digits = 0, letters = 0;

    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c == ' ')
            return false;
        digits += c >= '0' && c <= '9';
        letters += (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    }
    return text.len >= NAME_MIN && digits > 1 && letters > 1;
}

/*
 * What an answer gave out is often a small number or an ordinary word, which occurs elsewhere
 * by chance: it must stand in a member of the same name; in a text it must be all there is,
 * under the same path. What is a name of its own may stand anywhere.
 */
static bool fits(const struct model *m, size_t write, const struct carried *what, size_t read)
{
    const struct normal *n = &m->normal;
    const struct look *w = &m->look[write], *r = &m->look[read];
    ww_str field = ww_str_from(ww_word_text(n, what->field), 7);
    uint32_t place = ww_view_place(n, r->view, what->value);

    if (is_name(n, what->value))
        return true;
    if (n->view[w->view].kind == VIEW_TEXT || n->view[w->view].leaves == 1) {
        return n->view[w->view].leaves == 1 && n->view[r->view].leaves == 1 &&
               w->path == r->path;
    }
    if (place != WW_NONE)
        return ww_str_eq(member_of(ww_word_text(n, place)), member_of(field));
    return n->view[r->view].kind == VIEW_JSON && has_member(n, r->view, member_of(field));
}

enum ww_sight ww_see(struct model *m, size_t write, const struct carried *what, size_t step)
{
    if (what->place)
        return see_place(m, what, step);
    if (!ww_readable(m, step) || (is_answer(m, what) && !fits(m, write, what, step)))
        return SIGHT_NOTHING;
    if (ww_view_shows(&m->normal, m->look[step].view, what->value))
        return in_noise(m, step, what->value) ? SIGHT_NOTHING : SIGHT_SHOWN;
    if (m->normal.view[m->look[step].view].cut || is_paged(m->v.step[step].target))
        return SIGHT_NOTHING;
    return SIGHT_MISSING;
}

/* A read of one thing of many says nothing about writes to another: /items/17 need not show
 * what went to /items. */
bool ww_is_of_another_thing(const struct model *m, size_t write, const struct carried *what,
                            size_t read)
{
    ww_str path = ww_word_text(&m->normal, m->look[read].path);
    ww_str to = ww_word_text(&m->normal, m->look[write].path);

    if (what->place ||
        ww_str_find(ww_word_text(&m->normal, m->look[read].scope), WW_STR("{id}")) < 0)
        return false;
    return !ww_str_starts(to, path) &&
           (ww_str_find(ww_word_text(&m->normal, m->look[write].route), WW_STR("{id}")) < 0 ||
            !ww_str_starts(path, to));
}
