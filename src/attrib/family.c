/* Keeps the processes behind an upstream: scan once, then follow forks instead of scanning
 * again. */
#include "family.h"

#include <whichworker/arena.h>
#include <whichworker/units.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

/* The whole of a scan may take a fifth of the time, and happen no oftener than this. */
#define SCAN_SHARE      4
#define SCAN_PAUSE_US   2000
#define SCAN_PAUSE_MAX  1000000
#define GENERATIONS_MAX 8
#define CHILDREN_MAX    512
#define SOCKETS_MAX     512

/* A child that has just been forked may still hold both ends of a pair, or not have exec'ed. */
#define SETTLED_US 1000000

int ww_family_open(struct ww_family *f, const char *proc_root, struct ww_sockdiag *diag,
                   struct ww_err *err)
{
    char self[32];

    *f = (struct ww_family){ .loadavg = -1, .diag = diag };
    f->root = open(proc_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->root < 0)
        return ww_err_errno(err, errno, "cannot read %s", proc_root);

    /* loadavg speaks of our own PID namespace, the listing of the one that was mounted. */
    ssize_t n = readlinkat(f->root, "self", self, sizeof(self));
    uint64_t pid = 0;

    if (n > 0 && ww_str_u64(ww_str_n(self, (size_t)n), &pid) && pid == (uint64_t)getpid())
        f->loadavg = openat(f->root, "loadavg", O_RDONLY | O_CLOEXEC);
    return WW_OK;
}

void ww_family_release(struct ww_family *f)
{
    for (size_t i = 0; i < f->n; i++)
        ww_proc_close(&f->kin[i].proc);
    f->n = 0;
    ww_inodes_release(&f->mine);
    ww_inodes_release(&f->listening);
    if (f->loadavg >= 0)
        close(f->loadavg);
    if (f->root >= 0)
        close(f->root);
    f->loadavg = -1;
    f->root = -1;
}

uint64_t ww_family_last_pid(const struct ww_family *f)
{
    return ww_proc_last_pid(f->loadavg);
}

struct ww_kin *ww_family_find(struct ww_family *f, int32_t pid)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->kin[i].proc.pid == pid)
            return &f->kin[i];
    }
    return NULL;
}

struct ww_kin *ww_family_find_id(struct ww_family *f, struct ww_worker_id id)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->kin[i].proc.pid == id.pid && f->kin[i].proc.start_ticks == id.start_ticks)
            return &f->kin[i];
    }
    return NULL;
}

struct ww_kin *ww_family_master(struct ww_family *f, const struct ww_kin *k)
{
    for (int g = 0; g < GENERATIONS_MAX; g++) {
        struct ww_kin *parent = ww_family_find(f, k->proc.ppid);

        if (parent == NULL || parent->activator)
            return NULL;
        if (parent->listens)
            return parent;
        k = parent;
    }
    return NULL;
}

bool ww_kin_alive(struct ww_kin *k)
{
    uint64_t before = k->proc.reaped;

    if (!ww_proc_refresh(&k->proc))
        return false;
    if (k->proc.reaped != before)
        k->forked_us = ww_clock_mono_us();
    return true;
}

struct survey {
    const struct ww_family *f;
    struct ww_kin *k;
    uint64_t wanted;
    int found_at; /* -1 */
};

static bool survey_socket(void *ctx, int fd, uint64_t inode)
{
    struct survey *s = ctx;

    if (inode == s->wanted && s->wanted != 0)
        s->found_at = fd;
    if (ww_inodes_has(&s->f->mine, inode)) {
        s->k->listens = true;
    } else if (s->k->others < WW_KIN_OTHERS && ww_inodes_has(&s->f->listening, inode)) {
        s->k->other[s->k->others++] = inode;
    }
    return true;
}

static void remember_fd(struct ww_kin *k, int fd)
{
    size_t at = 0;

    while (at < WW_KIN_RECENT - 1 && k->recent[at] != fd)
        at++;
    for (; at > 0; at--)
        k->recent[at] = k->recent[at - 1];
    k->recent[0] = fd;
}

/* Which listening sockets it holds, and whether it holds `wanted`. */
static bool survey(const struct ww_family *f, struct ww_kin *k, uint64_t wanted)
{
    struct survey s = { .f = f, .k = k, .wanted = wanted, .found_at = -1 };

    k->listens = false;
    k->others = 0;
    k->hidden = ww_proc_each_socket(&k->proc, survey_socket, &s) == WW_HELD_HIDDEN;
    if (s.found_at >= 0)
        remember_fd(k, s.found_at);
    return s.found_at >= 0;
}

