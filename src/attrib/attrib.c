/* Decides who accepted a connection, from what the kernel and /proc say. Unknown beats wrong.
 */
#include "acceptor.h"
#include "family.h"

#include <whichworker/arena.h>
#include <whichworker/attrib.h>
#include <whichworker/units.h>

#include <sys/stat.h>

#define PARENTS_MAX 16

/* So often may a process be seen to keep a connection, although it forked, before it is
 * believed. */
#define KEPT_IS_PROOF 2

struct ww_attrib {
    struct ww_addr upstream;
    struct ww_sockdiag diag;
    struct ww_family family;
    enum ww_obstacle why;
};

struct ww_attrib *ww_attrib_new(const struct ww_addr *upstream, const char *proc_root,
                                struct ww_err *err)
{
    struct ww_attrib *a = ww_xcalloc(1, sizeof(*a));

    a->upstream = *upstream;
    if (ww_sockdiag_open(&a->diag, err) != WW_OK) {
        free(a);
        return NULL;
    }
    if (ww_family_open(&a->family, proc_root, &a->diag, err) != WW_OK) {
        ww_sockdiag_close(&a->diag);
        free(a);
        return NULL;
    }
    return a;
}

void ww_attrib_free(struct ww_attrib *a)
{
    if (a == NULL)
        return;
    ww_sockdiag_close(&a->diag);
    ww_family_release(&a->family);
    free(a);
}

enum ww_obstacle ww_attrib_why(const struct ww_attrib *a)
{
    return a->why;
}

static enum ww_owner say(struct ww_attrib *a, enum ww_owner owner, enum ww_obstacle why)
{
    a->why = why;
    return owner;
}

static enum ww_diag ask(struct ww_attrib *a, struct ww_flow *flow, uint64_t *out_inode)
{
    if (flow->peer.sa.ss_family != AF_UNIX)
        return ww_sockdiag_tcp(&a->diag, &flow->peer, &flow->local, out_inode);
    if (flow->state.our_inode == 0) {
        struct stat st;

        if (fstat(flow->fd, &st) != 0)
            return WW_DIAG_GONE;
        flow->state.our_inode = st.st_ino;
    }
    return ww_sockdiag_unix(&a->diag, flow->state.our_inode, out_inode);
}

/* Is anything of the upstream here at all? Where nothing listens in our sight, the connection
 * has not been closed: it ends on another host or in another network namespace. */
static enum ww_owner not_there(struct ww_attrib *a)
{
    if (a->family.listeners == 0 && ww_family_may_scan(&a->family, ww_clock_mono_us()) &&
        !ww_family_scan(&a->family, &a->upstream, 0))
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_NETLINK);
    return say(a, WW_OWNER_UNKNOWN,
               a->family.mine.len == 0 ? WW_OBSTACLE_NO_HOLDER : WW_OBSTACLE_CLOSED);
}

/* KNOWN stands for: go on, the inode is here. */
static enum ww_owner find_inode(struct ww_attrib *a, struct ww_flow *flow)
{
    switch (ask(a, flow, &flow->state.inode)) {
    case WW_DIAG_ACCEPTED:
        flow->state.accepted_us = ww_clock_mono_us();
        return WW_OWNER_KNOWN;
    case WW_DIAG_QUEUED:
        return say(a, WW_OWNER_QUEUED, WW_OBSTACLE_NONE);
    case WW_DIAG_GONE:
        return not_there(a);
    case WW_DIAG_LOST:
    case WW_DIAG_STALE:
        break;
    }
    return say(a, WW_OWNER_UNSETTLED, WW_OBSTACLE_NETLINK);
}

static bool still_there(struct ww_attrib *a, struct ww_flow *flow)
{
    uint64_t inode = 0;
    enum ww_diag diag = ask(a, flow, &inode);

    return diag == WW_DIAG_LOST || (diag == WW_DIAG_ACCEPTED && inode == flow->state.inode);
}

static void note_owner(struct ww_flow *flow, const struct ww_kin *k, int fd)
{
    flow->state.owner = k->worker.id;
    flow->state.owner_fd = fd;
}

static bool younger(const struct ww_kin *k, const struct ww_flow *flow)
{
    return k->started_us + ww_proc_tick_us() >= flow->opened_us;
}

