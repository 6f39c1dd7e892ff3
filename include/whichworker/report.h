/* report: a verdict as bytes, in any of several formats; pure: the same input, the same bytes.
 */
#ifndef WHICHWORKER_REPORT_H
#define WHICHWORKER_REPORT_H

#include <whichworker/buf.h>
#include <whichworker/judge.h>

/* ---- what is reported */

/* What the policy of whoever asks makes of a finding. */
enum ww_standing {
    WW_COUNTS,  /* it fails the verdict */
    WW_BELOW,   /* its grade is under --fail-on */
    WW_ACCEPTED /* it is known (a baseline) or allowed (a rule): told, and not counted */
};

struct ww_report_standing {
    enum ww_standing is;
    ww_str why; /* of an accepted one, in the words of whoever accepted it; may be absent */
};

/* A threshold beside the findings: "coverage>=0.99". */
struct ww_report_requirement {
    ww_str text;
    ww_str actual; /* "0.97" */
    bool met;
    bool too_little; /* it is not met, since too little was seen: inconclusive, not failed */
};

/* What a gate knows beyond the verdict. All of it may be left zero but fail_on. */
struct ww_report_policy {
    enum ww_fail_on fail_on;
    const struct ww_report_standing *standing; /* one for each finding; NULL: as judged */
    const struct ww_report_requirement *requirement;
    size_t requirements;
    ww_str file; /* of the repository, where findings are shown that have no file of their own:
                    a configuration, a baseline; relative to its root; absent: none */
    ww_str trouble; /* why it could not be tried at all; absent: it was */
};

struct ww_report_style {
    bool colour;    /* ANSI colours; colour never says what the text does not say too */
    unsigned width; /* columns to wrap at; 0: 96 */
    bool brief;     /* of the text: only what is wrong, and the last line */
    ww_str trace;   /* the trace's name for headings and hints; may be absent */
    ww_str filter;  /* what is shown was selected by it; absent: all is shown */
    const struct ww_verdict *whole; /* of a filter: what it was selected from */
    struct ww_report_policy policy;
};

/* Whole exchanges, in the order of the verdict's steps, for formats that show more than a
 * verdict keeps. Both calls give < 0 and err when they fail; next gives 1 and *out, borrowed
 * until the call after, or 0 at the end. */
struct ww_exchange_source {
    void *ctx;
    int (*rewind)(void *ctx, struct ww_err *err); /* to the first; called before any next */
    int (*next)(void *ctx, const struct ww_exchange **out, struct ww_err *err);
};

struct ww_report {
    const struct ww_verdict *verdict;
    struct ww_report_style style;
    const struct ww_exchange_source *exchanges; /* NULL: there are none to be had */
};

/* ---- how */

/* Takes the bytes of a report as they come; < 0 and err stops it. */
struct ww_report_sink {
    void *ctx;
    int (*write)(void *ctx, ww_str bytes, struct ww_err *err);
};

/* A format: a row of one table. It has one of the two renderers. */
struct ww_report_format {
    const char *name;      /* "text", "json" */
    const char *extension; /* of its files, without the dot */
    const char *mime;
    const char *help; /* one sentence */
    bool is_private;  /* shows what was sent and received: a file of it is the owner's alone */

    void (*render)(const struct ww_verdict *v, const struct ww_report_style *style,
                   struct ww_buf *out);

    /* For what may be larger than memory. */
    int (*stream)(const struct ww_report *r, const struct ww_report_sink *sink,
                  struct ww_err *err);
};

/* All formats, ended by a row whose name is NULL. */
extern const struct ww_report_format ww_report_formats[];

/* NULL if there is none of that name. */
const struct ww_report_format *ww_report_format_find(ww_str name);

/* Writes the whole report to the sink, whichever renderer the format has. WW_ELIMIT if it would
 * be larger than 1 GiB and must be made in memory. */
int ww_report_write(const struct ww_report_format *f, const struct ww_report *r,
                    const struct ww_report_sink *sink, struct ww_err *err);

/* The standing of a finding by its index: the policy's word, or the judge's. */
struct ww_report_standing ww_report_standing_of(const struct ww_verdict *v,
                                                const struct ww_report_policy *policy,
                                                size_t finding);

/* "2 passed, 1 failed, 0 inconclusive" and the end of the line: guarantees and thresholds,
 * counted. Stable: scripts read it. */
void ww_report_count(const struct ww_verdict *v, const struct ww_report_policy *policy,
                     struct ww_buf *out);

/* The exit status of a verdict: 0 pass, 1 fail, 2 inconclusive. */
int ww_report_exit_status(const struct ww_verdict *v);

#endif