static void describe(struct ww_kin *k)
{
    k->worker = (struct ww_worker){
        .id = { .pid = k->proc.pid, .start_ticks = k->proc.start_ticks },
        .started_us = ww_proc_start_wall_us(&k->proc),
    };
    ww_proc_command(&k->proc, k->worker.command, sizeof(k->worker.command));
}

static void kin_init(struct ww_kin *k, const struct ww_proc *p)
{
    *k = (struct ww_kin){
        .proc = *p,
        .started_us = ww_proc_start_mono_us(p),
        .youngest_us = INT64_MIN,
        .activator = strcmp(p->comm, "systemd") == 0,
    };
    for (size_t i = 0; i < WW_KIN_RECENT; i++)
        k->recent[i] = -1;
}

/* Where a new member goes; NULL: the family is full. */
static struct ww_kin *add(struct ww_family *f, const struct ww_kin *k)
{
    if (f->n == WW_KIN_MAX)
        return NULL;
    f->kin[f->n] = *k;
    describe(&f->kin[f->n]);
    return &f->kin[f->n++];
}

/* Drops the dead. Moves members: no pointer to one may be kept over it. */
static void bury(struct ww_family *f)
{
    size_t kept = 0;

    for (size_t i = 0; i < f->n; i++) {
        if (!ww_kin_alive(&f->kin[i])) {
            ww_proc_close(&f->kin[i].proc);
            continue;
        }
        if (kept != i)
            f->kin[kept] = f->kin[i];
        kept++;
    }
    f->n = kept;
}

static bool holds_other(const struct ww_kin *k, uint64_t inode)
{
    for (size_t i = 0; i < k->others; i++) {
        if (k->other[i] == inode)
            return true;
    }
    return false;
}

static bool collect_socket(void *ctx, int fd, uint64_t inode)
{
    struct ww_inodes *set = ctx;

    (void)fd;
    if (set->len < SOCKETS_MAX)
        ww_inodes_add(set, inode);
    return true;
}

/* The other ends of its connected Unix sockets, save of pairs that it holds both ends of. */
static void far_ends_of(const struct ww_family *f, const struct ww_kin *k,
                        struct ww_inodes *out)
{
    struct ww_inodes own = { 0 };

    (void)ww_proc_each_socket(&k->proc, collect_socket, &own);
    ww_inodes_sort(&own);
    for (size_t i = 0; i < own.len; i++) {
        uint64_t peer = 0;

        if (ww_sockdiag_unix(f->diag, own.ino[i], &peer) == WW_DIAG_ACCEPTED &&
            !ww_inodes_has(&own, peer))
            ww_inodes_add(out, peer);
    }
    ww_inodes_sort(out);
    ww_inodes_release(&own);
}

static bool is_not_in(void *ctx, int fd, uint64_t inode)
{
    (void)fd;
    return !ww_inodes_has(ctx, inode);
}

/* Does the parent hold the far end of a Unix socket of its child's, as uWSGI's master does? */
static bool paired(const struct ww_family *f, const struct ww_kin *parent,
                   const struct ww_kin *child)
{
    struct ww_inodes far_ends = { 0 };

    far_ends_of(f, child, &far_ends);

    bool yes = ww_proc_each_socket(&parent->proc, is_not_in, &far_ends) == WW_HELD_YES;

    ww_inodes_release(&far_ends);
    return yes;
}

static bool sibling_holds(const struct ww_family *f, const struct ww_kin *k, uint64_t inode)
{
    for (size_t i = 0; i < f->n; i++) {
        const struct ww_kin *s = &f->kin[i];

        if (s != k && s->proc.ppid == k->proc.ppid && holds_other(s, inode) &&
            strcmp(s->proc.comm, k->proc.comm) == 0)
            return true;
    }
    return false;
}

/*
 * A router accepts from the clients and passes bytes on to the workers over another listening
 * socket. uWSGI --http with a master, without one, and without one and with a single worker:
 *
 *     master L1 L2             worker L1 L2             worker L1 L2
 *       ├─ router L1             ├─ router L1             └─ router L1
 *       ├─ worker L2             ├─ worker L1 L2
 *       └─ worker L2             └─ worker L1 L2
 *
 * So: its parent has a second listening socket that k has given up and a sibling has kept. All
 * three are forks of one program (one name): a process manager that starts different services
 * is no router's parent. In the third picture there is no sibling, and a worker under a master
 * with a socket of its own for control or statistics looks the same. Only for uWSGI it matters,
 * and there a master has a pair of sockets with each child, and no one else has.
 */
