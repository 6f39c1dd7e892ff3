/* base: memory that dies together: one arena for each exchange, with a limit from birth. */
#ifndef WHICHWORKER_ARENA_H
#define WHICHWORKER_ARENA_H

#include <whichworker/str.h>

struct ww_arena_block;

/* Owns every byte that it handed out, until ww_arena_release. Not for several threads at once. */
struct ww_arena {
    struct ww_arena_block *block; /* the newest; older ones hang behind it */
    size_t used;                  /* bytes handed out, of all blocks */
    size_t held;                  /* bytes that the blocks take */
    size_t limit;                 /* used never passes it; SIZE_MAX for none */
};

void ww_arena_init(struct ww_arena *a, size_t limit_bytes);

/* Zeroed memory, aligned for any type; NULL when the limit would be passed (never for want of
 * memory: that aborts). */
WW_MUST void *ww_arena_try(struct ww_arena *a, size_t bytes);

/* The same where passing the limit would be a programmer's error: it aborts. */
void *ww_arena_alloc(struct ww_arena *a, size_t bytes);

/* A copy in the arena, followed by a NUL that len does not count; absent stays absent, and is what
 * comes back when the limit would be passed. */
ww_str ww_arena_dup(struct ww_arena *a, ww_str s);
ww_str ww_arena_printf(struct ww_arena *a, const char *fmt, ...) WW_FMT(2, 3);

void ww_arena_release(struct ww_arena *a);

/* malloc and realloc that abort instead of failing, for what lives long. */
void *ww_xmalloc(size_t bytes);
void *ww_xcalloc(size_t count, size_t bytes);
void *ww_xrealloc(void *p, size_t bytes);
char *ww_xstrdup(const char *c);

/* A vector's next capacity: doubles *cap so that n elements fit, and moves v. */
void *ww_grow(void *v, size_t n, size_t *cap, size_t element_bytes);

#endif
