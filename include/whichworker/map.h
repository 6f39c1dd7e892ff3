/* base: a hash map from slices to numbers; what they index belongs to the caller. */
#ifndef WHICHWORKER_MAP_H
#define WHICHWORKER_MAP_H

#include <whichworker/str.h>

/*
 * Open addressing over XXH3, seeded at random for each map, so that a peer cannot choose keys that
 * collide. Borrows every key, which must stay where it is while the map lives. Values are the
 * caller's: usually an index into a vector.
 */
struct ww_map {
    struct ww_map_slot *slot;
    size_t cap;
    size_t len;
    uint64_t seed;
};

void ww_map_init(struct ww_map *m);
void ww_map_release(struct ww_map *m);

/* The value under key, or NULL; borrowed until the next put. */
size_t *ww_map_find(const struct ww_map *m, ww_str key);

/* The value under key, put there as `fresh` if the key is new (then *out_new is true; out_new may
 * be NULL). Borrowed until the next put. */
size_t *ww_map_put(struct ww_map *m, ww_str key, size_t fresh, bool *out_new);

/* A short key for bytes that are too many to be kept as one: XXH3, 128 bits, under the map's own
 * random seed, so that nobody can make two of them meet. The same only within this map. */
#define WW_FINGERPRINT 16
void ww_map_fingerprint(const struct ww_map *m, ww_str bytes, char out[WW_FINGERPRINT]);

/* Forgets key and its value; false if there is none. What find and put lent moves. The slots stay
 * for keys to come: a map is as large as it ever was. */
bool ww_map_remove(struct ww_map *m, ww_str key);

#endif