static bool is_router(const struct ww_family *f, const struct ww_kin *k,
                      const struct ww_kin *parent)
{
    if (parent == NULL || parent->proc.pid != k->proc.ppid || !k->listens ||
        strcmp(parent->proc.comm, k->proc.comm) != 0)
        return false;
    for (size_t i = 0; i < parent->others; i++) {
        if (holds_other(k, parent->other[i]))
            continue;
        if (sibling_holds(f, k, parent->other[i]))
            return true;
        if (strcmp(k->proc.comm, "uwsgi") == 0 && !paired(f, parent, k))
            return true;
    }
    return false;
}

static void recount(struct ww_family *f)
{
    f->listeners = 0;
    for (size_t i = 0; i < f->n; i++) {
        f->kin[i].router = is_router(f, &f->kin[i], ww_family_master(f, &f->kin[i]));
        if (f->kin[i].listens && !f->kin[i].activator)
            f->listeners++;
    }
}

static bool try_fd(struct ww_family *f, struct ww_kin *k, size_t r, uint64_t inode, int *out_fd)
{
    int fd = k->recent[r];

    if (fd < 0 || ww_proc_holds_at(&k->proc, fd, inode) != WW_HELD_YES)
        return false;
    *out_fd = fd;
    remember_fd(k, fd);
    k->turn = ++f->turn;
    return true;
}

/* The member that accepted last, or, of those that ever did, the longest ago. */
static struct ww_kin *by_turn(struct ww_family *f, bool last)
{
    struct ww_kin *best = NULL;

    for (size_t i = 0; i < f->n; i++) {
        struct ww_kin *k = &f->kin[i];

        if (k->turn != 0 && (best == NULL || (k->turn > best->turn) == last))
            best = k;
    }
    return best;
}

/* Workers that wait in accept are woken in turn, those that wait in epoll mostly the last one
 * first: whichever was right the last time is tried before the others. */
static struct ww_kin *try_predicted(struct ww_family *f, uint64_t inode, int *out_fd)
{
    struct ww_kin *k = by_turn(f, f->last_first);

    return k != NULL && try_fd(f, k, 0, inode, out_fd) ? k : NULL;
}

static struct ww_kin *try_fds(struct ww_family *f, size_t from, size_t to, uint64_t inode,
                              int *out_fd)
{
    const struct ww_kin *last = by_turn(f, true);
    const struct ww_kin *first = by_turn(f, false);

    for (size_t r = from; r < to; r++) {
        for (size_t i = 0; i < f->n; i++) {
            struct ww_kin *k = &f->kin[i];

            if (!try_fd(f, k, r, inode, out_fd))
                continue;
            if (k == last || k == first)
                f->last_first = k == last;
            return k;
        }
    }
    return NULL;
}

/* The kernel gives out the lowest free number, so a worker's connections keep to a few. */
struct ww_kin *ww_family_owner(struct ww_family *f, uint64_t inode, int *out_fd)
{
    struct ww_kin *k = try_predicted(f, inode, out_fd);

    if (k == NULL)
        k = try_fds(f, 0, 1, inode, out_fd);
    if (k == NULL)
        k = try_fds(f, 1, WW_KIN_RECENT, inode, out_fd);
    if (k != NULL)
        return k;
    for (size_t i = 0; i < f->n; i++) {
        k = &f->kin[i];
        if (ww_proc_find_socket(&k->proc, inode, out_fd) != WW_HELD_YES)
            continue;
        remember_fd(k, *out_fd);
        k->turn = ++f->turn;
        return k;
    }
    return NULL;
}

/* Makes pid a member if there is room; NULL if it is gone. */
static struct ww_kin *adopt(struct ww_family *f, int32_t pid, uint64_t wanted, bool *out_holds)
{
    struct ww_proc p;
    struct ww_kin k;

    if (!ww_proc_open(f->root, pid, &p))
        return NULL;
    kin_init(&k, &p);
    *out_holds = survey(f, &k, wanted);

    struct ww_kin *member = add(f, &k);

    if (member == NULL)
        ww_proc_close(&p);
    return member;
}

struct ww_kin *ww_family_owner_among_new(struct ww_family *f, uint64_t inode, int *out_fd)
{
    uint64_t last_pid = ww_family_last_pid(f);
    struct ww_kin *owner = NULL;
    int32_t children[CHILDREN_MAX];

