/* cli: which exchanges of a trace --filter means. */
#ifndef WW_SELECTING_H
#define WW_SELECTING_H

#include "config.h"

#include <whichworker/filter.h>
#include <whichworker/store.h>

/* What --filter says; *out is NULL without it. WW_EUSAGE and a caret if it is wrong. */
int selecting_filter(const struct config *c, struct ww_filter **out, struct ww_err *err);

/* Only whether it is right: before anything is started. */
int selecting_check(const struct config *c, struct ww_err *err);

/* Reads the trace again: for each step of the verdict whether the filter selects it; the
 * caller's to free. */
int selecting_wanted(const struct ww_verdict *v, struct ww_reader *r, const struct ww_filter *f,
                     bool **out, struct ww_err *err);

#endif
