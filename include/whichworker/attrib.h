/* attrib: which process accepted this connection? One look never blocks; there is no loop here.
 */
#ifndef WHICHWORKER_ATTRIB_H
#define WHICHWORKER_ATTRIB_H

#include <whichworker/addr.h>
#include <whichworker/err.h>
#include <whichworker/worker.h>

/*
 * An upstream connection as seen from our end, once it is connected. Zero `state` to begin
 * with: it is attrib's own memory of earlier looks at the same connection.
 */
struct ww_flow {
    int fd;               /* ours; needed only for a Unix socket's inode, on the first look */
    struct ww_addr local; /* our end of a TCP connection */
    struct ww_addr peer;  /* the worker's end */
    int64_t opened_us;    /* ww_clock_mono_us when the connect began */
    struct {
        uint64_t our_inode;  /* Unix: of our socket */
        uint64_t inode;      /* of the accepted socket, once there is one; 0 before */
        int64_t accepted_us; /* ww_clock_mono_us of the first look that found it accepted; 0
                                before */
        struct ww_worker_id owner; /* whom the last look found with it */
        int owner_fd;              /* its number there */
        bool named;                /* the last look said KNOWN */
        uint64_t last_pid;         /* the PID given out last when it said so; 0: not known */
        bool let_go;               /* nobody looked: the shim's report is waited for */
    } state;
    enum ww_source by; /* who named the owner that the last KNOWN spoke of */
    /* Another source that named somebody else: remembered, so that it can be told. NOBODY:
     * none. */
    enum ww_source also_by;
    struct ww_worker_id also;
};

/* What a look found. */
enum ww_owner {
    WW_OWNER_QUEUED,    /* nobody has accepted yet: look again */
    WW_OWNER_UNSETTLED, /* accepted, by a process that may still hand it over: look again */
    WW_OWNER_KNOWN,     /* let the request go; ww_attrib_confirm when the answer begins */
    WW_OWNER_AMBIGUOUS, /* several processes hold it. It may settle: look again, or give up */
    WW_OWNER_UNKNOWN    /* final: it cannot be known (ww_attrib_why) */
};

/* Why the last look said UNKNOWN, UNSETTLED or AMBIGUOUS; also doctor's vocabulary. */
enum ww_obstacle {
    WW_OBSTACLE_NONE,
    WW_OBSTACLE_CLOSED,     /* the socket was gone before we could look */
    WW_OBSTACLE_UNREADABLE, /* its holder's /proc/PID/fd may not be read */
    WW_OBSTACLE_NO_HOLDER,  /* no visible process holds it: another PID namespace or host */
    WW_OBSTACLE_SHARED,     /* several processes hold it */
    WW_OBSTACLE_HANDOVER,   /* the owner may pass connections on to its children */
    WW_OBSTACLE_ROUTER,     /* the owner is a router that stands before the workers */
    WW_OBSTACLE_NETLINK,    /* the kernel refused or lost the query */
    WW_OBSTACLE_BUSY,       /* nobody had accepted when the time was up; never of a look */
    WW_OBSTACLES
};

struct ww_attrib;

/* For one upstream address. proc_root is "/proc", or a directory made to look like it (tests).
 */
struct ww_attrib *ww_attrib_new(const struct ww_addr *upstream, const char *proc_root,
                                struct ww_err *err);
void ww_attrib_free(struct ww_attrib *a); /* NULL is fine */

/* Looks once. Writes *out_worker only with KNOWN; slot and ended_us stay 0 there. */
WW_MUST enum ww_owner ww_attrib_look(struct ww_attrib *a, struct ww_flow *flow,
                                     struct ww_worker *out_worker);

/*
 * Did the process that the looks found answer by itself? Ask when the first byte of the
 * response is here, once for each connection, whatever the last look said: a server that forks
 * a child for each connection looks like one that does not, until it has forked. KNOWN: *worker
 * is the one (written anew); or AMBIGUOUS or UNKNOWN, and nothing may be claimed. It also
 * learns, so that the owner of a later connection need not be doubted. Costs one pread once the
 * worker is proven.
 */
