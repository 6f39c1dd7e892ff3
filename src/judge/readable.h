/* judge: which cookie values can be read, and what configured patterns find in them. */
#ifndef WW_READABLE_H
#define WW_READABLE_H

#include <whichworker/judge.h>
#include <whichworker/map.h>

/* Owns all but cfg. Where sessions are bounded it has two generations: when the young one is
 * full the old one is freed, and the young one is old. */
struct readable {
    const struct ww_sessions_config *cfg;
    struct generation {
        struct ww_arena arena;
        struct ww_map value;   /* values of cookies and tokens */
        struct ww_map capture; /* carrier and value: a ww_str, as a number */
    } young, old;
};

void ww_readable_init(struct readable *r, const struct ww_sessions_config *cfg);
void ww_readable_release(struct readable *r);

void ww_readable_add(struct readable *r, const struct ww_payload *p);
bool ww_readable_has(const struct readable *r, ww_str value);

/* What the carrier's pattern found in what the value says, or absent. */
ww_str ww_readable_capture(const struct readable *r, size_t carrier, ww_str value);

#endif
