/* judge: what the judge tells the sessions beyond the exchanges themselves. */
#ifndef WW_JUDGE_SESSION_H
#define WW_JUDGE_SESSION_H

#include "smell.h"

#include <whichworker/judge.h>

/* This cookie value has a readable payload: its cookie is a session whatever its name. With
 * max_sessions the latest thousands of them are remembered. */
void ww_sessions_payload(struct ww_sessions *s, const struct ww_payload *p);

/* The kind of a cookie, by its name and by whether its value can be read. One that is
 * configured is a session at least. */
enum ww_cookie_kind ww_sessions_cookie(const struct ww_sessions *s, ww_str name, ww_str value);

/* Slots in use: without max_sessions, the sessions so far. */
size_t ww_sessions_count(const struct ww_sessions *s);

const struct ww_smell *ww_sessions_smell(const struct ww_sessions *s);

#endif
