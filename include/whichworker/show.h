/* report: a trace looked at closely: its sessions, one of them, an exchange, two side by side.
 */
#ifndef WHICHWORKER_SHOW_H
#define WHICHWORKER_SHOW_H

#include <whichworker/report.h>

/* One line for each session of the verdict. */
void ww_show_sessions(const struct ww_verdict *v, const struct ww_report_style *style,
                      struct ww_buf *out);

/* All of a session's exchanges, each under the worker that served it. */
void ww_show_session(const struct ww_verdict *v, size_t session,
                     const struct ww_report_style *style, struct ww_buf *out);

/* An exchange in full, as lines. Copies what it is made from. */
struct ww_show;

/* step: of x, in v. payload: those of the trace; the ones whose value x holds are shown. */
struct ww_show *ww_show_new(const struct ww_verdict *v, size_t step,
                            const struct ww_exchange *x, const struct ww_payload *payload,
                            size_t payloads);
void ww_show_free(struct ww_show *s); /* NULL is fine */

void ww_show_exchange(const struct ww_show *s, const struct ww_report_style *style,
                      struct ww_buf *out);

/* Side by side, line for line, with a mark between those that differ: | changed, < only left,
 * > only right. */
void ww_show_pair(const struct ww_show *left, const struct ww_show *right,
                  const struct ww_report_style *style, struct ww_buf *out);

#endif