/*
 * k has a connection that it need not have accepted: it holds no listening socket (Node's
 * cluster sends connections to its workers), or it is younger than the connection (a child
 * forked for it; or a new worker that found it in the queue). It is k's once none of the
 * parents holds it.
 */
static enum ww_owner settle_given(struct ww_attrib *a, struct ww_flow *flow, struct ww_kin *k,
                                  int fd)
{
    for (struct ww_kin *m = ww_family_master(&a->family, k); m != NULL;
         m = ww_family_master(&a->family, m)) {
        bool seen = ww_worker_same(flow->state.owner, m->worker.id);
        int at = -1;

        if (ww_proc_find_socket(&m->proc, flow->state.inode, &at) != WW_HELD_NO) {
            note_owner(flow, m, at);
            return say(a, WW_OWNER_AMBIGUOUS, WW_OBSTACLE_SHARED);
        }
        if (seen || m->conduct != WW_CONDUCT_ANSWERS)
            m->conduct = WW_CONDUCT_HANDS_OVER;
    }
    note_owner(flow, k, fd);
    return say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE);
}

/*
 * Whose is a connection that k holds?
 *
 *     a child that is younger than the connection holds it too      ambiguous
 *     k is a router                                                 unknown
 *     k was given it by a parent (settle_given)                     k, once the parents let go
 *     k has been seen to hand over, or is suspected to              unsettled
 *     a parent of k listens too: a pre-fork worker                  k
 *     k is alone, or its children could not receive a descriptor    k
 *     otherwise                                                     unsettled
 *
 * A pre-fork worker may have children with which it shares a Unix socket (a pool of helpers):
 * it does not hand connections over, since whoever wants that has no need of several acceptors.
 */
static enum ww_owner settle(struct ww_attrib *a, struct ww_flow *flow, struct ww_kin *k, int fd)
{
    uint64_t last_pid = ww_family_last_pid(&a->family);
    struct ww_brood brood =
        ww_family_brood(&a->family, k, flow->opened_us, flow->state.inode, last_pid);
    const struct ww_kin *master = ww_family_master(&a->family, k);

    flow->state.last_pid = brood.present || brood.blind ? 0 : last_pid;
    if (brood.holds) {
        note_owner(flow, k, fd);
        return say(a, WW_OWNER_AMBIGUOUS, WW_OBSTACLE_SHARED);
    }
    if (k->router) {
        note_owner(flow, k, fd);
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_ROUTER);
    }

    bool doubted = k->conduct == WW_CONDUCT_SUSPECT || k->conduct == WW_CONDUCT_HANDS_OVER;

    if (master != NULL && (!k->listens || (younger(k, flow) && !doubted)))
        return settle_given(a, flow, k, fd);
    note_owner(flow, k, fd);
    if (doubted)
        return say(a, WW_OWNER_UNSETTLED, WW_OBSTACLE_HANDOVER);
    if (master == NULL && (brood.blind || ww_family_passes(&a->family, k, last_pid)))
        return say(a, WW_OWNER_UNSETTLED, WW_OBSTACLE_HANDOVER);
    return say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE);
}

/*
 * It is accepted, and none of the processes that we know holds it. Descriptors that may not be
 * read are the end of it at once. Otherwise look through the whole system, but only so often
 * that the looking stays a small part of the time; meanwhile a backend that was never seen
 * stays unknown, and for one that was seen another look may help.
 */
static enum ww_owner missing(struct ww_attrib *a, struct ww_flow *flow,
                             struct ww_kin **out_owner, int *out_fd)
{
    if (!still_there(a, flow))
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_CLOSED);

    bool scanned = ww_family_may_scan(&a->family, ww_clock_mono_us());

    if (scanned) {
        if (!ww_family_scan(&a->family, &a->upstream, flow->state.inode))
            return say(a, WW_OWNER_UNSETTLED, WW_OBSTACLE_NETLINK);
        *out_owner = ww_family_owner(&a->family, flow->state.inode, out_fd);
        /* While it was looking, the connection may have gone to a child of one that it had
         * looked at already. */
        if (*out_owner == NULL)
            *out_owner = ww_family_owner_among_new(&a->family, flow->state.inode, out_fd);
        if (*out_owner != NULL)
            return WW_OWNER_KNOWN;
        if (!still_there(a, flow))
            return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_CLOSED);
    }
    if (ww_family_hidden(&a->family) || (scanned && a->family.unreadable > 0))
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_UNREADABLE);
    if (scanned || a->family.listeners == 0)
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_NO_HOLDER);
    return say(a, WW_OWNER_UNSETTLED, WW_OBSTACLE_NO_HOLDER);
}

