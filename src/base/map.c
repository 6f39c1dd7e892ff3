/* A hash map, open addressing, power-of-two capacity, at most half full. */
#include <whichworker/arena.h>
#include <whichworker/mac.h>
#include <whichworker/map.h>

#include <stdlib.h>
#include <xxhash.h>

struct ww_map_slot {
    ww_str key; /* ptr NULL: free */
    uint64_t hash;
    size_t value;
};

void ww_map_init(struct ww_map *m)
{
    *m = (struct ww_map){ 0 };
    ww_random(&m->seed, sizeof(m->seed));
}

void ww_map_release(struct ww_map *m)
{
    free(m->slot);
    *m = (struct ww_map){ .seed = m->seed };
}

static struct ww_map_slot *probe(const struct ww_map *m, ww_str key, uint64_t hash)
{
    size_t i = hash & (m->cap - 1);

    while (m->slot[i].key.ptr != NULL) {
        if (m->slot[i].hash == hash && ww_str_eq(m->slot[i].key, key))
            break;
        i = (i + 1) & (m->cap - 1);
    }
    return &m->slot[i];
}

static uint64_t hash_of(const struct ww_map *m, ww_str key)
{
    return XXH3_64bits_withSeed(key.len == 0 ? "" : key.ptr, key.len, m->seed);
}

size_t *ww_map_find(const struct ww_map *m, ww_str key)
{
    if (m->len == 0)
        return NULL;

    struct ww_map_slot *s = probe(m, key, hash_of(m, key));

    return s->key.ptr == NULL ? NULL : &s->value;
}

static void enlarge(struct ww_map *m)
{
    struct ww_map old = *m;

    m->cap = old.cap == 0 ? 16 : old.cap * 2;
    m->slot = ww_xcalloc(m->cap, sizeof(*m->slot));
    for (size_t i = 0; i < old.cap; i++)
        if (old.slot[i].key.ptr != NULL)
            *probe(m, old.slot[i].key, old.slot[i].hash) = old.slot[i];
    free(old.slot);
}

size_t *ww_map_put(struct ww_map *m, ww_str key, size_t fresh, bool *out_new)
{
    if (m->len * 2 >= m->cap)
        enlarge(m);
    if (key.ptr == NULL)
        key.ptr = "";

    uint64_t hash = hash_of(m, key);
    struct ww_map_slot *s = probe(m, key, hash);
    bool is_new = s->key.ptr == NULL;

    if (is_new) {
        *s = (struct ww_map_slot){ .key = key, .hash = hash, .value = fresh };
        m->len++;
    }
    if (out_new != NULL)
        *out_new = is_new;
    return &s->value;
}

/* Closes the gap at `hole`: moves back what a search from its own place could no longer reach. */
static void close_gap(struct ww_map *m, size_t hole)
{
    size_t mask = m->cap - 1;

    for (size_t i = (hole + 1) & mask; m->slot[i].key.ptr != NULL; i = (i + 1) & mask) {
        size_t home = m->slot[i].hash & mask;
        if (((i - home) & mask) < ((i - hole) & mask))
            continue;
        m->slot[hole] = m->slot[i];
        hole = i;
    }
    m->slot[hole] = (struct ww_map_slot){ 0 };
}

void ww_map_fingerprint(const struct ww_map *m, ww_str bytes, char out[WW_FINGERPRINT])
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(bytes.ptr, bytes.len, m->seed);

    memcpy(out, &hash, WW_FINGERPRINT);
}

bool ww_map_remove(struct ww_map *m, ww_str key)
{
    if (m->len == 0)
        return false;

    struct ww_map_slot *s = probe(m, key, hash_of(m, key));

    if (s->key.ptr == NULL)
        return false;
    close_gap(m, (size_t)(s - m->slot));
    m->len--;
    return true;
}
