/* Looks once at all that attribution by the kernel needs, and writes down what it saw. */
#include "family.h"
#include "listening.h"

#include <whichworker/arena.h>
#include <whichworker/examine.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <unistd.h>

#define ROUNDS_MAX 8

/* A process whose descriptors may not be read, and that is not (yet) known to be one of ours.
 */
struct stranger {
    int32_t pid;
    int32_t ppid;
    bool uid_known;
    uint32_t uid;
    bool related;
    char comm[WW_PROC_COMM];
};

struct inquiry {
    struct ww_exam *exam;
    struct ww_family family;
    struct stranger *stranger;
    size_t strangers;
    size_t cap;
    int32_t named_pid;
};

const char *ww_exam_role_token(enum ww_exam_role role)
{
    static const char *const tokens[WW_EXAM_ROLES] = {
        [WW_EXAM_SINGLE] = "single", [WW_EXAM_WORKER] = "worker",
        [WW_EXAM_MASTER] = "master", [WW_EXAM_PRIMARY] = "primary",
        [WW_EXAM_ROUTER] = "router", [WW_EXAM_ACTIVATOR] = "activator",
        [WW_EXAM_BEHIND] = "behind", [WW_EXAM_HELPER] = "helper",
    };

    return tokens[role];
}

bool ww_exam_serves(const struct ww_exam_process *p)
{
    switch (p->role) {
    case WW_EXAM_SINGLE:
    case WW_EXAM_WORKER:
    case WW_EXAM_ROUTER:
        return true;
    case WW_EXAM_MASTER:
    case WW_EXAM_PRIMARY:
    case WW_EXAM_ACTIVATOR:
    case WW_EXAM_BEHIND:
    case WW_EXAM_HELPER:
    case WW_EXAM_ROLES:
        break;
    }
    return false;
}

/* ---- ourselves */

static bool has_cap(uint64_t mask, int cap)
{
    return (mask >> cap & 1) != 0;
}

static void examine_self(struct ww_exam *e, int root)
{
    struct ww_proc_status s;
    struct ww_proc self;
    ssize_t n = readlinkat(root, "self/exe", e->program, sizeof(e->program) - 1);

    e->program[n > 0 ? n : 0] = '\0';
    e->uid = geteuid();
    e->veiled = faccessat(root, "1", F_OK, AT_SYMLINK_NOFOLLOW) != 0 && errno == ENOENT;
    if (!ww_proc_open(root, getpid(), &self))
        return;
    if (ww_proc_status(&self, &s)) {
        e->cap_ptrace = has_cap(s.cap_allowed, CAP_SYS_PTRACE);
        e->cap_search = has_cap(s.cap_allowed, CAP_DAC_READ_SEARCH);
        e->cap_possible = has_cap(s.cap_bounding, CAP_SYS_PTRACE) &&
                          has_cap(s.cap_bounding, CAP_DAC_READ_SEARCH);
    }
    ww_proc_close(&self);
}

/* ---- the members of the family */

static struct ww_exam_process *find(struct ww_exam *e, int32_t pid)
{
    for (size_t i = 0; i < e->processes; i++) {
        if (e->process[i].worker.id.pid == pid)
            return &e->process[i];
    }
    return NULL;
}

static struct ww_exam_process *add(struct ww_exam *e, const struct ww_proc *p)
{
    struct ww_proc_status s;

    if (e->processes == WW_EXAM_PROCESSES) {
        e->processes_left_out++;
        return NULL;
    }

    struct ww_exam_process *x = &e->process[e->processes++];

    *x = (struct ww_exam_process){
        .worker = { .id = { .pid = p->pid, .start_ticks = p->start_ticks },
                    .started_us = ww_proc_start_wall_us(p) },
        .ppid = p->ppid,
        .role = WW_EXAM_HELPER,
        .fd_error = ww_proc_fd_error(p),
    };
    ww_proc_command(p, x->worker.command, sizeof(x->worker.command));
    if (ww_proc_status(p, &s)) {
        x->uid_known = true;
        x->uid = s.uid;
        x->closed = x->fd_error != 0 && ww_proc_is_closed(p, s.uid);
    }
    return x;
}

struct holding {
    struct ww_exam *exam;
    uint32_t seen; /* a bit for each listener */
};
_Static_assert(WW_EXAM_LISTENERS <= 32, "a bit each");

static bool note_holding(void *ctx, int fd, uint64_t inode)
{
    struct holding *h = ctx;

    (void)fd;
    for (size_t i = 0; i < h->exam->listeners; i++) {
        if (h->exam->listener[i].inode == inode)
            h->seen |= UINT32_C(1) << i;
    }
    return true;
}

static void count_holder(struct ww_exam *e, const struct ww_proc *p)
{
    struct holding h = { .exam = e };

    (void)ww_proc_each_socket(p, note_holding, &h);
    for (size_t i = 0; i < e->listeners; i++)
        e->listener[i].holders += h.seen >> i & 1;
}