enum ww_owner ww_attrib_look(struct ww_attrib *a, struct ww_flow *flow,
                             struct ww_worker *out_worker)
{
    int fd = -1;
    enum ww_owner owner = WW_OWNER_KNOWN;

    flow->state.named = false;
    if (flow->state.inode == 0)
        owner = find_inode(a, flow);
    if (owner != WW_OWNER_KNOWN)
        return owner;

    struct ww_kin *k = ww_family_owner(&a->family, flow->state.inode, &fd);

    if (k == NULL)
        k = ww_family_owner_among_new(&a->family, flow->state.inode, &fd);
    if (k == NULL)
        owner = missing(a, flow, &k, &fd);
    if (k == NULL)
        return owner;
    owner = settle(a, flow, k, fd);
    if (owner != WW_OWNER_KNOWN)
        return owner;
    flow->state.named = true;
    *out_worker = k->worker;
    return WW_OWNER_KNOWN;
}

static bool could_pass(struct ww_attrib *a, struct ww_kin *k, uint64_t last_pid)
{
    return ww_family_master(&a->family, k) == NULL && ww_family_passes(&a->family, k, last_pid);
}

/* Proof: it held the connection when the answer came, and nobody else can have got it. */
static enum ww_owner held_throughout(struct ww_attrib *a, struct ww_kin *k, uint64_t last_pid)
{
    if (k->conduct == WW_CONDUCT_HANDS_OVER || could_pass(a, k, last_pid))
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_HANDOVER);
    k->conduct = WW_CONDUCT_ANSWERS;
    return say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE);
}

/*
 * k has forked since the connect began, or may have. A forking server closes its copy right
 * after the fork, and waits for the child only later: so whoever still holds the connection and
 * has no such child (any more) ran a command and answers itself. Seen KEPT_IS_PROOF times it is
 * proven: a worker that runs a command for each request would not be otherwise. Anything else
 * is no longer to be told.
 */
static enum ww_owner forked_meanwhile(struct ww_attrib *a, const struct ww_flow *flow,
                                      struct ww_kin *k, struct ww_brood brood,
                                      uint64_t last_pid)
{
    bool held =
        ww_proc_holds_at(&k->proc, flow->state.owner_fd, flow->state.inode) == WW_HELD_YES;
    bool doubted = k->conduct == WW_CONDUCT_OPEN || k->conduct == WW_CONDUCT_SUSPECT;

    if (brood.holds && held)
        return say(a, WW_OWNER_AMBIGUOUS, WW_OBSTACLE_SHARED);
    if (held && !brood.present && !brood.blind && doubted && !could_pass(a, k, last_pid) &&
        (flow->state.named || k->conduct == WW_CONDUCT_SUSPECT)) {
        if (++k->kept >= KEPT_IS_PROOF)
            k->conduct = WW_CONDUCT_ANSWERS;
        return say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE);
    }
    if (k->conduct == WW_CONDUCT_OPEN)
        k->conduct = WW_CONDUCT_SUSPECT;
    return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_HANDOVER);
}

/* No look found an owner; or one did, and it is dead by now: then it keeps its claim. */
static enum ww_owner of_the_dead(struct ww_attrib *a, const struct ww_flow *flow)
{
    return flow->state.named ? say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE)
                             : say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_CLOSED);
}

static bool ended(struct ww_kin *k)
{
    return !ww_kin_alive(k) || k->proc.state == 'Z';
}

/*
 * While the PID given out last stays the same nothing has been forked: so much for a process
 * that is proven. Of any other the children are looked at in any case, since the kernel gives
 * out a child's PID before it shows the child.
 */
