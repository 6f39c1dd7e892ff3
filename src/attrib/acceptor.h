/* attrib: judging a connection whose acceptor is known without looking for it. */
#ifndef WW_ATTRIB_ACCEPTOR_H
#define WW_ATTRIB_ACCEPTOR_H

#include <whichworker/attrib.h>

struct acceptor {
    int32_t pid;
    int fd; /* the connection's number there */
    int64_t accepted_us;
    int64_t heard_us; /* when it was heard of: it lived before that */
};

/* Makes the process a member of the family, so that it is known even if it dies soon. */
void ww_attrib_meet(struct ww_attrib *a, int32_t pid);

/*
 * ww_attrib_confirm, for a connection of which it is certain who accepted it. Did that process
 * answer by itself? KNOWN: *out_worker is it.
 */
WW_MUST enum ww_owner ww_attrib_confirm_acceptor(struct ww_attrib *a, struct ww_flow *flow,
                                                 const struct acceptor *who,
                                                 struct ww_worker *out_worker);

/* Is b among the parents of a, as far as both are known? Then a can have got it from b. */
bool ww_attrib_is_parent(struct ww_attrib *a, int32_t child, int32_t parent);

#endif