/* Proxies of their own: whoever is behind them, the connection ends here. */
static bool is_front(const char *comm)
{
    static const char *const names[] = { "docker-proxy", "haproxy", "nginx", "envoy" };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(comm, names[i]) == 0)
            return true;
    }
    return false;
}

static void add_member(struct inquiry *q, struct ww_kin *k)
{
    struct ww_exam_process *x = add(q->exam, &k->proc);

    if (x == NULL)
        return;
    x->listens = k->listens;
    if (k->activator)
        x->role = WW_EXAM_ACTIVATOR;
    else if (k->router || (k->listens && is_front(k->proc.comm)))
        x->role = WW_EXAM_ROUTER;
    else if (k->listens && ww_family_master(&q->family, k) == NULL &&
             ww_family_passes(&q->family, k, ww_family_last_pid(&q->family)))
        x->role = WW_EXAM_PRIMARY;
    if (k->listens)
        count_holder(q->exam, &k->proc);
}

/* ---- strangers */

static bool collect_stranger(void *ctx, int32_t pid)
{
    struct inquiry *q = ctx;
    struct ww_proc_status status;
    struct stranger s = { .pid = pid };
    struct ww_proc p;

    if (pid == getpid() || find(q->exam, pid) != NULL || !ww_proc_open(q->family.root, pid, &p))
        return true;

    /* The kernel's own threads have no descriptors, and the dead have none any more. */
    int error = pid == 2 || p.ppid == 2 || p.state == 'Z' ? 0 : ww_proc_fd_error(&p);

    s.ppid = p.ppid;
    memcpy(s.comm, p.comm, sizeof(s.comm));
    s.uid_known = ww_proc_status(&p, &status);
    s.uid = s.uid_known ? status.uid : 0;
    ww_proc_close(&p);
    if (error != EACCES && error != EPERM)
        return true;
    q->stranger = ww_grow(q->stranger, q->strangers + 1, &q->cap, sizeof(*q->stranger));
    q->stranger[q->strangers++] = s;
    return true;
}

/* A sibling or the parent of a process with the listener, and of the same program. */
static bool stands_beside(struct inquiry *q, const struct stranger *s)
{
    for (size_t i = 0; i < q->family.n; i++) {
        const struct ww_kin *k = &q->family.kin[i];

        if (k->listens && !k->activator && strcmp(k->proc.comm, s->comm) == 0 &&
            ((k->proc.ppid == s->ppid && s->ppid > 1) || k->proc.ppid == s->pid))
            return true;
    }
    return false;
}

static bool is_related(struct inquiry *q, const struct stranger *s)
{
    const struct ww_exam_process *parent = find(q->exam, s->ppid);

    return s->pid == q->named_pid || (parent != NULL && parent->fd_error != 0) ||
           stands_beside(q, s);
}

static bool take_related(struct inquiry *q)
{
    bool any = false;

    for (size_t i = 0; i < q->strangers; i++) {
        struct stranger *s = &q->stranger[i];
        struct ww_proc p;

        if (s->related || s->pid == 1 || !is_related(q, s))
            continue;
        s->related = true;
        any = true;
        if (!ww_proc_open(q->family.root, s->pid, &p))
            continue;

        struct ww_exam_process *x = add(q->exam, &p);

        if (x != NULL)
            x->inferred = true;
        ww_proc_close(&p);
    }
    return any;
}

static void meet_strangers(struct inquiry *q)
{
    struct ww_exam *e = q->exam;

    ww_proc_each_pid(q->family.root, collect_stranger, q);
    for (int round = 0; round < ROUNDS_MAX && take_related(q); round++)
        ;
    for (size_t i = 0; i < q->strangers; i++) {
        const struct stranger *s = &q->stranger[i];

        if (s->related)
            continue;
        e->hidden.processes++;
        e->hidden.own += s->uid_known && s->uid == e->uid;
    }
    free(q->stranger);
}

/* ---- who is what */

static bool has_serving_child(const struct ww_exam *e, int32_t pid)
{
    for (size_t i = 0; i < e->processes; i++) {
        const struct ww_exam_process *c = &e->process[i];

        if (c->ppid == pid && (c->listens || c->fd_error != 0))
            return true;
    }
    return false;
}

static size_t listening(const struct ww_exam *e)
{
    size_t n = 0;

    for (size_t i = 0; i < e->processes; i++)
        n += e->process[i].listens && e->process[i].role != WW_EXAM_ACTIVATOR;
    return n;
}

/* A parent that listens, and not on behalf of its service. */
static bool has_master(struct ww_exam *e, const struct ww_exam_process *p)
{
    const struct ww_exam_process *parent = find(e, p->ppid);

    return parent != NULL && parent->listens && parent->role != WW_EXAM_ACTIVATOR;
}

static bool has_router_beside(const struct ww_exam *e, const struct ww_exam_process *p)
{
    for (size_t i = 0; i < e->processes; i++) {
        if (e->process[i].role == WW_EXAM_ROUTER && e->process[i].ppid == p->ppid)
            return true;
    }
    return false;
}

