/* attrib: reports of accepted connections, kept until somebody asks for them; bounded. */
#ifndef WW_ATTRIB_REPORTS_H
#define WW_ATTRIB_REPORTS_H

#include "acceptor.h"

#include <whichworker/shim.h>

#define REPORTS_BUCKETS 1024
#define REPORTS_WAYS    8

/* What tells one connection from all others: both ends over TCP, the client's name otherwise.
 */
struct report_key {
    uint8_t bytes[40];
};

/* Of a datagram as it came. False: it is no report of this version, or makes no sense. */
WW_MUST bool report_read(const void *bytes, size_t len, struct report_key *out_key,
                         struct ww_shim_report *out_report);

/* Of a connection of ours. False: it has no name by which it could be reported. */
WW_MUST bool report_key_of(const struct ww_flow *flow, struct report_key *out_key);

struct report_entry {
    struct report_key key;
    struct acceptor who;
    bool used;
};

struct reports {
    struct report_entry entry[REPORTS_BUCKETS][REPORTS_WAYS];
};

/* The oldest of a full bucket makes way. */
void reports_put(struct reports *r, const struct report_key *key, const struct acceptor *who);

enum reports_found {
    REPORTS_NONE,
    REPORTS_ONE,
    REPORTS_CONTESTED /* several processes claim the connection */
};

/* Takes what was heard of the connection since then; older claims are of an earlier connection
 * between the same addresses. */
enum reports_found reports_take(struct reports *r, const struct report_key *key,
                                int64_t since_us, struct acceptor *out_who);

#endif
