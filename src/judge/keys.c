/* Tells keys apart by what they make of equal contents. */
#include "keys.h"

#include <stdlib.h>

#define SIGNERS_MAX 256 /* workers of one content that are compared with each other */

struct key {
    size_t part[3];
};

static ww_str text_of(const struct key *key)
{
    return ww_str_n((const char *)key, sizeof *key);
}

static struct key fickle_key(uint32_t cookie)
{
    return (struct key){ { cookie, 0, 0 } };
}

/* The two workers in one order, whichever comes first. */
static struct key pair_key(uint32_t cookie, size_t a, size_t b)
{
    return (struct key){ { cookie, a < b ? a : b, a < b ? b : a } };
}

/* The slot under key; put there as `fresh` if it is new. */
static size_t *put(struct keys *k, struct ww_map *map, struct key key, size_t fresh)
{
    size_t *known = ww_map_find(map, text_of(&key));

    if (known != NULL)
        return known;
    return ww_map_put(map, ww_arena_dup(&k->arena, text_of(&key)), fresh, NULL);
}

static void compare(struct keys *k, const struct cookie_use *set, size_t worker,
                    const struct signer *other)
{
    if (other->pair == set->pair)
        return;
    if (other->worker == worker)
        put(k, &k->fickle, fickle_key(set->name), 1);
    else
        put(k, &k->differ, pair_key(set->name, other->worker, worker), 1);
}

static void note_one(struct keys *k, const struct cookie_use *set, size_t worker)
{
    struct key key = { { set->name, set->content, 0 } };
    size_t *first = put(k, &k->content, key, WW_NONE);
    bool known = false;
    size_t seen = 0;

    for (size_t i = *first; i != WW_NONE; i = k->signer[i].next) {
        compare(k, set, worker, &k->signer[i]);
        known = known || k->signer[i].worker == worker;
        seen++;
    }
    if (known || seen == SIGNERS_MAX)
        return;
    k->signer = ww_grow(k->signer, k->signers + 1, &k->cap, sizeof *k->signer);
    k->signer[k->signers] =
        (struct signer){ .worker = worker, .pair = set->pair, .next = *first };
    *first = k->signers++;
}

static void note_uses(struct keys *k, const struct model *m, size_t first, size_t n,
                      size_t worker)
{
    for (size_t i = 0; i < n; i++) {
        const struct cookie_use *use = &m->cookie[first + i];
        if (use->content != WW_NONE && !use->cleared)
            note_one(k, use, worker);
    }
}

struct keys *ww_keys_new(const struct model *m)
{
    struct keys *k = ww_xcalloc(1, sizeof *k);

    ww_map_init(&k->content);
    ww_map_init(&k->differ);
    ww_map_init(&k->fickle);
    ww_arena_init(&k->arena, SIZE_MAX);
    for (size_t i = 0; i < m->v.steps; i++) {
        const struct look *l = &m->look[i];
        if (!ww_speaks(m, i))
            continue;
        note_uses(k, m, l->set, l->sets, m->v.step[i].worker);
        note_uses(k, m, l->given, l->givens, m->v.step[i].worker);
    }
    return k;
}

void ww_keys_free(struct keys *k)
{
    if (k == NULL)
        return;
    ww_map_release(&k->content);
    ww_map_release(&k->differ);
    ww_map_release(&k->fickle);
    ww_arena_release(&k->arena);
    free(k->signer);
    free(k);
}

bool ww_keys_differ(const struct keys *k, uint32_t cookie, size_t worker_a, size_t worker_b)
{
    struct key both = pair_key(cookie, worker_a, worker_b);
    struct key fickle = fickle_key(cookie);

    return ww_map_find(&k->differ, text_of(&both)) != NULL &&
           ww_map_find(&k->fickle, text_of(&fickle)) == NULL;
}