static enum ww_owner confirm_owner(struct ww_attrib *a, struct ww_flow *flow, struct ww_kin *k)
{
    uint64_t last_pid = ww_family_last_pid(&a->family);
    bool quiet = last_pid != 0 && last_pid == flow->state.last_pid;
    bool proven = k->conduct == WW_CONDUCT_ANSWERS && flow->state.named;
    struct ww_brood brood = { 0 };

    if (quiet && proven)
        return say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE);
    if (ended(k))
        return of_the_dead(a, flow);
    brood = ww_family_brood(&a->family, k, flow->opened_us, flow->state.inode,
                            proven ? last_pid : 0);
    if (brood.blind && ended(k))
        return of_the_dead(a, flow);
    if (proven && brood.holds)
        return say(a, WW_OWNER_AMBIGUOUS, WW_OBSTACLE_SHARED);
    if (proven)
        return say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE);

    if (brood.present || brood.blind || k->forked_us >= flow->opened_us)
        return forked_meanwhile(a, flow, k, brood, last_pid);
    if (ww_proc_holds_at(&k->proc, flow->state.owner_fd, flow->state.inode) == WW_HELD_YES)
        return held_throughout(a, k, last_pid);
    /* Children that the kernel itself reaps leave no trace in their parent. */
    if (flow->state.named && (quiet || !ww_proc_ignores_children(&k->proc)))
        return say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE);
    if (ended(k))
        return of_the_dead(a, flow);
    return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_HANDOVER);
}

/* Members that came since, such as the workers behind a router, show what an unproven one is.
 */
static void meet_newcomers(struct ww_attrib *a)
{
    int fd = -1;

    (void)ww_family_owner_among_new(&a->family, 0, &fd);
}

enum ww_owner ww_attrib_confirm(struct ww_attrib *a, struct ww_flow *flow,
                                struct ww_worker *worker)
{
    struct ww_kin *k = ww_family_find_id(&a->family, flow->state.owner);

    if (k != NULL && k->conduct != WW_CONDUCT_ANSWERS) {
        meet_newcomers(a);
        k = ww_family_find_id(&a->family, flow->state.owner);
    }
    if (k == NULL)
        return of_the_dead(a, flow);
    if (k->router)
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_ROUTER);

    enum ww_owner owner = confirm_owner(a, flow, k);

    if (owner == WW_OWNER_KNOWN)
        *worker = k->worker;
    return owner;
}

/* Which sockets a process listens on is known only once the listeners have been looked up;
 * without that a router would pass for a worker. */
static struct ww_kin *meet(struct ww_attrib *a, int32_t pid)
{
    if (a->family.listeners == 0 && ww_family_may_scan(&a->family, ww_clock_mono_us()))
        (void)!ww_family_scan(&a->family, &a->upstream, 0);
    return ww_family_meet(&a->family, pid);
}

void ww_attrib_meet(struct ww_attrib *a, int32_t pid)
{
    (void)meet(a, pid);
}

bool ww_attrib_is_parent(struct ww_attrib *a, int32_t child, int32_t parent)
{
    struct ww_kin *k = ww_family_find(&a->family, child);

    for (int g = 0; k != NULL && g < PARENTS_MAX; g++) {
        if (k->proc.ppid == parent)
            return true;
        k = ww_family_find(&a->family, k->proc.ppid);
    }
    return false;
}

/* Does somebody else hold the connection, while k does not (any more)? */
static bool has_passed_on(struct ww_attrib *a, struct ww_flow *flow, const struct ww_kin *k)
{
    int fd = -1;

    uint64_t inode = 0;

    return flow->state.inode != 0 &&
           ww_proc_holds_at(&k->proc, flow->state.owner_fd, flow->state.inode) == WW_HELD_NO &&
           ww_proc_find_socket(&k->proc, flow->state.inode, &fd) == WW_HELD_NO &&
           ask(a, flow, &inode) == WW_DIAG_ACCEPTED && inode == flow->state.inode;
}

/* A process that has no parent among the listeners may pass on what it accepts (settle). */
static bool may_answer(struct ww_attrib *a, struct ww_kin *k)
{
    if (k->conduct == WW_CONDUCT_SUSPECT || k->conduct == WW_CONDUCT_HANDS_OVER)
        return false;
    return k->conduct == WW_CONDUCT_ANSWERS || ww_family_master(&a->family, k) != NULL ||
           !ww_family_passes(&a->family, k, a->family.still_pid);
}

