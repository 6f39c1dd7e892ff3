/* cli: a recorded trace, judged, held against the policy, and reported. */
#ifndef WW_JUDGEMENT_H
#define WW_JUDGEMENT_H

#include "policy.h"

#include <whichworker/filter.h>
#include <whichworker/store.h>

/* Borrows all of it. */
struct judgement_input {
    const struct config *config;
    const char *trace;         /* NULL: nothing was recorded */
    ww_str trouble;            /* why the run is not whole; absent: it is */
    struct baseline *baseline; /* NULL: none */
    size_t ready;              /* workers that were there to serve; 0: not known */
};

/* Owns its parts. Zeroed: nothing. */
struct judgement {
    struct ww_reader *reader; /* NULL: nothing was recorded */
    struct ww_judge *judge;
    struct baseline *updated;
    struct policy policy;
    /* What a filter has left to show. */
    const struct ww_filter *filter; /* NULL: all is shown; borrowed */
    struct ww_selection selection;
    struct ww_report_standing *standing; /* of the findings that are left */
    size_t chosen, read;                 /* how far a source of exchanges is */
};

/* What --baseline names; *out is NULL without it. WW_EUSAGE if it cannot be read. */
int judgement_baseline(const struct config *c, struct baseline **out, struct ww_err *err);

/* Reads and judges; writes the baseline anew if that is asked for. < 0 and err: the trace is
 * unreadable, or the baseline cannot be written. Close it whatever came of it. */
int judgement_open(struct judgement *j, const struct judgement_input *in, struct ww_err *err);
void judgement_close(struct judgement *j);

/* From now on only what the filter selects is reported; the verdict stays. Borrows f. */
int judgement_filter(struct judgement *j, const struct ww_filter *f, enum ww_selecting how,
                     struct ww_err *err);

/* The whole exchanges of what is reported. Borrows j, which must have a trace. */
struct ww_exchange_source judgement_source(struct judgement *j);

/* The notes of the policy on standard error, what GitHub Actions is told, and the reports that
 * go to files. `name`: the trace's, for headings; may be absent. */
int judgement_write(struct judgement *j, const struct config *c, ww_str name,
                    struct ww_err *err);

/* What all formats are made from: all but colour and width. */
struct ww_report judgement_report(struct judgement *j, ww_str name,
                                  const struct ww_exchange_source *exchanges);

#endif
