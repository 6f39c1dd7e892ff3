/* judge: the identities that sessions hold: lookup, lineage, and what is forgotten. */
#include "holders.h"

#include <stdlib.h>

/* How many holders of one identity, and identities of one session, are looked at. */
#define HOLDERS_SEEN 64

/* Where sessions are bounded: of one that goes on for weeks, the latest identities. */
#define HOLDERS_KEPT 16

/* Heads are limited long before a value gets so large; what is longer is compared as far. */
#define KEY_MAX (1u << 20)

void ww_holders_init(struct holders *h, size_t max_sessions)
{
    *h = (struct holders){ .max_sessions = max_sessions < NO_SLOT ? max_sessions : NO_SLOT - 1,
                           .oldest = NO_SLOT,
                           .newest = NO_SLOT };
    ww_buf_init(&h->scratch, KEY_MAX);
    ww_map_init(&h->at);
}

static void free_session(struct session *s)
{
    for (struct holder *one = s->oldest; one != NULL;) {
        struct holder *next = one->newer_mine;
        free(one);
        one = next;
    }
    free((char *)s->key.name.ptr);
}

void ww_holders_release(struct holders *h)
{
    for (size_t i = 0; i < h->sessions; i++) {
        free_session(&h->session[i]);
    }
    free(h->session);
    ww_map_release(&h->at);
    ww_buf_release(&h->scratch);
}

/* ---- by use */

static void unlink_session(struct holders *h, uint32_t slot)
{
    struct session *s = &h->session[slot];

    *(s->older == NO_SLOT ? &h->oldest : &h->session[s->older].newer) = s->newer;
    *(s->newer == NO_SLOT ? &h->newest : &h->session[s->newer].older) = s->older;
}

static void link_newest(struct holders *h, uint32_t slot)
{
    struct session *s = &h->session[slot];

    s->older = h->newest;
    s->newer = NO_SLOT;
    *(s->older == NO_SLOT ? &h->oldest : &h->session[s->older].newer) = slot;
    h->newest = slot;
}

void ww_holders_touch(struct holders *h, uint32_t slot)
{
    if (h->newest == slot)
        return;
    unlink_session(h, slot);
    link_newest(h, slot);
}

/* ---- keys */

/* Borrowed until the next one is made. The second byte keeps names and values apart. */
static ww_str key_of(struct holders *h, const struct identity *id)
{
    ww_buf_clear(&h->scratch);
    ww_buf_add_char(&h->scratch, (char)id->space);
    ww_buf_add(&h->scratch, id->name);
    for (size_t i = 1; i < h->scratch.len && id->space == SPACE_HEADER; i++) {
        char *c = &h->scratch.ptr[i];
        *c = *c >= 'A' && *c <= 'Z' ? (char)(*c - 'A' + 'a') : *c;
    }
    ww_buf_add_char(&h->scratch, '=');
    ww_buf_add(&h->scratch, id->value);
    return ww_buf_str(&h->scratch);
}

static ww_str holder_key(const struct holder *one)
{
    return ww_str_n(one->key, one->key_bytes);
}

/* A map's values are numbers. */
static struct holder *holder_at(const size_t *at)
{
    return at == NULL ? NULL
                      : (struct holder *)(uintptr_t)*at; // NOLINT(performance-no-int-to-ptr)
}

struct holder *ww_holders_find(struct holders *h, const struct identity *id)
{
    return holder_at(ww_map_find(&h->at, key_of(h, id)));
}

static ww_str name_of(const struct holder *one)
{
    return ww_str_n(one->key, one->name_bytes);
}

/* ---- holding */

/* The map borrows its key from the newest holder. */
static void unhook(struct holders *h, struct holder *one)
{
    if (one->older != NULL)
        one->older->newer = one->newer;
    if (one->newer != NULL) {
        one->newer->older = one->older;
        return;
    }
    ww_map_remove(&h->at, holder_key(one));
    if (one->older != NULL)
        ww_map_put(&h->at, holder_key(one->older), (size_t)(uintptr_t)one->older, NULL);
}

static void drop(struct holders *h, struct session *s, struct holder *one)
{
    unhook(h, one);
    *(one->older_mine == NULL ? &s->oldest : &one->older_mine->newer_mine) = one->newer_mine;
    *(one->newer_mine == NULL ? &s->newest : &one->newer_mine->older_mine) = one->older_mine;
    s->holders--;
    free(one);
}

