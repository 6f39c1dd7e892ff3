/* judge: what names tell: session cookies, log-outs, removals, fields that change by
 * themselves. */
#ifndef WW_JUDGE_SMELL_H
#define WW_JUDGE_SMELL_H

#include <whichworker/re.h>
#include <whichworker/str.h>

enum ww_cookie_kind {
    WW_COOKIE_OTHER,   /* not a session: an input of the request, like a header */
    WW_COOKIE_NOISE,   /* analytics, CSRF: neither a session nor an input */
    WW_COOKIE_WHO,     /* whom it stands for, by its name: cart_id, user. It holds a session
                          together, and is an input as well: one session may change it */
    WW_COOKIE_SESSION, /* a session, by its name */
    WW_COOKIE_ID /* a session whose value is a mere identifier: it changes only when reset */
};

struct ww_smell {
    struct ww_re *re[10];     /* by enum pattern of smell.c; owned */
    struct smell_memo *known; /* what was answered before; owned */
};

void ww_smell_init(struct ww_smell *s);
void ww_smell_release(struct ww_smell *s);

enum ww_cookie_kind ww_smell_cookie(const struct ww_smell *s, ww_str name);

/* Of a path: ends a session; begins one or proves who one is; takes state away. */
bool ww_smell_logout(const struct ww_smell *s, ww_str path);
bool ww_smell_login(const struct ww_smell *s, ww_str path);
bool ww_smell_removal(const struct ww_smell *s, ww_str path);

/* Of a member's name: its value changes by itself, or says which process speaks. */
bool ww_smell_volatile_key(const struct ww_smell *s, ww_str key);
/* Of a value: a date, a UUID, long hex or base64, an epoch number. */
bool ww_smell_volatile_value(const struct ww_smell *s, ww_str value);
/* Of a path's segment: it names one thing of many. */
bool ww_smell_id(const struct ww_smell *s, ww_str segment);

/* Of a request field: it says for whom the request is made. */
bool ww_smell_actor(const struct ww_smell *s, ww_str name);

/* A request field whose value does not change what the answer is about. */
bool ww_smell_idle_field(ww_str name);

#endif