    if (last_pid != 0 && last_pid == f->adopted_seen)
        return NULL;
    bury(f);
    for (size_t i = 0; i < f->n && f->n < WW_KIN_MAX; i++) {
        if (f->kin[i].activator)
            continue;

        int n = ww_proc_children(&f->kin[i].proc, children, CHILDREN_MAX);

        for (int c = 0; c < n && c < CHILDREN_MAX; c++) {
            bool holds = false;

            if (ww_family_find(f, children[c]) != NULL)
                continue;

            struct ww_kin *child = adopt(f, children[c], inode, &holds);

            if (child != NULL && holds && owner == NULL)
                owner = child;
        }
    }
    f->adopted_seen = last_pid;
    recount(f);
    if (owner != NULL)
        *out_fd = owner->recent[0];
    return owner;
}

struct ww_kin *ww_family_meet(struct ww_family *f, int32_t pid)
{
    uint64_t last_pid = ww_family_last_pid(f);
    struct ww_kin *k = ww_family_find(f, pid);
    struct ww_proc p;
    bool holds = false;

    if (last_pid == 0 || last_pid != f->still_pid) {
        f->still_pid = last_pid;
        f->still_since_us = ww_clock_mono_us();
    }
    if (k != NULL && last_pid != 0 && k->alive_seen == last_pid)
        return k;
    if (k == NULL || !ww_kin_alive(k)) {
        if (!ww_proc_open(f->root, pid, &p))
            return k;
        ww_proc_close(&p);
        bury(f);
        k = adopt(f, pid, 0, &holds);
        recount(f);
    }
    if (k != NULL)
        k->alive_seen = last_pid;
    return k;
}

struct link {
    int32_t pid;
    int32_t ppid;
};

struct scan {
    struct ww_family *f;
    uint64_t wanted;
    struct link *link;
    size_t n;
    size_t cap;
};

/* Pass 1: who listens, who holds the wanted socket, and whose child is whose. */
static bool scan_pid(void *ctx, int32_t pid)
{
    struct scan *s = ctx;
    struct ww_family *f = s->f;
    struct ww_kin *known = ww_family_find(f, pid);
    struct ww_proc p;
    struct ww_kin k;

    if (pid == getpid())
        return true; /* a listener that we ourselves pass on makes us no worker */
    s->link = ww_grow(s->link, s->n + 1, &s->cap, sizeof(*s->link));
    if (known != NULL) {
        (void)survey(f, known, s->wanted);
        f->unreadable += known->hidden ? 1 : 0;
        s->link[s->n++] = (struct link){ pid, known->proc.ppid };
        return true;
    }
    if (!ww_proc_open(f->root, pid, &p))
        return true;
    s->link[s->n++] = (struct link){ pid, p.ppid };
    kin_init(&k, &p);

    bool holds = survey(f, &k, s->wanted);

    f->unreadable += k.hidden ? 1 : 0;
    if ((!k.listens && !holds) || add(f, &k) == NULL)
        ww_proc_close(&p);
    return true;
}

static bool is_listener(struct ww_family *f, int32_t pid)
{
    const struct ww_kin *k = ww_family_find(f, pid);

    return k != NULL && !k->activator;
}

/* Pass 2: the members' children, their children, and so on: connections are handed down. */
static void take_descendants(struct scan *s)
{
    bool more = true;

    for (int g = 0; more && g < GENERATIONS_MAX; g++) {
        more = false;
        for (size_t i = 0; i < s->n; i++) {
            bool holds = false;

            if (is_listener(s->f, s->link[i].ppid) &&
                ww_family_find(s->f, s->link[i].pid) == NULL &&
                adopt(s->f, s->link[i].pid, s->wanted, &holds) != NULL)
                more = true;
        }
    }
}

bool ww_family_scan(struct ww_family *f, const struct ww_addr *upstream, uint64_t wanted)
{
    int64_t began_us = ww_clock_mono_us();
    uint64_t last_pid = ww_family_last_pid(f);
    struct scan s = { .f = f, .wanted = wanted };
    bool fine = ww_sockdiag_listeners(f->diag, upstream, &f->mine, &f->listening);

    if (fine) {
        bury(f);
        f->unreadable = 0;
        ww_proc_each_pid(f->root, scan_pid, &s);
        take_descendants(&s);
        recount(f);
        f->adopted_seen = last_pid;
    }
    free(s.link);
    f->scanned_us = ww_clock_mono_us();
    f->scan_cost_us = f->scanned_us - began_us;
    return fine;
}

