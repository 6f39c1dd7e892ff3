/* judge: the tree of a session's cookie values. */
#include "model.h"

#include <stdlib.h>

#define NOWHERE UINT32_MAX
#define BEFORE  (UINT32_MAX - 1) /* a value from before the recording, or of another session */

void ww_lineage_release(struct lineage *l)
{
    free(l->base);
    free(l->tip);
    free(l->in);
    free(l->out);
    *l = (struct lineage){ 0 };
}

static const struct cookie_use *use_of(const struct model *m, size_t first, size_t n,
                                       uint32_t name)
{
    for (size_t i = n; i > 0; i--) {
        if (m->cookie[first + i - 1].name == name && !m->cookie[first + i - 1].cleared)
            return &m->cookie[first + i - 1];
    }
    return NULL;
}

/* A value that only renews another says the same. */
static bool says_the_same(const struct cookie_use *a, const struct cookie_use *b)
{
    return a != NULL && b != NULL && a->payload != WW_NONE && a->payload == b->payload;
}

/* Of one session: who set the value that each request has. last: by pair word. */
static void settle_session(struct model *m, size_t session, uint32_t *last)
{
    const struct ww_verdict_session *s = &m->v.session[session];
    struct lineage *t = &m->lineage;
    uint32_t name = ww_word(&m->normal, s->key_name);

    for (size_t i = 0; i < s->steps; i++) {
        size_t step = s->step[i];
        const struct look *l = &m->look[step];
        const struct cookie_use *sent = use_of(m, l->sent, l->sents, name);
        const struct cookie_use *set = use_of(m, l->set, l->sets, name);
        if (sent != NULL) {
            uint32_t from = last[sent->pair];
            bool mine = from != NOWHERE && m->v.step[from].session == session;
            t->base[step] = mine ? from : BEFORE;
        }
        t->tip[step] = t->base[step];
        if (set != NULL && !(sent != NULL && set->pair == sent->pair)) {
            last[set->pair] = (uint32_t)step;
            if (!says_the_same(sent, set))
                t->tip[step] = (uint32_t)step;
        }
    }
}

/* Steps of a tree are in order: a parent before its children. Sizes from the back, then places
 * from the front. */
static void settle_intervals(struct model *m)
{
    struct lineage *t = &m->lineage;
    size_t n = m->v.steps;
    uint32_t next = 0;

    for (size_t i = 0; i < n; i++) {
        t->out[i] = 1;
    }
    for (size_t i = n; i > 0; i--) {
        if (t->base[i - 1] < BEFORE)
            t->out[t->base[i - 1]] += t->out[i - 1];
    }
    /* out is the size; in of a parent moves on as its children take their places. */
    uint32_t *taken = ww_xcalloc(n + 1, sizeof *taken);
    for (size_t i = 0; i < n; i++) {
        uint32_t parent = t->base[i], size = t->out[i];
        if (parent < BEFORE) {
            t->in[i] = t->in[parent] + 1 + taken[parent];
            taken[parent] += size;
        } else {
            t->in[i] = next;
            next += size;
        }
    }
    for (size_t i = 0; i < n; i++) {
        t->out[i] += t->in[i];
    }
    free(taken);
}

static uint32_t *array(size_t n)
{
    uint32_t *a = ww_xmalloc((n + 1) * sizeof *a);

    return memset(a, 0xff, (n + 1) * sizeof *a);
}

void ww_lineage_settle(struct model *m)
{
    struct lineage *t = &m->lineage;
    size_t n = m->v.steps, words;

    ww_lineage_release(t);
    *t = (struct lineage){ array(n), array(n), array(n), array(n) };
    for (size_t i = 0; i < m->v.sessions; i++) {
        (void)ww_word(&m->normal, m->v.session[i].key_name);
    }
    words = m->normal.words;
    uint32_t *last = array(words);
    for (size_t i = 0; i < m->v.sessions; i++) {
        if (m->v.session[i].kind == WW_KEY_COOKIE)
            settle_session(m, i, last);
    }
    free(last);
    settle_intervals(m);
}

bool ww_lineage_follows(const struct model *m, size_t a, size_t b)
{
    const struct lineage *t = &m->lineage;

    if (m->v.step[a].session != m->v.step[b].session)
        return true;
    uint32_t has = t->base[b], needs = t->tip[a];
    if (has == NOWHERE || needs >= BEFORE)
        return true;
    return has != BEFORE && t->in[needs] <= t->in[has] && t->in[has] < t->out[needs];
}
