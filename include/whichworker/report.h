/* report: a verdict as text or JSON; pure: the same verdict gives the same bytes. */
#ifndef WHICHWORKER_REPORT_H
#define WHICHWORKER_REPORT_H

#include <whichworker/buf.h>
#include <whichworker/judge.h>

struct ww_report_style {
    bool colour;   /* ANSI colours; colour never says what the text does not say too */
    unsigned width; /* columns to wrap at; 0: 96 */
    ww_str trace;  /* the trace's name for headings and hints; may be absent */
};

/* A format: a row of one table. */
struct ww_report_format {
    const char *name; /* "text", "json" */
    const char *help;
    void (*render)(const struct ww_verdict *v, const struct ww_report_style *style,
                   struct ww_buf *out);
};

/* All formats, ended by a row whose name is NULL. */
extern const struct ww_report_format ww_report_formats[];

/* NULL if there is none of that name. */
const struct ww_report_format *ww_report_format_find(ww_str name);

/* The exit status of a verdict: 0 pass, 1 fail, 2 inconclusive. */
int ww_report_exit_status(const struct ww_verdict *v);

#endif
