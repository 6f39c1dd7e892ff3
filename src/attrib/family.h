/* attrib: the processes behind one upstream: who listens, whose child is whose, and what each
 * does. */
#ifndef WW_ATTRIB_FAMILY_H
#define WW_ATTRIB_FAMILY_H

#include "procfs.h"
#include "sockdiag.h"

#include <whichworker/worker.h>

#define WW_KIN_MAX    256 /* processes that are remembered; each costs a descriptor */
#define WW_KIN_RECENT 4   /* descriptor numbers on which a process last had a connection */
#define WW_KIN_OTHERS 8   /* other listening sockets that are remembered of a process */

/* What is known of a process that accepts: does it answer by itself? */
enum ww_conduct {
    WW_CONDUCT_OPEN,      /* not seen yet */
    WW_CONDUCT_SUSPECT,   /* it forked, and did not hold the connection when the answer came */
    WW_CONDUCT_ANSWERS,   /* proven: it held the connection when the answer came
                           */
    WW_CONDUCT_HANDS_OVER /* proven: a connection that it had accepted went to a child */
};

struct ww_kin {
    struct ww_proc proc;
    struct ww_worker worker; /* as handed out; made once, so that it never varies */
    int64_t started_us;      /* of ww_clock_mono_us */
    bool listens;            /* holds a listening socket of the upstream */
    bool activator; /* listens on behalf of others (socket activation): a parent of masters */
    bool hidden;    /* its descriptors may not be read */
    bool router;    /* stands before the workers: see family.c */
    bool passes;    /* sticky: a child shares a connected Unix socket with it */
    enum ww_conduct conduct;
    unsigned
        kept; /* how often it still held a connection at the answer although it had forked */
    int recent[WW_KIN_RECENT]; /* newest first; -1: none */
    uint64_t turn;             /* when it was last found to own a connection; 0: never */
    uint64_t other[WW_KIN_OTHERS];
    size_t others;
    int64_t forked_us;   /* when it was last noticed that a child of it is gone; 0: never */
    int64_t youngest_us; /* start of its youngest child when last looked; INT64_MIN: no child */
    uint64_t children_seen; /* last_pid when its children were last looked at; 0: never */
    uint64_t passes_seen;   /* last_pid when `passes` was last looked into; 0: never */
    uint64_t alive_seen;    /* last_pid when it was last seen alive; 0: never */
};

/* Owns all of it. */
struct ww_family {
    struct ww_kin kin[WW_KIN_MAX];
    size_t n;
    struct ww_sockdiag *diag;
    int root;        /* the directory of proc_root */
    int loadavg;     /* -1: what it says is not about the PIDs under root */
    uint64_t turn;   /* counts the owners found */
    bool last_first; /* the owner tends to be the one that was last, not the one longest ago */
    struct ww_inodes mine;      /* listening sockets of the upstream */
    struct ww_inodes listening; /* all listening sockets */
    size_t listeners;           /* members that listen and are no activators */
    size_t unreadable;     /* processes of the whole system that the last scan could not read */
    int64_t scanned_us;    /* end of the last scan; 0: none yet */
    int64_t scan_cost_us;  /* how long it took */
    uint64_t adopted_seen; /* last_pid when new children were last looked for; 0: never */
    uint64_t still_pid;    /* last_pid when ww_family_meet last asked for it */
    int64_t still_since_us; /* and has been since: no process has begun after this */
};

/* Borrows diag while it lives. */
int ww_family_open(struct ww_family *f, const char *proc_root, struct ww_sockdiag *diag,
                   struct ww_err *err);
void ww_family_release(struct ww_family *f);

/* 0: not to be known, so that nothing may be concluded from its staying the same. */
uint64_t ww_family_last_pid(const struct ww_family *f);

struct ww_kin *ww_family_find(struct ww_family *f, int32_t pid);
struct ww_kin *ww_family_find_id(struct ww_family *f, struct ww_worker_id id);

/* The living process with this PID, a member from now on; or the dead member that had it last.
 * NULL: neither is there, or there is no room. Also brings still_since_us up to date. */
struct ww_kin *ww_family_meet(struct ww_family *f, int32_t pid);

/* The nearest of its parents that listens, and not as an activator; NULL otherwise. */
struct ww_kin *ww_family_master(struct ww_family *f, const struct ww_kin *k);

/* Reads its stat again, and notes whether it has waited for a child since. False: it is dead.
 */
WW_MUST bool ww_kin_alive(struct ww_kin *k);

/* Who holds the socket, among the members. Cheap looks first. NULL: none of them. */
struct ww_kin *ww_family_owner(struct ww_family *f, uint64_t inode, int *out_fd);

/* The same among children of the members that were not members yet. */
struct ww_kin *ww_family_owner_among_new(struct ww_family *f, uint64_t inode, int *out_fd);

/* Looks through the whole system for listeners' holders, their descendants, and whoever holds
 * `wanted`. False: the kernel's list of listeners was lost. */
WW_MUST bool ww_family_scan(struct ww_family *f, const struct ww_addr *upstream,
                            uint64_t wanted);

/* A scan may be repeated when it costs no more than a small part of the time since the last. */
WW_MUST bool ww_family_may_scan(const struct ww_family *f, int64_t now_us);

/* Members whose descriptors are hidden, or, with no listener in sight, anybody's. */
WW_MUST bool ww_family_hidden(const struct ww_family *f);

/* Children of k that are younger than since_us; last_pid is of now. */
struct ww_brood {
    bool blind; /* this kernel does not tell */
    bool present;
    bool holds; /* one of them holds the socket, or may: it is hidden */
};
struct ww_brood ww_family_brood(struct ww_family *f, struct ww_kin *k, int64_t since_us,
                                uint64_t inode, uint64_t last_pid);

/* Has k a child that could receive a descriptor from it? Sticky once it had. */
bool ww_family_passes(struct ww_family *f, struct ww_kin *k, uint64_t last_pid);

#endif
