/* judge: what the files share that look at one exchange. */
#ifndef WW_JUDGE_LOOK_H
#define WW_JUDGE_LOOK_H

#include "model.h"

void ww_add2(struct ww_buf *out, const char *before, ww_str text);

/* A text that is needed only until it has become a word: cleared by the next call. */
struct ww_buf *ww_scratch(struct model *m);
uint32_t ww_scratch_word(struct model *m);

/* Behind the '?', without a fragment; borrows. */
ww_str ww_query_of(ww_str target);

/* "http://host/login?next=/a" to "/login?next=/a"; borrows. */
ww_str ww_without_origin(ww_str location);

/* The values that a write's request carries; its answer gives out, if it went well; and the
 * word for how it was answered. They need l->view. */
void ww_carry_request(struct model *m, const struct ww_exchange *x, struct look *l);
void ww_carry_answer(struct model *m, const struct ww_exchange *x, struct look *l);
uint32_t ww_shape_of(struct model *m, const struct ww_exchange *x, const struct look *l);

/* The view of the response fields that count, as numbers at "/field ETag"; or WW_NONE. */
uint32_t ww_look_fields(struct model *m, const struct ww_exchange *x);

/* What the request brings along of what was given out before, and what the answer gives out.
 * They need l->view and l->first_word; it is the newest step. */
void ww_look_handles(struct model *m, const struct ww_exchange *x, const struct look *l);

/* Session cookies sent and set; and what else the request says of who asks. */
void ww_look_cookies(struct model *m, const struct ww_exchange *x, struct look *l);
void ww_look_credential(struct model *m, const struct ww_exchange *x, struct look *l);

/* What a readable cookie or token says of its time (exp, nbf: RFC 7519 4.1) explains that it is
 * refused, or nearly. */
WW_MUST bool ww_is_untimely(struct model *m, uint32_t payload, const struct ww_exchange *x);

/* The readable tokens that an answer gives out. They stand behind the cookies: call it when
 * those are done. It needs l->login and l->kind. */
void ww_look_tokens(struct model *m, const struct ww_exchange *x, struct look *l);

#endif