static enum ww_exam_role role_of(struct ww_exam *e, const struct ww_exam_process *p)
{
    const struct ww_exam_process *parent = find(e, p->ppid);

    if (p->role == WW_EXAM_ROUTER || p->role == WW_EXAM_ACTIVATOR)
        return p->role;
    if (!p->listens && p->fd_error == 0) {
        if (has_router_beside(e, p))
            return WW_EXAM_BEHIND;
        return parent != NULL && parent->role == WW_EXAM_PRIMARY ? WW_EXAM_WORKER
                                                                 : WW_EXAM_HELPER;
    }
    if (!has_master(e, p) && has_serving_child(e, p->worker.id.pid))
        return WW_EXAM_MASTER;
    if (p->role == WW_EXAM_PRIMARY)
        return p->role;
    return has_master(e, p) || p->inferred || !p->listens || listening(e) > 1 ? WW_EXAM_WORKER
                                                                              : WW_EXAM_SINGLE;
}

/* In order: what a parent is decides what its children are. */
static void assign_roles(struct ww_exam *e)
{
    for (size_t i = 0; i < e->processes; i++)
        e->process[i].role = role_of(e, &e->process[i]);
}

/* ---- order: each under its parent */

static int by_pid(const void *a, const void *b)
{
    const struct ww_exam_process *x = a;
    const struct ww_exam_process *y = b;

    return (x->worker.id.pid > y->worker.id.pid) - (x->worker.id.pid < y->worker.id.pid);
}

struct ordering {
    struct ww_exam_process out[WW_EXAM_PROCESSES];
    bool placed[WW_EXAM_PROCESSES];
    size_t n;
};

/* The first process that is not placed yet and whose parent is `pid`; the number of processes
 * if there is none. */
static size_t next_child(const struct ww_exam *e, const struct ordering *o, int32_t pid)
{
    for (size_t i = 0; i < e->processes; i++) {
        if (!o->placed[i] && e->process[i].ppid == pid)
            return i;
    }
    return e->processes;
}

static void place(struct ww_exam *e, struct ordering *o, size_t i, unsigned depth)
{
    o->placed[i] = true;
    o->out[o->n] = e->process[i];
    o->out[o->n++].depth = depth;
}

/* From where the last one stands: down to a child, or up to the parent's next child. */
static void place_below(struct ww_exam *e, struct ordering *o)
{
    size_t at = o->n - 1;

    for (;;) {
        size_t child = next_child(e, o, o->out[at].worker.id.pid);

        if (child < e->processes) {
            place(e, o, child, o->out[at].depth + 1);
            at = o->n - 1;
            continue;
        }
        if (o->out[at].depth == 0)
            return;
        for (size_t up = o->out[at].depth; o->out[at].depth >= up;)
            at--;
    }
}

static void put_in_order(struct ww_exam *e)
{
    struct ordering *o = ww_xcalloc(1, sizeof(*o));

    qsort(e->process, e->processes, sizeof(e->process[0]), by_pid);
    for (size_t i = 0; i < e->processes; i++) {
        if (o->placed[i] || find(e, e->process[i].ppid) != NULL)
            continue;
        place(e, o, i, 0);
        place_below(e, o);
    }
    /* Parents that changed while we looked may leave a ring: nobody is lost over it. */
    for (size_t i = 0; i < e->processes; i++) {
        if (!o->placed[i])
            place(e, o, i, 0);
    }
    memcpy(e->process, o->out, sizeof(o->out));
    free(o);
}

static void examine_family(struct inquiry *q, struct ww_sockdiag *diag)
{
    struct ww_exam *e = q->exam;

    e->diag_error = ww_listening_describe(e, diag);
    if (e->diag_error == 0 && !ww_family_scan(&q->family, &e->upstream, 0))
        e->diag_error = EBADMSG;
    if (e->diag_error != 0)
        return;
    for (size_t i = 0; i < q->family.n; i++)
        add_member(q, &q->family.kin[i]);
    meet_strangers(q);
    put_in_order(e);
    assign_roles(e);
}

struct ww_exam *ww_examine(const struct ww_examine_config *cfg, struct ww_err *err)
{
    struct inquiry *q = ww_xcalloc(1, sizeof(*q));
    struct ww_sockdiag diag;
    struct ww_exam *e = ww_xcalloc(1, sizeof(*e));
    struct ww_err refused = { 0 };

    e->upstream = cfg->upstream;
    q->exam = e;
    q->named_pid = cfg->named_pid;
    if (ww_family_open(&q->family, cfg->proc_root, &diag, err) != WW_OK) {
        free(q);
        free(e);
        return NULL;
    }
    examine_self(e, q->family.root);
    if (ww_sockdiag_open(&diag, &refused) == WW_OK)
        examine_family(q, &diag);
    else
        e->diag_error = errno;
    ww_sockdiag_close(&diag);
    ww_family_release(&q->family);
    free(q);
    return e;
}
