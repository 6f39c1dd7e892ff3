/* report: the parts of the text report that have files of their own. */
#ifndef WW_REPORT_TEXT_H
#define WW_REPORT_TEXT_H

#include <whichworker/judge.h>
#include <whichworker/paper.h>

/* One finding in full: message, proof, table, cause, fix. */
void ww_text_finding(struct ww_paper *p, const struct ww_verdict *v,
                     const struct ww_finding *f);

/* The exchanges of a session in order of time, each under its worker, with the proofs marked.
 * Long sessions are cut down to what surrounds the proofs, but for the whole of one. */
void ww_text_timeline(struct ww_paper *p, const struct ww_verdict *v, size_t session,
                      bool whole);

/* "cookie session", "Authorization", "client 127.0.0.1 …": how the session is known. */
void ww_text_key(struct ww_paper *p, const struct ww_verdict_session *s, size_t columns,
                 bool pad);

/* "GET /cars"; raw, in a buffer that the caller releases. */
void ww_text_request(struct ww_buf *b, const struct ww_step *s);

/* Three columns. */
void ww_text_status(struct ww_paper *p, unsigned status);

#endif