void ww_holders_drop(struct holders *h, uint32_t slot, enum space space)
{
    struct session *s = &h->session[slot];

    for (struct holder *one = s->oldest; one != NULL;) {
        struct holder *next = one->newer_mine;
        if (one->key[0] == (char)space)
            drop(h, s, one);
        one = next;
    }
}

static void outdate(struct session *s, const struct holder *fresh)
{
    size_t seen = 0;

    for (struct holder *one = s->newest; one != NULL && seen < HOLDERS_SEEN;
         one = one->older_mine) {
        if (one != fresh && ww_str_eq(name_of(one), name_of(fresh)))
            one->live = false;
        seen++;
    }
}

/* The session's own holder of what `head` holds, or NULL. */
static struct holder *mine_among(struct holder *head, uint32_t slot)
{
    size_t seen = 0;

    for (; head != NULL && seen < HOLDERS_SEEN; head = head->older) {
        if (head->slot == slot)
            return head;
        seen++;
    }
    return NULL;
}

static struct holder *holder_new(struct holders *h, uint32_t slot, ww_str key,
                                 size_t name_bytes)
{
    struct session *s = &h->session[slot];
    struct holder *one = ww_xmalloc(sizeof *one + key.len);

    *one = (struct holder){ .older_mine = s->newest,
                            .slot = slot,
                            .key_bytes = (uint32_t)key.len,
                            .name_bytes = (uint16_t)name_bytes };
    memcpy(one->key, key.ptr, key.len);
    *(s->newest == NULL ? &s->oldest : &s->newest->newer_mine) = one;
    s->newest = one;
    s->holders++;
    return one;
}

struct holder *ww_holders_hold(struct holders *h, uint32_t slot, const struct identity *id)
{
    ww_str key = key_of(h, id);
    struct holder *head = holder_at(ww_map_find(&h->at, key));
    struct holder *one = mine_among(head, slot);
    size_t name_bytes = 1 + id->name.len < UINT16_MAX ? 1 + id->name.len : UINT16_MAX;

    if (one == NULL) {
        one = holder_new(h, slot, key, name_bytes < key.len ? name_bytes : key.len);
        if (head != NULL) {
            ww_map_remove(&h->at, key);
            head->newer = one;
        }
        one->older = head;
        ww_map_put(&h->at, holder_key(one), (size_t)(uintptr_t)one, NULL);
    }
    outdate(&h->session[slot], one);
    one->live = true;
    if (h->max_sessions > 0 && h->session[slot].holders > HOLDERS_KEPT)
        drop(h, &h->session[slot], h->session[slot].oldest);
    return one;
}

/* ---- sessions */

static void set_key(struct session *s, const struct identity *id, bool weak)
{
    char *text = ww_xmalloc(id->name.len + id->value.len);

    if (id->name.len > 0)
        memcpy(text, id->name.ptr, id->name.len);
    if (id->value.len > 0)
        memcpy(text + id->name.len, id->value.ptr, id->value.len);
    free((char *)s->key.name.ptr);
    s->key.kind = id->kind;
    s->key.name = ww_str_n(text, id->name.len);
    s->key.value = ww_str_n(text + id->name.len, id->value.len);
    s->key.weak = weak;
}

static uint32_t free_slot(struct holders *h)
{
    if (h->max_sessions == 0 || h->sessions < h->max_sessions) {
        if (h->sessions == h->cap)
            h->session = ww_grow(h->session, h->sessions + 1, &h->cap, sizeof *h->session);
        return (uint32_t)h->sessions++;
    }
    uint32_t slot = h->oldest;
    struct session *s = &h->session[slot];

    while (s->oldest != NULL) {
        drop(h, s, s->oldest);
    }
    unlink_session(h, slot);
    free_session(s);
    return slot;
}

uint32_t ww_holders_begin(struct holders *h, const struct identity *id, bool weak)
{
    uint32_t slot = free_slot(h);

    h->session[slot] =
        (struct session){ .key = { .number = ++h->ever }, .one_connection = true };
    set_key(&h->session[slot], id, weak);
    link_newest(h, slot);
    return slot;
}

void ww_holders_rename(struct holders *h, uint32_t slot, const struct identity *id, bool weak)
{
    set_key(&h->session[slot], id, weak);
}
