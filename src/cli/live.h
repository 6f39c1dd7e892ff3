/* cli: what a running proxy tells: a line for each exchange, and the summary at the end. */
#ifndef WW_LIVE_H
#define WW_LIVE_H

#include <whichworker/filter.h>
#include <whichworker/judge.h>
#include <whichworker/proxy.h>

struct live;

/* lines: whether each exchange gets one. fd is borrowed, and what sessions points at. */
/* filter: which of them; borrowed; NULL: all. */
struct live *live_new(int fd, bool lines, bool colour,
                      const struct ww_sessions_config *sessions,
                      const struct ww_filter *filter);
void live_free(struct live *l); /* NULL is fine */

/* On the recorder's thread. live_exchange gives the session's number in the lines, from 1 on.
 */
uint64_t live_exchange(struct live *l, const struct ww_exchange *x); /* redacted already */
void live_worker(struct live *l, const struct ww_worker *w);
void live_flush(struct live *l);

/* A line of its own, with the time before it; also without `lines`. On any thread, at once. */
enum live_tone { LIVE_ALARM, LIVE_WARNING, LIVE_ASIDE };
void live_tell(struct live *l, enum live_tone tone, ww_str line);

/* When the recorder's thread has ended: what has been seen, and where it went. */
struct live_ending {
    struct ww_proxy_stats proxy;
    uint64_t stalls;
    uint64_t lost;
    double seconds;
    ww_str trace; /* absent: none was recorded */
};
/* judging: NULL if nobody judged. */
struct judging;
void live_summary(const struct live *l, const struct live_ending *e,
                  const struct judging *judging, struct ww_buf *out);

#endif