bool ww_family_may_scan(const struct ww_family *f, int64_t now_us)
{
    int64_t pause = f->scan_cost_us * SCAN_SHARE;

    if (pause < SCAN_PAUSE_US)
        pause = SCAN_PAUSE_US;
    if (pause > SCAN_PAUSE_MAX)
        pause = SCAN_PAUSE_MAX;
    return f->scanned_us == 0 || now_us - f->scanned_us >= pause;
}

bool ww_family_hidden(const struct ww_family *f)
{
    for (size_t i = 0; i < f->n; i++) {
        if (f->kin[i].hidden)
            return true;
    }
    return f->listeners == 0 && f->unreadable > 0;
}

/* A child's descriptors, looked at anew: it may have got or dropped the socket since. */
static void look_at_child(struct ww_family *f, int32_t pid, int64_t since_us, uint64_t inode,
                          struct ww_brood *brood, int64_t *youngest_us)
{
    struct ww_proc p;
    int fd = -1;

    if (!ww_proc_open(f->root, pid, &p))
        return;

    int64_t started_us = ww_proc_start_mono_us(&p);

    if (started_us > *youngest_us)
        *youngest_us = started_us;
    if (started_us + ww_proc_tick_us() >= since_us) {
        brood->present = true;
        if (ww_proc_find_socket(&p, inode, &fd) != WW_HELD_NO)
            brood->holds = true;
    }
    ww_proc_close(&p);
}

/*
 * Who else may hold a connection that k was seen to hold? A descriptor comes into a process by
 * accept, by fork, or in a message. accept makes one. A process that started before our connect
 * began cannot have inherited what was accepted after it. So only children that are younger
 * than the connection are looked at; and while the PID given out last is the one of our last
 * look, no process has started since, so there is nothing new to look at: one pread on most
 * requests.
 */
struct ww_brood ww_family_brood(struct ww_family *f, struct ww_kin *k, int64_t since_us,
                                uint64_t inode, uint64_t last_pid)
{
    struct ww_brood brood = { 0 };
    int32_t children[CHILDREN_MAX];
    int64_t youngest_us = INT64_MIN;

    if (last_pid != 0 && last_pid == k->children_seen &&
        (k->youngest_us == INT64_MIN || k->youngest_us + ww_proc_tick_us() < since_us))
        return brood;

    int n = ww_proc_children(&k->proc, children, CHILDREN_MAX);

    if (n < 0 || n > CHILDREN_MAX) {
        brood.blind = true;
        return brood;
    }
    for (int i = 0; i < n; i++)
        look_at_child(f, children[i], since_us, inode, &brood, &youngest_us);
    k->children_seen = last_pid;
    k->youngest_us = youngest_us;
    return brood;
}

static bool receives(void *ctx, int fd, uint64_t inode)
{
    /* Descriptors are never passed over standard input and output, which may be socket pairs
     * too. */
    return fd <= STDERR_FILENO || !ww_inodes_has(ctx, inode);
}

static bool any_child_receives(struct ww_family *f, const struct ww_kin *k,
                               struct ww_inodes *far_ends, bool *out_young)
{
    int32_t children[CHILDREN_MAX];
    int n = ww_proc_children(&k->proc, children, CHILDREN_MAX);
    int64_t now_us = ww_clock_mono_us();

    if (n < 0 || n > CHILDREN_MAX)
        return true;
    for (int i = 0; i < n; i++) {
        struct ww_proc child;

        if (!ww_proc_open(f->root, children[i], &child))
            continue;
        *out_young = *out_young || now_us - ww_proc_start_mono_us(&child) < SETTLED_US;

        enum ww_held held = ww_proc_each_socket(&child, receives, far_ends);

        ww_proc_close(&child);
        if (held != WW_HELD_NO)
            return true;
    }
    return false;
}

bool ww_family_passes(struct ww_family *f, struct ww_kin *k, uint64_t last_pid)
{
    struct ww_inodes far_ends = { 0 };
    bool young = false;
    int32_t one = 0;

    if (k->passes || (last_pid != 0 && last_pid == k->passes_seen))
        return k->passes;

    int children = ww_proc_children(&k->proc, &one, 1);

    if (children > 0) {
        far_ends_of(f, k, &far_ends);
        k->passes = any_child_receives(f, k, &far_ends, &young);
        ww_inodes_release(&far_ends);
    }
    k->passes_seen = young ? 0 : last_pid;
    return k->passes || children < 0;
}
