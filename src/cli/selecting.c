/* --filter over a trace that has been judged: the exchanges are read once more. */
#include "selecting.h"

#include <whichworker/arena.h>

#include <stdlib.h>

int selecting_filter(const struct config *c, struct ww_filter **out, struct ww_err *err)
{
    *out = NULL;
    if (c->filter.ptr == NULL)
        return WW_OK;
    *out = ww_filter_new(c->filter, err);
    return *out == NULL ? ww_err_wrap(err, "--filter") : WW_OK;
}

int selecting_check(const struct config *c, struct ww_err *err)
{
    struct ww_filter *f;
    int status = selecting_filter(c, &f, err);

    ww_filter_free(f);
    return status;
}

static bool is_wanted(const struct ww_verdict *v, size_t at, const struct ww_exchange *x,
                      const struct ww_filter *f)
{
    const struct ww_step *step = &v->step[at];
    const struct ww_subject s = {
        .exchange = x,
        .worker = step->worker == WW_NO_WORKER ? NULL : &v->worker[step->worker].worker,
        .session = step->session + 1, /* "s1" is the first */
        .split = step->split,
        .verdict = v,
        .step = at,
    };

    return ww_filter_match(f, &s);
}

int selecting_wanted(const struct ww_verdict *v, struct ww_reader *r, const struct ww_filter *f,
                     bool **out, struct ww_err *err)
{
    const struct ww_exchange *x = NULL;
    bool *wanted = ww_xcalloc(v->steps, sizeof(*wanted));
    int got = ww_reader_rewind(r, err);

    /* The trace is read as it was when it was judged: its exchanges are the steps, in order. */
    for (size_t i = 0; i < v->steps && got >= 0; i++) {
        got = ww_reader_next_exchange(r, &x, err);
        if (got > 0)
            wanted[i] = is_wanted(v, i, x, f);
    }
    if (got >= 0)
        *out = wanted;
    else
        free(wanted);
    return got < 0 ? got : WW_OK;
}
