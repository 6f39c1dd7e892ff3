/* judge: the identities that a request carries, and those that its response gives out. */
#ifndef WW_CARRIERS_H
#define WW_CARRIERS_H

#include "holders.h"
#include "smell.h"

/* What comes first decides: DESIGN.md 6. */
enum rank {
    RANK_CONFIGURED,
    RANK_FIELD,  /* a field or query field that is there for nothing else */
    RANK_COOKIE, /* lineage */
    RANK_QUERY,  /* a query field that may be there for something else; WW_COOKIE_WHO */
    RANK_AUTHORIZATION,
    RANK_CLIENT
};

#define IDENTITIES_MAX 24

/* In the order in which they stand; more than these are not looked at. */
struct identities {
    struct ranked_identity {
        struct identity id;
        enum rank rank;
    } v[IDENTITIES_MAX];
    size_t n;
};

/* What is needed to find them. Borrows all. */
struct finder {
    const struct ww_sessions_config *cfg;
    const struct ww_smell *smell;
    enum ww_cookie_kind (*cookie)(const void *ctx, ww_str name, ww_str value);
    /* What the configured pattern of this number found in the readable part of a cookie. */
    ww_str (*captured)(const void *ctx, size_t carrier, ww_str value);
    const void *ctx;
};

/* Without the client itself. */
void ww_carried(const struct finder *f, const struct ww_exchange *x, struct identities *out);

/* What the response gives out: by fields, cookies, a Location, a body. */
void ww_given(const struct finder *f, const struct ww_exchange *x, struct identities *out);

/* What the configured pattern finds in a text, or absent. */
ww_str ww_carrier_capture(const struct ww_carrier *c, ww_str text);

/* The credential without its scheme: "Bearer x" to "x". */
ww_str ww_credential(ww_str authorization);

#endif