enum ww_owner ww_attrib_confirm_acceptor(struct ww_attrib *a, struct ww_flow *flow,
                                         const struct acceptor *who,
                                         struct ww_worker *out_worker)
{
    struct ww_kin *k = meet(a, who->pid);
    struct ww_worker worker;
    bool quiet = a->family.still_pid != 0 && a->family.still_since_us <= flow->opened_us;

    if (k == NULL || k->started_us > who->heard_us)
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_CLOSED);
    if (k->router)
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_ROUTER);
    flow->state.owner = k->worker.id;
    flow->state.owner_fd = who->fd;
    flow->state.accepted_us =
        who->accepted_us > flow->opened_us ? who->accepted_us : flow->opened_us;
    if (quiet && k->conduct == WW_CONDUCT_ANSWERS) {
        *out_worker = k->worker;
        return say(a, WW_OWNER_KNOWN, WW_OBSTACLE_NONE);
    }
    if (flow->state.inode == 0 && ask(a, flow, &flow->state.inode) != WW_DIAG_ACCEPTED)
        flow->state.inode = 0;
    if (has_passed_on(a, flow, k)) {
        k->conduct = WW_CONDUCT_HANDS_OVER;
        return say(a, WW_OWNER_UNKNOWN, WW_OBSTACLE_HANDOVER);
    }
    flow->state.last_pid = quiet ? a->family.still_pid : 0;
    flow->state.named = may_answer(a, k);
    worker = k->worker;

    enum ww_owner owner = ww_attrib_confirm(a, flow, &worker);

    if (owner == WW_OWNER_KNOWN)
        *out_worker = worker;
    return owner;
}

static const struct {
    const char *sentence;
    const char *remedy;
} words[WW_OBSTACLES] = {
    [WW_OBSTACLE_NONE] = { "nothing is in the way", "nothing needs to be done" },
    [WW_OBSTACLE_CLOSED] = { "the worker had closed the connection before it could be seen",
                             "leave the hold on (--attrib-timeout above 0)" },
    [WW_OBSTACLE_UNREADABLE] = { "the worker's /proc/PID/fd may not be read",
                                 "start whichworker as the workers' own user or as root, or "
                                 "give "
                                 "it both capabilities: setcap "
                                 "cap_sys_ptrace,cap_dac_read_search+ep whichworker; or let "
                                 "the "
                                 "workers say it themselves in a response header" },
    [WW_OBSTACLE_NO_HOLDER] = { "no process that can be seen here holds the connection",
                                "the workers run on another host or in a container: run "
                                "whichworker "
                                "there, or let the workers say who they are in a response "
                                "header" },
    [WW_OBSTACLE_SHARED] = { "several processes hold the connection",
                             "a worker forked while it served: close the connection in the "
                             "child, "
                             "or let the workers say who they are in a response header" },
    [WW_OBSTACLE_HANDOVER] = { "the process that accepts may hand connections on to its "
                               "children",
                               "let the workers say who they are in a response header" },
    [WW_OBSTACLE_ROUTER] = { "the connection ends at a router that stands before the workers",
                             "point --upstream at the workers' own socket (uWSGI: http-socket "
                             "in "
                             "place of http), or let them say who they are in a response "
                             "header" },
    [WW_OBSTACLE_NETLINK] = { "the kernel did not answer the question about the connection",
                              "check that sock_diag is allowed here (a seccomp filter of a "
                              "container may forbid it)" },
    [WW_OBSTACLE_BUSY] = { "no worker accepted the request before --attrib-timeout, and it was "
                           "too late to see when the answer came",
                           "raise --attrib-timeout, or start more workers" },
};

const char *ww_obstacle_sentence(enum ww_obstacle o)
{
    return o >= 0 && o < WW_OBSTACLES ? words[o].sentence : "";
}

const char *ww_obstacle_remedy(enum ww_obstacle o)
{
    return o >= 0 && o < WW_OBSTACLES ? words[o].remedy : "";
}
