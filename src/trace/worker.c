/* trace: what makes a worker the same one, and the words for how it is known. */
#include <whichworker/worker.h>

#include <assert.h>

static const char *const tokens[WW_SOURCES] = {
    [WW_BY_NOBODY] = "none",   [WW_BY_KERNEL] = "kernel",       [WW_BY_PRELOAD] = "preload",
    [WW_BY_HEADER] = "header", [WW_BY_AMBIGUOUS] = "ambiguous", [WW_BY_UNKNOWN] = "unknown",
};

bool ww_worker_same(struct ww_worker_id a, struct ww_worker_id b)
{
    return a.pid == b.pid && a.start_ticks == b.start_ticks;
}

const char *ww_source_token(enum ww_source s)
{
    assert((unsigned)s < WW_SOURCES);
    return tokens[s];
}

enum ww_source ww_source_find(ww_str token)
{
    for (unsigned i = 0; i < WW_SOURCES; i++) {
        if (ww_str_eq(token, ww_str_c(tokens[i])))
            return (enum ww_source)i;
    }
    return WW_SOURCES;
}
