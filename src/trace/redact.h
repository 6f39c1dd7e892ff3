/* trace: what the redaction of fields and that of bodies share. */
#ifndef WW_REDACT_H
#define WW_REDACT_H

#include <whichworker/exchange.h>

/* One exchange being redacted. Borrows all. */
struct redaction {
    struct ww_exchange *x;
    const struct ww_mac_key *key; /* NULL: values stay */
    unsigned looks;
};

/* "mac:…", in the exchange's arena; the key is not NULL. What is empty stays so. */
ww_str ww_redact_mask(struct redaction *r, ww_str secret);

/* Notes what a cookie or token says, under the value by which the exchange has it. */
void ww_redact_payload(struct redaction *r, ww_str secret, ww_str as_kept);

/* A target or a URL: its session ids and tokens masked; the key is not NULL. */
ww_str ww_redact_url(struct redaction *r, ww_str url);

/* A body of JSON, a form or text: the same; fields are its message's. Its size changes as the
 * text does, so that what was captured whole is still known to be whole. */
void ww_redact_body(struct redaction *r, struct ww_fields *fields, struct ww_body *body);

#endif