WW_MUST enum ww_owner ww_attrib_confirm(struct ww_attrib *a, struct ww_flow *flow,
                                        struct ww_worker *worker);

/* A descriptor that becomes readable when this very worker has ended; the caller closes it. -1
 * and ESRCH: it has ended already, also where another process has its PID by now. Another
 * errno: this kernel cannot watch it. */
int ww_worker_watch(struct ww_worker_id id, const char *proc_root);

/* Of the last look or confirmation. */
enum ww_obstacle ww_attrib_why(const struct ww_attrib *a);

/* ---- preload: reports of the shim that was loaded into the backend's processes */

/*
 * Receives the shim's reports. Make it before the backend starts, give the backend the token in
 * its environment (shim.h), attach it once the upstream is known. It believes only descendants
 * of `ancestor`, each about itself: the kernel says who sent a report.
 */
struct ww_preload;
struct ww_preload *ww_preload_new(int32_t ancestor, const char *proc_root, struct ww_err *err);
void ww_preload_free(struct ww_preload *p); /* NULL is fine */

const char *ww_preload_token(const struct ww_preload *p); /* borrowed */
const char *
ww_preload_client_name(const struct ww_preload *p); /* how a Unix client's name begins */

/* a is borrowed: it is asked where the shim has not proven itself, and whenever it falls
 * silent. */
void ww_preload_attach(struct ww_preload *p, struct ww_attrib *a);

/* The sockets (WW_SHIM_SOCKETS of them), to be watched; one that is readable wants to be
 * drained. */
int ww_preload_fd(const struct ww_preload *p, size_t i);
void ww_preload_drain(struct ww_preload *p, size_t i);

/*
 * In place of ww_attrib_look and ww_attrib_confirm. While the reports can be relied upon a look
 * costs nothing and says UNKNOWN at once, so that no request is held; the confirmation names
 * who accepted. They cannot before the first connection that both the kernel and the shim have
 * spoken of; nor after one without a report, or one that was handed on: the kernel decides
 * then.
 */
WW_MUST enum ww_owner ww_preload_look(struct ww_preload *p, struct ww_flow *flow,
                                      struct ww_worker *out_worker);
WW_MUST enum ww_owner ww_preload_confirm(struct ww_preload *p, struct ww_flow *flow,
                                         struct ww_worker *worker);

/* Of the last look or confirmation. */
enum ww_obstacle ww_preload_why(const struct ww_preload *p);

struct ww_preload_stats {
    uint64_t reports;   /* kept */
    uint64_t strange;   /* malformed, or from a process that is none of the backend's */
    uint64_t let_go;    /* connections for which nobody had to look */
    uint64_t looked;    /* connections for which the kernel was asked */
    uint64_t handed_on; /* accepted by one process, answered by another */
};
const struct ww_preload_stats *
ww_preload_stats(const struct ww_preload *p); /* borrowed, live */

/* ---- the processes below one, and what they listen on */

#define WW_TREE_MAX 1024

/* Descendants of pid, or only its children, in no order; more than room are left out. */
size_t ww_tree_below(const char *proc_root, int32_t pid, int32_t *out_pids, size_t room);
size_t ww_tree_children(const char *proc_root, int32_t pid, int32_t *out_pids, size_t room);

struct ww_listening {
    struct ww_addr addr; /* where to connect to: a wildcard has become loopback */
    unsigned holders;    /* processes that can accept from it */
};

/* What the descendants of pid listen on: the address with most holders first, among equals TCP
 * before Unix, then the oldest. */
size_t ww_tree_listens(const char *proc_root, int32_t pid, struct ww_listening *out,
                       size_t room);

/* A sentence for the obstacle, and what the user can do about it. Static. */
const char *ww_obstacle_sentence(enum ww_obstacle o);
const char *ww_obstacle_remedy(enum ww_obstacle o);

#endif
